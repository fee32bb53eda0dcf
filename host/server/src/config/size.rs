//! Sizes as people write them: `64MiB`. Owns the units; knows nothing of what is
//! measured.

use std::str::FromStr;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(u64);

impl Size {
    /// The bytes.
    pub(crate) const fn bytes(self) -> u64 {
        self.0
    }
}

/// The text is no size.
#[derive(Debug)]
pub(crate) struct NoSize;

impl FromStr for Size {
    type Err = NoSize;

    fn from_str(text: &str) -> Result<Self, NoSize> {
        let text = text.trim();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits).ok_or(NoSize)?;
        let unit: u64 = match unit.trim_start() {
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return Err(NoSize),
        };
        let number: u64 = number.parse().map_err(|_| NoSize)?;
        number.checked_mul(unit).map(Self).ok_or(NoSize)
    }
}

#[cfg(test)]
mod tests {
    use super::Size;

    fn check(text: &str, expected: Option<u64>) {
        assert_eq!(
            text.parse::<Size>().ok().map(Size::bytes),
            expected,
            "{text:?}"
        );
    }

    #[test]
    fn reads_sizes() {
        check("64MiB", Some(64 * 1024 * 1024));
        check(" 1 GiB", Some(1 << 30));
        check("512KiB", Some(512 * 1024));
        check("0MiB", Some(0));
        check("64", None);
        check("64MB", None);
        check("MiB", None);
        check("-1MiB", None);
        check("99999999999GiB", None);
        check("1ü", None);
    }
}
