use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::limits::Limits;
use crate::plugin::{Connection, Context};

/// A call with one plain setting and one secret, both with this value.
fn state(value: &str) -> State {
    let connection = Connection {
        name: "main".to_owned(),
        values: BTreeMap::from([("public".to_owned(), value.to_owned())]),
        secrets: BTreeMap::from([("secret".to_owned(), Secret::new(value))]),
    };
    let context = Context::new(Arc::new(connection), "");
    State::new("test", Some(&context), &Limits::default())
}

fn hmac_of(secret: &str, form: KeyForm, algorithm: Algorithm) -> Option<String> {
    let data = b"what do ya want for nothing?".to_vec();
    let tag = state(secret).hmac("secret".to_owned(), form, algorithm, data);
    let tag = tag.expect("no trap").ok()?;
    Some(tag.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// RFC 2202 and RFC 4231, test case 2: the key is "Jefe".
#[test]
fn computes_hmac_with_every_form_of_key() {
    let sha256 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    for (secret, form) in [
        ("Jefe", KeyForm::Plain),
        ("SmVmZQ==", KeyForm::Base64),
        ("SmVmZQ", KeyForm::Base64),
        ("4a656665", KeyForm::Hex),
    ] {
        let tag = hmac_of(secret, form, Algorithm::HmacSha256);
        assert_eq!(tag.as_deref(), Some(sha256), "{secret}");
    }
    let sha1 = "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79";
    let tag = hmac_of("Jefe", KeyForm::Plain, Algorithm::HmacSha1);
    assert_eq!(tag.as_deref(), Some(sha1));
    assert_eq!(hmac_of("Jefe!", KeyForm::Base64, Algorithm::HmacSha1), None);
    assert_eq!(hmac_of("4a6", KeyForm::Hex, Algorithm::HmacSha1), None);
}

#[test]
fn knows_no_other_secret() {
    let found = state("x").equals("public".to_owned(), "x".to_owned());
    assert!(found.expect("no trap").is_err());
    let equal = |candidate: &str| {
        let found = state("x").equals("secret".to_owned(), candidate.to_owned());
        found.expect("no trap").ok()
    };
    assert_eq!(equal("x"), Some(true));
    assert_eq!(equal("y"), Some(false));
    assert_eq!(equal("xx"), Some(false));
}

/// RFC 8032, section 7.1, test 1: the empty message.
#[test]
fn verifies_ed25519() {
    let key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let signature = hex(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    )
    .expect("hexadecimal");
    let pem = "-----BEGIN PUBLIC KEY-----\n\
               MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
               -----END PUBLIC KEY-----\n";
    let check = |key: &str, setting: &str, data: &[u8], signature: &[u8]| {
        let found =
            state(key).verify_ed25519(setting.to_owned(), data.to_vec(), signature.to_vec());
        found.expect("no trap").ok()
    };
    for key in [key, pem] {
        assert_eq!(check(key, "public", b"", &signature), Some(true), "{key}");
        assert_eq!(check(key, "secret", b"", &signature), Some(true), "{key}");
        assert_eq!(check(key, "public", b"x", &signature), Some(false), "{key}");
    }
    assert_eq!(check(key, "public", b"", &[0; 3]), Some(false));
    assert_eq!(check("no key", "public", b"", &signature), None);
    assert_eq!(check(key, "absent", b"", &signature), None);
}
