//! An edited file against what has happened at a running host: what would differ,
//! and nothing is sent.

use serde_json::{Value, json};

use crate::support::{Host, TEXT_BACK, Twilio, contact};

/// Asks what a file would have done.
async fn backtest(host: &Host, file: &str, source: &str) -> Value {
    host.files().write(file, source.as_bytes());
    let (out, _) = host.files().ends(0, &["backtest", file, "--json"]).await;
    let answer: Value = serde_json::from_str(&out).expect("JSON");
    answer["data"].clone()
}

#[tokio::test]
async fn an_edit_is_held_against_what_happened() {
    let twilio = Twilio::start().await;
    let host = Host::with_text_back(&twilio).await;
    let (one, two) = (contact(140), contact(141));
    for caller in [&one, &two] {
        host.miss(caller).await.expect(202);
        twilio.texted(caller, 1).await;
    }
    twilio.text(&host, &two, "Call me on Friday").await;
    let same = backtest(&host, "same.yaml", TEXT_BACK).await;
    let sums = |data: &Value, which: &str| {
        let of = &data["difference"][which];
        ["runs", "texts", "people"].map(|what| of[what].as_u64().expect("a count"))
    };
    assert_eq!(same["version"], 1, "{same}");
    assert_eq!(sums(&same, "old"), [2, 2, 2], "{same}");
    assert_eq!(same["difference"]["differing"], 0, "{same}");
    // Whoever answers gets one more.
    let edited = format!(
        "{TEXT_BACK}  - id: answer\n    wait_for: reply\n    timeout: 1d\n  - if: not answer.timed_out\n    send: \"Thanks!\"\n"
    );
    let edited = backtest(&host, "edited.yaml", &edited).await;
    assert_eq!(sums(&edited, "old"), [2, 2, 2], "{edited}");
    assert_eq!(sums(&edited, "new"), [2, 3, 2], "{edited}");
    assert_eq!(edited["difference"]["differing"], 1, "{edited}");
    let (out, _) = host.files().ends(0, &["backtest", "edited.yaml"]).await;
    for words in [
        "missed-call-text-back against v1, in service",
        "3 stored events, nothing sent",
        "1 person would get something else:",
        "+ Thanks!",
    ] {
        assert!(out.contains(words), "no {words:?} in\n{out}");
    }
    assert!(
        out.lines().any(|line| line.trim() == "+ Thanks!"),
        "a line for each text in\n{out}"
    );
    assert_eq!(twilio.texted(&two, 1).await.len(), 1, "nothing was sent");
    // What is wrong with the file is said as `check` says it.
    host.files()
        .write("wrong.yaml", b"name: W\non: call.mised\nsteps: [log: x]\n");
    let (_, err) = host.files().ends(1, &["backtest", "wrong.yaml"]).await;
    assert!(err.contains("wrong.yaml:2:5: error"), "{err}");
    let (_, err) = host
        .files()
        .ends(1, &["backtest", "edited.yaml", "--since", "soon"])
        .await;
    assert!(err.contains("`since` must be a time"), "{err}");
}

#[tokio::test]
async fn leads_are_as_they_were_then() {
    let twilio = Twilio::start().await;
    let host = Host::with_text_back(&twilio).await;
    let lead = contact(142);
    for (fields, code) in [
        (json!({ "source": "website", "stage": "new" }), 201),
        (json!({ "stage": "won" }), 200),
    ] {
        let told = json!({ "phone": lead, "fields": fields });
        host.post("/api/v1/contacts", &told).await.expect(code);
    }
    // New to the host; by now the stage is another one.
    let source = "name: Welcome\non:\n  lead.created: { where: lead.stage == 'new' }\nintent: transactional\nsteps:\n  - send: \"Hello from {{ lead.source }}\"\n";
    let data = backtest(&host, "welcome.yaml", source).await;
    assert_eq!(data["version"], Value::Null);
    assert_eq!(data["difference"]["new"]["texts"], 1, "{data}");
    let example = &data["difference"]["examples"][0];
    assert_eq!(example["new"][0], "Hello from website", "{data}");
    let source = source
        .replace("lead.created", "lead.updated")
        .replace("'new'", "'won'");
    let data = backtest(&host, "welcome.yaml", &source).await;
    assert_eq!(data["difference"]["new"]["texts"], 1, "{data}");
    let none = source.replace("'won'", "'lost'");
    let data = backtest(&host, "welcome.yaml", &none).await;
    assert_eq!(data["difference"]["new"]["texts"], 0, "{data}");
}
