//! What a plugin call costs: the Twilio connector as a component, each call in a
//! fresh instance, as the host makes them.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark stops at the first surprise"
)]

#[path = "../build/plugins.rs"]
mod builder;

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use ringback_core::model::Secret;
use ringback_sandbox::contract::texting::{OutgoingText, SendStep};
use ringback_sandbox::contract::webhook::Request;
use ringback_sandbox::{Connection, Context, Options, Sandbox};
use tokio::runtime::Runtime;

/// The component, built like those that ship.
fn component() -> Vec<u8> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = builder::target_dir(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let built = builder::build(&workspace, &target, &["-p", "ringback-plugin-twilio"]);
    let built = built.unwrap_or_else(|error| panic!("{error}"));
    std::fs::read(built.join("ringback_plugin_twilio.wasm")).unwrap()
}

fn context() -> Context {
    let connection = Connection {
        name: "main".to_owned(),
        values: [("account_sid".to_owned(), "AC1".to_owned())].into(),
        secrets: [("auth_token".to_owned(), Secret::new("12345"))].into(),
    };
    Context::new(Arc::new(connection), "bench")
}

fn text() -> OutgoingText {
    OutgoingText {
        id: "msg_1".to_owned(),
        from: Some("+15557654321".to_owned()),
        to: "+15551234567".to_owned(),
        body: "Sorry we missed you! How can we help?".to_owned(),
        media: Vec::new(),
        status_url: "https://h.example/hooks/main/status?id=msg_1".to_owned(),
        valid_for: None,
    }
}

/// The published vector of twilio-python (tests/unit/test_request_validator.py).
fn webhook() -> Request {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Request {
        method: "POST".to_owned(),
        url: "https://mycompany.com/myapp.php?foo=1&bar=2".to_owned(),
        headers: vec![
            header("content-type", "application/x-www-form-urlencoded"),
            header("x-twilio-signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ],
        body: b"CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212\
                &Caller=%2B14158675309"
            .to_vec(),
        received_at: 1_795_168_800,
    }
}

fn calls(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let sandbox = Sandbox::new(Options::default()).unwrap();
    let plugin = runtime.block_on(sandbox.load("twilio", &component()));
    let plugin = plugin.unwrap_or_else(|error| panic!("{error}"));
    let (context, text, webhook) = (context(), text(), webhook());
    c.bench_function("plugin: verify", |b| {
        b.to_async(&runtime).iter(|| async {
            let genuine = plugin.verify(&context, webhook.clone()).await;
            black_box(genuine.unwrap())
        });
    });
    c.bench_function("plugin: send", |b| {
        b.to_async(&runtime).iter(|| async {
            let step = plugin.send(&context, &text, None).await.unwrap();
            assert!(matches!(step, Ok(SendStep::Ask(_))));
        });
    });
}

criterion_group!(benches, calls);
criterion_main!(benches);
