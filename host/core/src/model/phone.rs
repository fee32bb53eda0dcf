//! Phone numbers in E.164, checked once at the edge.

use std::fmt;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// A plus sign and 8 to 15 digits, the first not zero (ITU-T E.164).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "SmolStr", into = "SmolStr")]
pub struct PhoneNumber(SmolStr);

impl PhoneNumber {
    /// Takes text that already has the shape; reading what people write is
    /// `sms::phone`'s work.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+')?;
        let shaped = (8..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0');
        shaped.then(|| Self(text.into()))
    }

    /// The number with its plus sign.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<&str> for PhoneNumber {
    type Error = String;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        Self::parse(text).ok_or_else(|| format!("{text:?} is not a phone number like +15551234567"))
    }
}

impl TryFrom<SmolStr> for PhoneNumber {
    type Error = String;

    fn try_from(text: SmolStr) -> Result<Self, Self::Error> {
        Self::try_from(text.as_str())
    }
}

impl From<PhoneNumber> for SmolStr {
    fn from(number: PhoneNumber) -> Self {
        number.0
    }
}
