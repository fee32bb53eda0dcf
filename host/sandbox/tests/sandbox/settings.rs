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
    assert_snapshot!(check(&[]).await, @r#"
setting `account_sid` is missing: The account's SID, AC and 32 digits, from the console's first page.
setting `auth_token` is missing: The account's primary auth token; webhooks are signed with it too.
"#);
    assert_snapshot!(
        check(&[("acount_sid", Some("AC1")), ("auth_token", None), ("colour", Some("red"))]).await,
        @r#"
setting `account_sid` is missing: The account's SID, AC and 32 digits, from the console's first page.
there is no setting `acount_sid`; did you mean `account_sid`?
there is no setting `colour`; there are: account_sid, auth_token, messaging_service_sid, base_url
"#
    );
    assert_snapshot!(
        check(&[("account_sid", Some("AC1")), ("auth_token", None), ("base_url", Some("api.twilio.com"))]).await,
        @"setting `base_url` must be an address that begins with https:// or http://"
    );
}

#[tokio::test]
async fn knows_the_secrets() {
    let plugin = load("twilio", &twilio()).await;
    let description = plugin.description.as_ref().expect("a connector");
    assert!(description.is_secret("auth_token"));
    assert!(!description.is_secret("account_sid"));
}
