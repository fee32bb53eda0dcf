use super::*;

/// The example of jwt.io.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";
const SECRET: &str = "your-256-bit-secret";

fn check(token: &str, now: u32) -> bool {
    verify(SECRET, "HS256", token, Some(now)).is_ok_and(|claims| claims.is_some())
}

fn token(claims: &str) -> String {
    sign(SECRET, "HS256", claims).unwrap_or_else(|_| panic!("{claims}"))
}

#[test]
fn takes_a_genuine_token_only() {
    assert!(check(TOKEN, 1));
    assert!(!check(&TOKEN.replace("_adQssw5c", "_adQssw5d"), 1));
    assert!(!check(TOKEN.rsplit_once('.').expect("a dot").0, 1));
    assert!(!check("", 1));
    // "none" is an algorithm of the token's choice, and without a signature.
    assert!(!check("eyJhbGciOiJub25lIn0.e30.", 1));
    assert!(verify("other", "HS256", TOKEN, Some(1)).is_ok_and(|claims| claims.is_none()));
}

#[test]
fn holds_the_token_to_its_times() {
    let short = token(r#"{"exp":1000,"nbf":500}"#);
    assert!(check(&short, 700));
    assert!(check(&short, 1059));
    assert!(!check(&short, 1061));
    assert!(check(&short, 441));
    assert!(!check(&short, 439));
    assert!(!check(&token(r#"{"exp":"never"}"#), 1));
}

#[test]
fn says_what_it_cannot_do() {
    assert!(sign(SECRET, "RS256", "{}").is_err());
    assert!(sign(SECRET, "HS256", "[]").is_err());
    assert!(verify(SECRET, "none", TOKEN, Some(1)).is_err());
    assert!(verify(SECRET, "HS256", TOKEN, None).is_err());
}
