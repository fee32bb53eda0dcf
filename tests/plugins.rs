//! The plugins folder: a component of the operator's own serves like a built-in
//! one, and a file that is none is named and left out.

use crate::support::{Host, TEXT_BACK, Twilio, config, contact};

/// The built-in Twilio component, as the build left it.
const TWILIO: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/twilio.wasm"));
/// A core module: the header of version 1 and nothing else.
const CORE: &[u8] = b"\0asm\x01\0\0\0";

async fn started(files: &[(&str, &[u8])], connector: &str) -> (Twilio, Host) {
    let twilio = Twilio::start().await;
    let text = config(&twilio, "", "").replace("= \"twilio\"", &format!("= \"{connector}\""));
    let prepared = crate::support::Prepared::new(&[("workflows/text-back.yaml", TEXT_BACK)]);
    prepared.write("ringback.toml", text.as_bytes());
    for (path, bytes) in files {
        prepared.write(path, bytes);
    }
    (twilio, prepared.start().await)
}

#[tokio::test]
async fn files_that_are_no_plugins_are_named_and_left_out() {
    let files: [(&str, &[u8]); 5] = [
        ("plugins/core.wasm", CORE),
        ("plugins/cut.wasm", &TWILIO[..TWILIO.len() / 2]),
        ("plugins/empty.wasm", b""),
        ("plugins/page.wasm", b"<!doctype html><title>404</title>"),
        ("plugins/notes.txt", b"not looked at"),
    ];
    let (twilio, host) = started(&files, "twilio").await;
    let log = host.log();
    for (name, words) in [
        ("core", "core WebAssembly module and not a component"),
        ("cut", "damaged or incomplete"),
        ("empty", "the file is empty"),
        ("page", "not WebAssembly"),
    ] {
        let line = log
            .lines()
            .find(|line| line.contains(&format!("plugin {name} ")));
        let line = line.unwrap_or_else(|| panic!("{name} is not named"));
        assert!(line.contains(words), "{line}");
    }
    assert!(!log.contains("panicked"));
    let caller = contact(220);
    host.miss(&caller).await.expect(202);
    twilio.texted(&caller, 1).await;
    host.run_becomes(&caller, "finished").await;
}

#[tokio::test]
async fn a_component_of_the_folder_sends_like_a_built_in_one() {
    let (twilio, host) = started(&[("plugins/acme-sms.wasm", TWILIO)], "acme-sms").await;
    let caller = contact(221);
    let sid = twilio.sid("CA");
    let form = crate::texts::call(&sid, &caller, "busy");
    let answer = twilio.tell(&host, "call", &form).await.expect("an answer");
    assert!((200..300).contains(&answer.status), "{answer:?}");
    twilio.texted(&caller, 1).await;
    host.text_becomes(&caller, "accepted").await;
    // Its file is cut off while it serves: what works goes on.
    host.files()
        .write("plugins/acme-sms.wasm", &TWILIO[..TWILIO.len() / 3]);
    host.logs("the one before stays in use").await;
    let caller = contact(222);
    host.miss(&caller).await.expect(202);
    twilio.texted(&caller, 1).await;
}

#[tokio::test]
async fn a_connection_to_a_plugin_that_is_broken_ends_the_start_with_the_reason() {
    let twilio = Twilio::start().await;
    let text = config(&twilio, "", "").replace("= \"twilio\"", "= \"acme-sms\"");
    let prepared = crate::support::Prepared::new(&[]);
    prepared.write("ringback.toml", text.as_bytes());
    prepared.write("plugins/acme-sms.wasm", CORE);
    let (out, err) = prepared.ends(1, &["serve"]).await;
    let said = format!("{out}{err}");
    assert!(
        said.contains("acme-sms") && said.contains("core WebAssembly module"),
        "{said}"
    );
}
