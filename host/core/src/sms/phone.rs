//! Phone numbers as people write them, into E.164 with a plus.
//!
//! A number must be *possible* by libphonenumber's lengths, not *valid*: the
//! ranges 555-01xx that documentation and tests use are assigned to nobody.
//! Short codes and alphanumeric senders are not numbers here.

use std::str::FromStr;

use rlibphonenumber::{
    NumberLengthType, PHONE_NUMBER_UTIL, ParseError, PhoneNumber, PhoneNumberFormat, Region,
    ValidationError,
};

/// Why a text is not a phone number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing but spaces.
    #[error("the number is empty; write it as +15550100142")]
    Empty,
    /// Letters or signs that no number has, or an extension.
    #[error("{input} is not a phone number; write it as +15550100142")]
    NotANumber {
        /// The text as it was given.
        input: String,
    },
    /// Without a plus, and no region to read it by.
    #[error("{input} looks like a national number; write it {hint}")]
    National {
        /// The text as it was given.
        input: String,
        /// How it should be written, such as `as +15550100142`.
        hint: String,
    },
    /// E.164 allows 15 digits; fewer than 8 reach nobody from abroad.
    #[error("{input} has {digits} digits; a number with its country code has 8 to 15")]
    Digits {
        /// The text as it was given.
        input: String,
        /// Digits it has.
        digits: usize,
    },
    /// No country has this calling code.
    #[error("{input} starts with a country code that does not exist")]
    CountryCode {
        /// The text as it was given.
        input: String,
    },
    /// Fewer digits than any number of its country.
    #[error("{input} is too short for its country")]
    TooShort {
        /// The text as it was given.
        input: String,
    },
    /// More digits than any number of its country.
    #[error("{input} is too long for its country")]
    TooLong {
        /// The text as it was given.
        input: String,
    },
    /// The default region is not a two-letter code of ISO 3166-1.
    #[error("{region} is not a region; use two letters such as US")]
    Region {
        /// The region as it was given.
        region: String,
    },
}

/// Reads `input` as a phone number and returns it in E.164 form, with a plus.
///
/// `default_region` (ISO 3166-1, two letters) is how a national number is
/// read; without it the number must carry its country code. Spaces,
/// parentheses, dots, slashes, dashes and a leading `tel:` are ignored.
///
/// # Errors
///
/// [`Error`], each variant with the text that was given.
pub fn e164(input: &str, default_region: Option<&str>) -> Result<String, Error> {
    let region = default_region.map(region).transpose()?;
    let given = || input.trim().to_owned();
    let digits = digits(input)?;
    let length = digits.strip_prefix('+').unwrap_or(&digits).len();
    if length > 15 || (digits.starts_with('+') && length < 8) {
        return Err(Error::Digits {
            input: given(),
            digits: length,
        });
    }
    if region.is_none() && !digits.starts_with('+') {
        return Err(Error::National {
            input: given(),
            hint: hint(&digits),
        });
    }
    let number = PHONE_NUMBER_UTIL
        .parse(&digits, region)
        .map_err(|error| match error {
            ParseError::InvalidCountryCode => Error::CountryCode { input: given() },
            ParseError::NotANumber(_) => Error::NotANumber { input: given() },
            ParseError::TooShortAfterIdd | ParseError::TooShortNsn => {
                Error::TooShort { input: given() }
            }
            ParseError::TooLongNsn => Error::TooLong { input: given() },
        })?;
    match PHONE_NUMBER_UTIL.is_possible_number_with_reason(&number) {
        Ok(NumberLengthType::IsPossible) => {}
        Ok(NumberLengthType::IsPossibleLocalOnly)
        | Err(ValidationError::TooShort | ValidationError::InvalidLength) => {
            return Err(Error::TooShort { input: given() });
        }
        Err(ValidationError::TooLong) => return Err(Error::TooLong { input: given() }),
        Err(ValidationError::InvalidCountryCode) => {
            return Err(Error::CountryCode { input: given() });
        }
    }
    let written = PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164);
    let digits = written.len().saturating_sub(1);
    if !(8..=15).contains(&digits) {
        return Err(Error::Digits {
            input: given(),
            digits,
        });
    }
    Ok(written.into_owned())
}

/// The region (ISO 3166-1, two letters) of a number in E.164 form. A number
/// that no plan assigns, such as a fictional one, gets the main region of its
/// calling code: `US` for `+1 555 …`. `None` for what is not a number and for
/// codes without a country.
#[must_use]
pub fn region_of(e164: &str) -> Option<String> {
    if !e164.starts_with('+') {
        return None;
    }
    let number: PhoneNumber = PHONE_NUMBER_UTIL.parse(e164, None).ok()?;
    PHONE_NUMBER_UTIL
        .get_region_for_number(&number)
        .or_else(|| PHONE_NUMBER_UTIL.get_region_for_country_code(number.country_code))
        .map(|region| region.to_string())
        // libphonenumber's word for "the world".
        .filter(|region| region.len() == 2 && region != "ZZ")
}

fn region(text: &str) -> Result<Region, Error> {
    let wrong = || Error::Region {
        region: text.to_owned(),
    };
    let region = Region::from_str(&text.to_ascii_uppercase()).map_err(|_| wrong())?;
    PHONE_NUMBER_UTIL
        .get_country_code_for_region(region)
        .map(|_| region)
        .ok_or_else(wrong)
}

/// The digits of `input`, after a plus when it has one. Refuses what no number
/// has, so that a sentence with a number in it is not taken for the number.
fn digits(input: &str) -> Result<String, Error> {
    let trimmed = input.trim();
    let text = trimmed.strip_prefix("tel:").unwrap_or(trimmed).trim();
    if text.is_empty() {
        return Err(Error::Empty);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars().map(super::smart::full_width) {
        match c {
            '0'..='9' => out.push(c),
            '+' if out.is_empty() => out.push(c),
            ' ' | '\u{a0}' | '\u{202f}' | '(' | ')' | '.' | '/' | '-' => {}
            '\u{2010}'..='\u{2015}' | '\u{2060}' | '\u{202a}'..='\u{202c}' | '\u{200e}' => {}
            _ => {
                return Err(Error::NotANumber {
                    input: trimmed.to_owned(),
                });
            }
        }
    }
    if out.trim_start_matches('+').is_empty() {
        return Err(Error::NotANumber {
            input: trimmed.to_owned(),
        });
    }
    Ok(out)
}

/// What to write instead. Ten digits are read as North American, as most of
/// our users' are.
fn hint(digits: &str) -> String {
    if let Some(rest) = digits.strip_prefix("00") {
        return format!("as +{rest}");
    }
    if let Some(rest) = digits.strip_prefix('0') {
        return format!("with its country code, such as +44{rest}");
    }
    match digits.len() {
        10 => format!("as +1{digits}"),
        11 if digits.starts_with('1') => format!("as +{digits}"),
        _ => "with a plus and its country code, such as +15550100142".to_owned(),
    }
}

#[cfg(test)]
mod tests;
