use ringback_guest::host::pretend;
use ringback_guest::webhook::Request;
use serde_json::Value;

use crate::signature::verify;

fn field<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name}: {vector}"))
}

fn request(vector: &Value) -> Request {
    let headers = vector["headers"].as_object().expect("headers");
    Request {
        method: field(vector, "method").to_owned(),
        url: field(vector, "url").to_owned(),
        headers: headers
            .iter()
            .map(|(k, v)| (k.to_lowercase(), v.as_str().expect("text").to_owned()))
            .collect(),
        body: field(vector, "body").as_bytes().to_vec(),
        received_at: 0,
    }
}

#[test]
fn agrees_with_every_vector() {
    let file = include_str!("../../tests/webhook-vectors.json");
    let file: Value = serde_json::from_str(file).expect("JSON");
    let vectors = file["vectors"].as_array().expect("a list");
    assert_eq!(vectors.len(), 12);
    for vector in vectors {
        pretend::settings(&[], &[("auth_token", field(vector, "secret"))]);
        let expected = field(vector, "expected") == "valid";
        assert_eq!(
            verify(&request(vector)),
            Ok(expected),
            "{}",
            field(vector, "name")
        );
    }
}

/// What the library does on top of the published vectors: every different pair
/// once (its test of duplicates), and never a body that nothing covers.
#[test]
fn refuses_what_is_not_covered() {
    pretend::settings(&[], &[("auth_token", "12345")]);
    let signed = |content_type: &str, url: &str, body: &str, signature: &str| Request {
        method: "POST".to_owned(),
        url: url.to_owned(),
        headers: vec![
            ("content-type".to_owned(), content_type.to_owned()),
            ("x-twilio-signature".to_owned(), signature.to_owned()),
        ],
        body: body.as_bytes().to_vec(),
        received_at: 0,
    };
    let form = "application/x-www-form-urlencoded";
    let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
    let once = "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309";
    let signature = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
    assert_eq!(verify(&signed(form, url, once, signature)), Ok(true));
    let twice = format!("{once}&Digits=1234");
    assert_eq!(verify(&signed(form, url, &twice, signature)), Ok(true));
    let other = format!("{once}&Digits=5678");
    assert_eq!(verify(&signed(form, url, &other, signature)), Ok(false));
    assert_eq!(
        verify(&signed("text/plain", url, once, signature)),
        Ok(false)
    );
    assert_eq!(verify(&signed(form, url, once, "")), Ok(false));
    let unsigned = super::webhook(url, once);
    assert_eq!(verify(&unsigned), Ok(false));
}

#[test]
fn says_why_it_cannot_check() {
    pretend::settings(&[], &[]);
    let mut request = super::webhook("https://a.b/c", "");
    request
        .headers
        .push(("x-twilio-signature".to_owned(), "x".to_owned()));
    let why = "there is no secret setting `auth_token`".to_owned();
    assert_eq!(verify(&request), Err(why));
}
