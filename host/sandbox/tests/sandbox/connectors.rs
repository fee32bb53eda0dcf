//! The built-in connectors as components, through the sandbox.

use std::path::{Path, PathBuf};

use ringback_sandbox::VerifyError;
use ringback_sandbox::contract::calling::{CallPlan, Forwarding, Leg, Outcome};
use ringback_sandbox::contract::http::{Answer, Body, Credential, Response};
use ringback_sandbox::contract::texting::SendStep;
use ringback_sandbox::contract::webhook::Request;
use serde_json::Value;

use crate::{context, load, simulator, text, twilio, webhook};

fn created(body: &str) -> Answer {
    Answer {
        response: Response {
            status: 201,
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
        },
        state: Vec::new(),
    }
}

#[tokio::test]
async fn the_simulator_sends() {
    let plugin = load("simulator", &simulator()).await;
    let context = context(
        &[("base_url", "http://127.0.0.1:9")],
        &[("secret", "s3cret")],
    );
    let step = plugin
        .send(&context, &text("Hi"), None)
        .await
        .expect("a result");
    let Ok(SendStep::Ask(ask)) = step else {
        panic!("no request: {step:?}");
    };
    assert_eq!(ask.request.url, "http://127.0.0.1:9/texts");
    // The plugin names the secret; only the host can fill it in.
    assert_eq!(
        ask.request.credential,
        Credential::Bearer("secret".to_owned())
    );
    let answer = created(r#"{"provider_id":"SIM1","segments":1}"#);
    let step = plugin
        .send(&context, &text("Hi"), Some(&answer))
        .await
        .expect("a result");
    assert!(matches!(step, Ok(SendStep::Done(receipt)) if receipt.provider_id == "SIM1"));
}

#[tokio::test]
async fn the_simulator_verifies_and_reads() {
    let plugin = load("simulator", &simulator()).await;
    let context = context(&[], &[("secret", "s3cret")]);
    let body = br#"{"provider_id":"C1","from":"+15551234567","to":"+15557654321"}"#;
    // HMAC-SHA256("s3cret", url + "\n" + body), by OpenSSL.
    let signature = "3287331f7ceddbf08eac183cb70f99e5fe1d5016aa165636306af0539652a8f1";
    let signed = |body| {
        webhook(
            "http://h/voice",
            &[("X-Simulator-Signature", signature)],
            body,
        )
    };
    let forged = plugin.verify(&context, signed(b"{}")).await;
    assert_eq!(forged.expect_err("forged"), VerifyError::Refused);
    let genuine = plugin
        .verify(&context, signed(body))
        .await
        .expect("genuine");
    let (call, _) = plugin
        .read_call(&context, &genuine)
        .await
        .expect("a result")
        .expect("a call");
    assert_eq!((call.outcome, call.leg), (Outcome::Ringing, Leg::Whole));
    let plan = CallPlan::Say("Hello".to_owned());
    let reply = plugin.answer_call(&context, &genuine, &plan).await;
    assert_eq!(
        reply.expect("a result").expect("a reply").body,
        r#"{"say":"Hello"}"#
    );
}

#[tokio::test]
async fn twilio_sends_and_answers() {
    let plugin = load("twilio", &twilio()).await;
    let context = context(&[("account_sid", "AC1")], &[("auth_token", "12345")]);
    let step = plugin
        .send(&context, &text("Hi"), None)
        .await
        .expect("a result");
    let Ok(SendStep::Ask(ask)) = step else {
        panic!("no request: {step:?}");
    };
    let basic = Credential::Basic(("AC1".to_owned(), "auth_token".to_owned()));
    assert_eq!(ask.request.credential, basic);
    assert!(matches!(ask.request.body, Body::Form(pairs) if pairs.len() == 4));
    let call = webhook(
        "https://mycompany.com/myapp.php?foo=1&bar=2",
        &[
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("X-Twilio-Signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ],
        b"CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309",
    );
    let genuine = plugin.verify(&context, call).await.expect("genuine");
    let plan = CallPlan::Forward(Forwarding {
        to: "+15550001111".to_owned(),
        ring_for: 20,
        report_url: "https://h/r".to_owned(),
    });
    let reply = plugin.answer_call(&context, &genuine, &plan).await;
    let reply = reply.expect("a result").expect("a reply");
    assert!(
        reply.body.contains("<Number>+15550001111</Number>"),
        "{}",
        reply.body
    );
}

/// Verifies webhooks in the component, with their secret in the host.
async fn check_vectors(vectors: &[&Value]) {
    let plugin = load("twilio", &twilio()).await;
    for vector in vectors {
        let field = |name: &str| vector[name].as_str().expect(name);
        let headers = vector["headers"].as_object().expect("headers");
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().expect("text")))
            .collect();
        let request = Request {
            method: field("method").to_owned(),
            ..webhook(field("url"), &headers, field("body").as_bytes())
        };
        let context = context(&[], &[("auth_token", field("secret"))]);
        let found = plugin.verify(&context, request).await;
        let expected = field("expected") == "valid";
        assert_eq!(found.is_ok(), expected, "{}: {found:?}", field("name"));
    }
}

/// The same over the larger collection, which is not in this repository: in the
/// folder that `RINGBACK_SHARED` names, or beside the workspace.
#[tokio::test]
async fn twilio_agrees_with_every_vector_of_the_shared_data() {
    let folder = std::env::var_os("RINGBACK_SHARED").map(PathBuf::from);
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = folder.unwrap_or_else(|| workspace.join("../shared"));
    let file = match std::fs::read(folder.join("data/webhook-vectors.json")) {
        Ok(file) => file,
        Err(problem) => {
            let everything = std::env::var("RINGBACK_TEST_EVERYTHING");
            assert!(
                everything.is_err(),
                "RINGBACK_TEST_EVERYTHING is set: {problem}"
            );
            eprintln!("*** SKIPPED *** the shared webhook vectors: {problem}");
            return;
        }
    };
    let file: Value = serde_json::from_slice(&file).expect("JSON");
    let vectors = file["vectors"].as_array().expect("a list").iter();
    let vectors: Vec<&Value> = vectors.filter(|one| one["provider"] == "twilio").collect();
    let genuine = vectors.iter().filter(|one| one["expected"] == "valid");
    assert!((1..vectors.len()).contains(&genuine.count()), "both kinds");
    check_vectors(&vectors).await;
}

/// Every signature vector of the plugin's own tests.
#[tokio::test]
async fn twilio_agrees_with_every_vector() {
    let file = include_str!("../../../../plugins/twilio/tests/webhook-vectors.json");
    let file: Value = serde_json::from_str(file).expect("JSON");
    let vectors: Vec<&Value> = file["vectors"].as_array().expect("a list").iter().collect();
    check_vectors(&vectors).await;
    let plugin = load("twilio", &twilio()).await;
    let keyless = context(&[], &[]);
    let signed = webhook("https://h/t", &[("X-Twilio-Signature", "x")], b"");
    let nothing = plugin.verify(&keyless, signed);
    let why = "there is no secret setting `auth_token`".to_owned();
    assert_eq!(
        nothing.await.expect_err("no key"),
        VerifyError::Unchecked(why)
    );
}
