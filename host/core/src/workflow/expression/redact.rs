//! Taking people's numbers and addresses out of a text, for logs and reasons.

use std::sync::OnceLock;

use regex::Regex;

/// Puts `[number]` for anything that could be dialled and `[email]` for
/// anything that could be mailed to.
pub(crate) fn redact(text: &str) -> String {
    static EMAIL: OnceLock<Option<Regex>> = OnceLock::new();
    static NUMBER: OnceLock<Option<Regex>> = OnceLock::new();
    let email = EMAIL.get_or_init(|| Regex::new(r"[^\s@<>]+@[^\s@<>]+").ok());
    let number = NUMBER.get_or_init(|| Regex::new(r"\+?\d(?:[ ().-]?[ ().-]?\d){6,}").ok());
    // Without its patterns (a bug, not an input) nothing may slip through.
    let (Some(email), Some(number)) = (email, number) else {
        return "[redacted]".to_owned();
    };
    let text = email.replace_all(text, "[email]");
    number.replace_all(&text, "[number]").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expected: &str) {
        assert_eq!(redact(input), expected);
    }

    #[test]
    fn numbers_and_addresses_go() {
        check("call +1 (312) 555-0123 now", "call [number] now");
        check("312.555.0123", "[number]");
        check("me@example.com, thanks", "[email] thanks");
        check("at 10:30 on 3/9, room 12", "at 10:30 on 3/9, room 12");
    }
}
