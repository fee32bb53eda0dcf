mod reading;
mod sending;
mod verifying;

use ringback_guest::host::pretend;
use ringback_guest::webhook::Request;

/// Sets what most tests need: an account, its token, and these settings.
fn account(more: &[(&str, &str)]) {
    let sid = ("account_sid", "AC0123456789abcdef0123456789abcdef");
    let values: Vec<_> = more.iter().copied().chain([sid]).collect();
    pretend::settings(&values, &[("auth_token", "12345")]);
}

/// A webhook with a form.
fn webhook(url: &str, body: &str) -> Request {
    Request {
        method: "POST".to_owned(),
        url: url.to_owned(),
        headers: vec![(
            "content-type".to_owned(),
            "application/x-www-form-urlencoded; charset=UTF-8".to_owned(),
        )],
        body: body.as_bytes().to_vec(),
        received_at: 1_795_168_800,
    }
}
