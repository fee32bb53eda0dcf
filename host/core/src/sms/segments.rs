//! How a body is encoded and how many segments it costs.
//!
//! A segment carries 140 octets (3GPP TS 23.040). GSM-7 fits 160 septets alone
//! and 153 per part; UCS-2 fits 70 UTF-16 units alone and 67 per part, because
//! a part starts with a header of 6 octets. The rules for whole characters are
//! those of Twilio's message-segment-calculator. This module counts only; what
//! is replaced before counting is in [`super::smart`].

use unicode_segmentation::UnicodeSegmentation as _;

/// The alphabet a text is sent in. One character outside GSM-7 turns the whole
/// text to UCS-2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// The GSM 7-bit default alphabet with its extension table (3GPP TS 23.038).
    Gsm7,
    /// 16-bit units; what providers send is really UTF-16.
    Ucs2,
}

impl Encoding {
    /// Units that fit when the text is one segment.
    #[must_use]
    pub const fn units_alone(self) -> usize {
        match self {
            Self::Gsm7 => 160,
            Self::Ucs2 => 70,
        }
    }

    /// Units that fit in each part of a text of several segments.
    #[must_use]
    pub const fn units_per_part(self) -> usize {
        match self {
            Self::Gsm7 => 153,
            Self::Ucs2 => 67,
        }
    }
}

/// What a body costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Segments {
    /// The alphabet the whole body is sent in.
    pub encoding: Encoding,
    /// Septets (GSM-7) or UTF-16 units (UCS-2) of the body, without headers
    /// and without the room lost where a character would not fit in a part.
    pub units: usize,
    /// Segments billed; an empty body counts as 1, as providers count it.
    pub count: usize,
}

/// Counts the segments of `body` as it stands.
///
/// Extension characters cost two septets and the pair is never split over two
/// parts; a grapheme (an emoji with its modifiers, a flag) is kept whole, so a
/// part may end early. `\r\n` counts as two characters.
#[must_use]
pub fn segments(body: &str) -> Segments {
    if let Some(units) = gsm7_units(body) {
        let encoding = Encoding::Gsm7;
        let pieces = body.chars().filter_map(septets);
        Segments {
            encoding,
            units,
            count: count(encoding, units, pieces),
        }
    } else {
        let encoding = Encoding::Ucs2;
        let units = body.chars().map(char::len_utf16).sum();
        let pieces = body.graphemes(true).flat_map(whole_pieces);
        Segments {
            encoding,
            units,
            count: count(encoding, units, pieces),
        }
    }
}

/// The septets of `body`, or `None` when a character is not in GSM-7.
pub(super) fn gsm7_units(body: &str) -> Option<usize> {
    body.chars().map(septets).sum()
}

/// The septets of one character: 1 in the default alphabet, 2 in the extension
/// table (3GPP TS 23.038, 6.2.1 and 6.2.1.1). The back-tick and `ç` are in
/// neither, `Ç` is.
fn septets(c: char) -> Option<usize> {
    match c {
        '\u{c}' | '^' | '{' | '}' | '\\' | '[' | '~' | ']' | '|' | '€' => Some(2),
        'a'..='z' | 'A'..='Z' | ' '..='?' | '@' | '\n' | '\r' | '_' => Some(1),
        '£' | '¥' | '§' | '¡' | '¿' | '¤' => Some(1),
        'è' | 'é' | 'ù' | 'ì' | 'ò' | 'à' | 'Ç' | 'É' => Some(1),
        'Ø' | 'ø' | 'Å' | 'å' | 'Æ' | 'æ' | 'ß' => Some(1),
        'Ä' | 'Ö' | 'Ñ' | 'Ü' | 'ä' | 'ö' | 'ñ' | 'ü' => Some(1),
        'Δ' | 'Φ' | 'Γ' | 'Λ' | 'Ω' | 'Π' | 'Ψ' | 'Σ' | 'Θ' | 'Ξ' => Some(1),
        _ => None,
    }
}

/// The UTF-16 lengths that must stay whole in one grapheme. Only `\r\n`, and a
/// grapheme that no part could hold, is taken apart.
fn whole_pieces(grapheme: &str) -> impl Iterator<Item = usize> {
    let units: usize = grapheme.chars().map(char::len_utf16).sum();
    let apart = grapheme == "\r\n" || units > Encoding::Ucs2.units_per_part();
    let whole = (!apart).then_some(units);
    let chars = if apart { grapheme } else { "" };
    whole.into_iter().chain(chars.chars().map(char::len_utf16))
}

fn count(encoding: Encoding, units: usize, pieces: impl Iterator<Item = usize>) -> usize {
    if units <= encoding.units_alone() {
        return 1;
    }
    let per_part = encoding.units_per_part();
    let mut parts = 1;
    let mut used = 0;
    for piece in pieces {
        if used + piece > per_part {
            parts += 1;
            used = 0;
        }
        used += piece;
    }
    parts
}

#[cfg(test)]
mod tests;
