//! Texts that wait for somebody: held for a wrong token, failed, of unknown
//! outcome; and the pace of a number.

use serde_json::{Value, json};

use crate::support::{Behaviour, Host, OURS, TEXT_BACK, Twilio, config, contact, eventually};

fn wrong_token() -> Behaviour {
    Behaviour::refuse(401, 20003, "Authenticate")
}

async fn held(host: &Host, caller: &str) -> Value {
    eventually(&format!("the text to {caller} is held"), async || {
        let texts = host.texts_to(caller).await;
        texts.into_iter().find(|text| text["heldSince"].is_string())
    })
    .await
}

/// What a command prints; it must end well.
async fn prints(host: &Host, arguments: &[&str]) -> String {
    host.files().ends(0, arguments).await.0
}

#[tokio::test]
async fn a_wrong_token_holds_texts_and_says_so_until_it_is_corrected() {
    let twilio = Twilio::start().await;
    let mut host = Host::with_text_back(&twilio).await;
    twilio.next(wrong_token());
    let callers = [contact(300), contact(301), contact(302)];
    host.miss(&callers[0]).await.expect(202);
    let text = held(&host, &callers[0]).await;
    assert_eq!(text["status"], "queued");
    assert_eq!(text["reason"], "misconfigured");
    // The others do not even try.
    for caller in &callers[1..] {
        host.miss(caller).await.expect(202);
        held(&host, caller).await;
    }
    assert_eq!(twilio.texts_to(&callers[1]).len(), 0);
    host.logs("the settings of this connection do not work")
        .await;
    assert_eq!(
        host.log()
            .matches("settings of this connection do not work")
            .count(),
        1
    );
    host.ask("GET", "/readyz", None).await.expect(200);
    let (said, _) = host.files().ends(1, &["doctor"]).await;
    assert!(
        said.contains("the settings of the connection main do not work"),
        "{said}"
    );
    assert!(said.contains("3 texts are held"), "{said}");
    let list = prints(&host, &["messages", "list", "--status", "held"]).await;
    assert!(list.contains(&callers[2]), "{list}");
    // Somebody looks at the configuration, and saves it.
    let touched = config(&twilio, "", "# looked at");
    host.files().write("ringback.toml", touched.as_bytes());
    for caller in &callers {
        host.text_becomes(caller, "accepted").await;
    }
    host.logs("settings of this connection work again").await;
    assert!(host.stop().await.success());
    for (caller, requests) in callers.iter().zip([2, 1, 1]) {
        assert_eq!(twilio.texts_to(caller).len(), requests, "{caller}");
    }
}

#[tokio::test]
async fn a_token_that_is_corrected_in_its_file_is_taken_up() {
    let twilio = Twilio::start().await;
    let text = config(&twilio, "", "").replace("env = \"TWILIO_AUTH_TOKEN\"", "file = \"token\"");
    let files = [
        ("workflows/text-back.yaml", TEXT_BACK),
        ("token", "an-old-token\n"),
    ];
    let host = Host::start(&text, &files).await;
    let (before, after) = (contact(310), contact(311));
    let call = crate::texts::call("CA1", &after, "no-answer");
    let answer = twilio.tell(&host, "call", &call).await;
    answer.expect("an answer").expect(403);
    host.miss(&before).await.expect(202);
    held(&host, &before).await;
    // Not there for a moment: what is in use stays.
    std::fs::remove_file(host.files().path().join("token")).expect("gone");
    host.logs("the one before stays in use").await;
    host.files()
        .write("token", crate::support::twilio::TOKEN.as_bytes());
    host.text_becomes(&before, "accepted").await;
    let answer = twilio.tell(&host, "call", &call).await;
    answer.expect("an answer").expect(204);
    host.text_becomes(&after, "accepted").await;
    let log = host.log();
    assert!(
        !log.contains("an-old-token") && !log.contains(crate::support::twilio::TOKEN),
        "{log}"
    );
}

#[tokio::test]
async fn a_restart_tries_held_texts_again() {
    let twilio = Twilio::start().await;
    let mut host = Host::with_text_back(&twilio).await;
    twilio.next(wrong_token());
    let callers = [contact(303), contact(304)];
    for caller in &callers {
        host.miss(caller).await.expect(202);
        held(&host, caller).await;
    }
    host.restart().await;
    for caller in &callers {
        host.text_becomes(caller, "accepted").await;
    }
}

