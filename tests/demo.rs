//! First contact: no configuration, one command, one line of `curl`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Host, OURS, Prepared, skip, within, workspace};

/// The caller of the line that is printed.
pub(crate) const CALLER: &str = "+15125550142";

/// The demo in a folder of its own, on a port of its own.
pub(crate) async fn started() -> Host {
    let prepared = Prepared::new(&[]).arguments(&["--listen", "127.0.0.1:0"]);
    let folder = workspace().join("workflows/demo");
    for entry in std::fs::read_dir(folder).expect("the demo's workflows") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let text = std::fs::read(&path).expect("a file");
        prepared.write(&format!("workflows/demo/{name}"), &text);
    }
    prepared.start().await
}

/// What the pretend phone shows, oldest first.
async fn phone(host: &Host) -> Vec<Value> {
    let path = format!(
        "/simulator/phone/state?phone={}",
        CALLER.replace('+', "%2B")
    );
    let state = host.ask("GET", &path, None).await.expect(200).json();
    state["texts"].as_array().expect("a list").clone()
}

pub(crate) async fn arrives(host: &Host, count: usize) -> Vec<Value> {
    // A second from the `curl`, in an optimised build; this one is not.
    let patience = if cfg!(debug_assertions) { 5 } else { 1 };
    within(
        Duration::from_secs(patience),
        "the text is on the phone",
        async || {
            let mut texts = phone(host).await;
            texts.retain(|text| text["direction"] == "in");
            (texts.len() >= count).then_some(texts)
        },
    )
    .await
}

/// Runs the line that the host printed, in a shell, as a person would paste it.
async fn paste(host: &Host) -> bool {
    let log = host.log();
    let line = log
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("curl "));
    let line = line
        .unwrap_or_else(|| panic!("no line of curl in\n{log}"))
        .to_owned();
    let mut shell = tokio::process::Command::new("sh");
    let output = shell.args(["-c", &line]).output().await.expect("a shell");
    if output.status.code() == Some(127) {
        skip("curl: the printed line was not run");
        return false;
    }
    assert!(output.status.success(), "{line}\n{output:?}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("run_"), "{said}");
    true
}

#[tokio::test]
async fn the_printed_line_puts_a_text_on_the_phone_and_answering_gets_a_reply() {
    let host = started().await;
    let begun = Instant::now();
    if !paste(&host).await {
        let event = json!({ "type": "call.missed", "from": CALLER, "to": OURS });
        host.post("/api/v1/events", &event).await.expect(202);
    }
    let texts = arrives(&host, 1).await;
    eprintln!(
        "the first text was on the phone after {:?}",
        begun.elapsed()
    );
    assert!(
        texts[0]["body"]
            .as_str()
            .is_some_and(|body| body.contains("missed your call"))
    );
    let answer = json!({ "from": CALLER, "to": OURS, "body": "I need a check-up" });
    host.post("/simulator/phone/text", &answer)
        .await
        .expect(200);
    let texts = arrives(&host, 2).await;
    assert!(
        texts[1]["body"]
            .as_str()
            .is_some_and(|body| body.starts_with("Thanks!")),
        "{texts:?}"
    );
    host.run_becomes(CALLER, "finished").await;
    // And the second try works like the first.
    if paste(&host).await {
        arrives(&host, 3).await;
    }
}

#[tokio::test]
async fn an_empty_folder_is_enough() {
    let host = Prepared::new(&[])
        .arguments(&["--listen", "127.0.0.1:0"])
        .start()
        .await;
    let event = json!({ "type": "call.missed", "from": CALLER, "to": OURS });
    host.post("/api/v1/events", &event).await.expect(202);
    arrives(&host, 1).await;
}

#[tokio::test]
async fn a_call_on_the_pretend_phone_that_nobody_takes_is_texted_back() {
    let host = started().await;
    for (ending, texts) in [("answered", 0), ("no-answer", 1)] {
        let call = json!({ "from": CALLER, "to": OURS, "ending": ending });
        let told = host
            .post("/simulator/phone/call", &call)
            .await
            .expect(200)
            .json();
        assert_eq!(told["host"]["ok"], true, "{told}");
        assert_eq!(arrives(&host, texts).await.len(), texts, "{ending}");
    }
}

#[tokio::test]
async fn the_printed_address_opens_the_dashboard_and_nobody_else_gets_in() {
    let host = started().await;
    let log = host.log();
    let line = log
        .lines()
        .find(|line| line.contains("Dashboard"))
        .expect("the address");
    let address = line.split_whitespace().last().expect("an address");
    let path = address.strip_prefix(host.url()).expect("this host");
    let signed_in = host.raw("GET", path, &[], b"").await.expect("an answer");
    assert!(signed_in.status < 400, "{signed_in:?}");
    let closed = host
        .raw(
            "GET",
            "/simulator/phone/state?phone=%2B15125550142",
            &[],
            b"",
        )
        .await;
    assert_eq!(closed.expect("an answer").status, 401);
    let closed = host
        .raw("GET", "/api/v1/runs", &[], b"")
        .await
        .expect("an answer");
    assert_eq!(closed.status, 401);
}
