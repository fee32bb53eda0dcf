//! Comparing signatures, and the forms they are written in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// True when both are the same. Takes as long for a near miss as for a far one,
/// so that nobody finds a signature byte by byte.
pub fn same(ours: &[u8], theirs: &[u8]) -> bool {
    if ours.len() != theirs.len() {
        return false;
    }
    let pairs = ours.iter().zip(theirs);
    let difference = pairs.fold(0, |sum, (a, b)| sum | (a ^ b));
    std::hint::black_box(difference) == 0
}

/// Base64 with padding.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Lower hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_every_byte() {
        assert!(same(b"", b""));
        assert!(same(b"abc", b"abc"));
        assert!(!same(b"abc", b"abd"));
        assert!(!same(b"abc", b"xbc"));
        assert!(!same(b"abc", b"ab"));
    }

    #[test]
    fn writes_bytes() {
        assert_eq!(hex(&[0, 0x0f, 0xff]), "000fff");
        assert_eq!(base64(&[0, 0x0f]), "AA8=");
    }
}
