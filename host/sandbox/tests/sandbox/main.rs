//! The sandbox with real components: the built-in connectors, and one that
//! misbehaves. The components are built by the same code that builds them for
//! the server, in the same folder.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests; clippy spares only the test functions themselves"
)]

#[path = "../../build/plugins.rs"]
mod builder;
mod connectors;
mod limits;
mod loading;
mod settings;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use ringback_core::model::Secret;
use ringback_sandbox::contract::texting::OutgoingText;
use ringback_sandbox::contract::webhook::Request;
use ringback_sandbox::{Connection, Context, Options, Plugin, Sandbox};

/// Where cargo put the components.
static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = builder::target_dir(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let builtin = [
        "-p",
        "ringback-plugin-simulator",
        "-p",
        "ringback-plugin-twilio",
    ];
    let built = builder::build(&workspace, &target, &builtin).and_then(|_| {
        builder::build(
            &workspace,
            &target,
            &["-p", "ringback-guest", "--example", "hostile"],
        )
    });
    built.unwrap_or_else(|error| panic!("{error}"))
});

fn component(file: &str) -> Vec<u8> {
    let path = BUILT.join(file);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn hostile() -> Vec<u8> {
    component("examples/hostile.wasm")
}

fn simulator() -> Vec<u8> {
    component("ringback_plugin_simulator.wasm")
}

fn twilio() -> Vec<u8> {
    component("ringback_plugin_twilio.wasm")
}

/// A sandbox without a cache, as most tests want it.
fn sandbox() -> Sandbox {
    Sandbox::new(Options::default()).expect("a sandbox")
}

async fn load(name: &str, wasm: &[u8]) -> Arc<Plugin> {
    let loaded = sandbox().load(name, wasm).await;
    loaded.unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn context(values: &[(&str, &str)], secrets: &[(&str, &str)]) -> Context {
    let named = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    };
    let secrets = named(secrets).into_iter();
    let connection = Connection {
        name: "main".to_owned(),
        values: named(values),
        secrets: secrets.map(|(k, v)| (k, Secret::new(v))).collect(),
    };
    Context::new(Arc::new(connection), "test")
}

fn text(body: &str) -> OutgoingText {
    OutgoingText {
        id: "msg_1".to_owned(),
        from: Some("+15557654321".to_owned()),
        to: "+15551234567".to_owned(),
        body: body.to_owned(),
        media: Vec::new(),
        status_url: "https://h.example/status?id=msg_1".to_owned(),
        valid_for: None,
    }
}

fn webhook(url: &str, headers: &[(&str, &str)], body: &[u8]) -> Request {
    let headers = headers.iter();
    Request {
        method: "POST".to_owned(),
        url: url.to_owned(),
        headers: headers
            .map(|(k, v)| (k.to_lowercase(), (*v).to_owned()))
            .collect(),
        body: body.to_vec(),
        received_at: 1_795_168_800,
    }
}
