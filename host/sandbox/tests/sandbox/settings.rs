//! Settings against a plugin's description.

use std::collections::BTreeMap;

use insta::assert_snapshot;

use crate::{load, twilio};

async fn check(given: &[(&str, Option<&str>)]) -> String {
    let plugin = load("twilio", &twilio()).await;
    let description = plugin.description.as_ref().expect("a connector");
    let given: BTreeMap<String, Option<String>> = given
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned)))
        .collect();
    let problems = description.check(&given);
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[tokio::test]
async fn names_what_is_wrong() {
    assert_eq!(
        check(&[("account_sid", Some("AC1")), ("auth_token", None)]).await,
        ""
    );
    assert_snapshot!(check(&[]).await, @"");
    assert_snapshot!(
        check(&[("acount_sid", Some("AC1")), ("auth_token", None), ("colour", Some("red"))]).await,
        @""
    );
    assert_snapshot!(
        check(&[("account_sid", Some("AC1")), ("auth_token", None), ("base_url", Some("api.twilio.com"))]).await,
        @""
    );
}

#[tokio::test]
async fn knows_the_secrets() {
    let plugin = load("twilio", &twilio()).await;
    let description = plugin.description.as_ref().expect("a connector");
    assert!(description.is_secret("auth_token"));
    assert!(!description.is_secret("account_sid"));
}