#[tokio::test]
async fn a_text_that_failed_is_a_dead_letter_until_it_is_sent_again() {
    let twilio = Twilio::start().await;
    let mut host = Host::with_text_back(&twilio).await;
    let caller = contact(305);
    twilio.next(Behaviour::refuse(
        400,
        21211,
        "The 'To' number is not valid.",
    ));
    host.miss(&caller).await.expect(202);
    let text = host.text_becomes(&caller, "failed").await;
    let id = text["id"].as_str().expect("an id").to_owned();
    let list = prints(&host, &["dead-letters", "list"]).await;
    assert!(list.contains(&id) && list.contains("21211"), "{list}");
    let run = host.run_becomes(&caller, "finished").await;
    let run = run["id"].as_str().expect("an id");
    let shown = prints(&host, &["runs", "show", run]).await;
    let command = format!("ringback dead-letters replay {id}");
    assert!(shown.contains(&command), "{shown}");
    // Twice at once, as double clicks come.
    let path = format!("/api/v1/dead-letters/{id}/replay");
    let body = json!({});
    let (one, two) = tokio::join!(host.post(&path, &body), host.post(&path, &body));
    one.expect(200);
    two.expect(200);
    host.text_becomes(&caller, "accepted").await;
    let list = prints(&host, &["dead-letters", "list"]).await;
    assert_eq!(list, "There are no dead letters.\n");
    let shown = prints(&host, &["runs", "show", run]).await;
    assert!(shown.contains("sent_again"), "{shown}");
    assert!(host.stop().await.success());
    assert_eq!(twilio.texts_to(&caller).len(), 2);
}

#[tokio::test]
async fn a_person_decides_on_the_command_line() {
    let twilio = Twilio::start().await;
    let config = config(&twilio, "", "").replace("\"1s\"", "\"120s\"");
    let host = Host::start(&config, &[("workflows/text-back.yaml", TEXT_BACK)]).await;
    let caller = contact(306);
    twilio.next(Behaviour::Close(false));
    host.miss(&caller).await.expect(202);
    let text = host.text_becomes(&caller, "unknown").await;
    assert!(text["unknownSince"].is_string(), "{text}");
    let id = text["id"].as_str().expect("an id");
    let list = prints(&host, &["messages", "list", "--status", "unknown"]).await;
    assert!(
        list.contains(id) && list.contains("ringback is finding out what became of them"),
        "{list}"
    );
    prints(&host, &["messages", "decide", id, "resend"]).await;
    host.text_becomes(&caller, "accepted").await;
    let (_, problem) = host
        .files()
        .ends(1, &["messages", "decide", id, "resend"])
        .await;
    assert!(problem.contains("there is nothing to decide"), "{problem}");
    assert_eq!(twilio.texts_to(&caller).len(), 2);
}

#[tokio::test]
async fn a_number_keeps_its_pace_also_over_a_restart() {
    let twilio = Twilio::start().await;
    let config = config(&twilio, "", "").replace(
        "settle      = \"1s\"",
        "settle      = \"1s\"\nsegments_per_second = 4",
    );
    let mut host = Host::start(&config, &[("workflows/text-back.yaml", TEXT_BACK)]).await;
    let begin = std::time::Instant::now();
    let callers: Vec<String> = (310..326).map(contact).collect();
    for caller in &callers {
        let text = json!({ "to": caller, "from": OURS, "body": "Hello there" });
        host.post("/api/v1/messages", &text).await.expect(202);
    }
    let why = prints(&host, &["why", &callers[15]]).await;
    assert!(
        why.contains("number_turn") && why.contains("waits for the turn of"),
        "{why}"
    );
    host.restart().await;
    for caller in &callers {
        host.text_becomes(caller, "accepted").await;
    }
    // Four at once, twelve at a quarter of a second each.
    let took = begin.elapsed();
    assert!(took.as_millis() >= 2_900, "all left within {took:?}");
    assert!(host.stop().await.success());
    for caller in &callers {
        assert_eq!(twilio.texts_to(caller).len(), 1, "{caller}");
    }
}
