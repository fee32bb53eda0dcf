//! What people get wrong: the host says what and where, in plain words, and goes
//! on with what works.

use serde_json::Value;

use crate::support::{Host, Prepared, TEXT_BACK, Twilio, config, contact, eventually};

/// A folder whose `ringback.toml` is wrong in one way: nothing starts, the exit
/// code is 1, and the words say what to do.
async fn refused(change: impl Fn(String) -> String, words: &[&str]) {
    let twilio = Twilio::start().await;
    let prepared = Prepared::new(&[("workflows/text-back.yaml", TEXT_BACK)]);
    prepared.write("ringback.toml", change(config(&twilio, "", "")).as_bytes());
    let (out, err) = prepared.ends(1, &["serve"]).await;
    let said = format!("{out}\n{err}");
    for word in words {
        assert!(said.contains(word), "no {word:?} in\n{said}");
    }
    assert!(!said.contains("panicked"), "{said}");
    assert!(!prepared.path().join("data/host.json").exists());
}

#[tokio::test]
async fn an_unknown_connector_ends_the_start_and_names_those_there_are() {
    refused(
        |text| text.replace("= \"twilio\"", "= \"twillio\""),
        &["ringback.toml:12:", "twillio", "simulator", "twilio"],
    )
    .await;
}

#[tokio::test]
async fn an_unknown_key_of_the_configuration_ends_the_start_with_a_suggestion() {
    refused(
        |text| text.replace("public_url =", "public_uri ="),
        &["ringback.toml:4:1", "public_uri", "public_url"],
    )
    .await;
    refused(
        |text| text.replace("account_sid =", "account_id  ="),
        &["account_id", "account_sid"],
    )
    .await;
}

#[tokio::test]
async fn toml_that_is_none_ends_the_start_with_its_line() {
    refused(
        |text| text.replace("name = \"Brightside Dental\"", "name = Brightside"),
        &["ringback.toml:8:"],
    )
    .await;
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_named_and_one_in_the_file_is_not_repeated() {
    let twilio = Twilio::start().await;
    let prepared = Prepared::new(&[]).without("TWILIO_AUTH_TOKEN");
    prepared.write("ringback.toml", config(&twilio, "", "").as_bytes());
    let (out, err) = prepared.ends(1, &["serve"]).await;
    assert!(
        format!("{out}{err}").contains("TWILIO_AUTH_TOKEN"),
        "{out}{err}"
    );
    let plain = "deadbeefdeadbeefdeadbeefdeadbeef";
    let text =
        config(&twilio, "", "").replace("{ env = \"TWILIO_AUTH_TOKEN\" }", &format!("\"{plain}\""));
    prepared.write("ringback.toml", text.as_bytes());
    let (out, err) = prepared.ends(1, &["serve"]).await;
    let said = format!("{out}{err}");
    assert!(
        said.contains("auth_token") && !said.contains(plain),
        "{said}"
    );
}

#[tokio::test]
async fn broken_workflow_files_do_not_keep_the_others_from_serving() {
    let twilio = Twilio::start().await;
    let number = TEXT_BACK.replace(
        "on: call.missed",
        "on:\n  call.missed: { to: [+15125550100] }",
    );
    let number = number.replace("name: Missed-call text-back", "name: Number without quotes");
    let files = [
        ("workflows/a-good.yaml", TEXT_BACK.to_owned()),
        (
            "workflows/b-broken.yaml",
            "name: Broken\non: call.missed\nsteps:\n  - send: \"Hello\n".to_owned(),
        ),
        (
            "workflows/c-unknown.yaml",
            TEXT_BACK.replace("name: Missed-call text-back", "name: Unknown\nstepz: []"),
        ),
        ("workflows/d-number.yaml", number),
        ("workflows/e-twin.yaml", TEXT_BACK.to_owned()),
        (
            "workflows/f-braces.yaml",
            "name: Braces\non: call.missed\nsteps:\n  - send: {{ lead.name }}\n".to_owned(),
        ),
        ("workflows/not-a-workflow.txt", "nothing".to_owned()),
    ];
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (*path, text.as_str()))
        .collect();
    let host = Host::start(&config(&twilio, "", ""), &files).await;
    let all = host.list("/api/v1/workflows").await;
    let problem = |file: &str| -> Value {
        let entry = all.iter().find(|one| one["file"] == file);
        let entry = entry.unwrap_or_else(|| panic!("{file} is not listed: {all:?}"));
        assert_eq!(entry["active"], false, "{entry}");
        let problems = entry["problems"].as_array().expect("a list");
        problems
            .iter()
            .find(|one| one["severity"] == "error")
            .expect("an error")
            .clone()
    };
    for (file, line, words) in [
        ("b-broken.yaml", 4, "quoted"),
        ("c-unknown.yaml", 2, "stepz"),
        ("d-number.yaml", 3, "quotes"),
        ("e-twin.yaml", 1, "a-good.yaml"),
        ("f-braces.yaml", 4, "{{"),
    ] {
        let problem = problem(file);
        assert_eq!(problem["line"], line, "{problem}");
        let said = format!("{}{}", problem["message"], problem["help"]);
        assert!(said.contains(words), "{file}: no {words:?} in {said}");
        host.logs(&format!("{file}:{line}:")).await;
    }
    let caller = contact(200);
    host.miss(&caller).await.expect(202);
    twilio.texted(&caller, 1).await;
    host.run_becomes(&caller, "finished").await;
}

#[tokio::test]
async fn a_broken_configuration_does_not_touch_the_running_host() {
    let twilio = Twilio::start().await;
    let text = config(&twilio, "", "");
    let host = Host::start(&text, &[("workflows/text-back.yaml", TEXT_BACK)]).await;
    let broken = text.replace("numbers ", "numberz ");
    host.files().write("ringback.toml", broken.as_bytes());
    host.logs("the one before stays in use").await;
    assert!(host.log().contains("numberz"), "{}", host.log());
    let caller = contact(201);
    host.miss(&caller).await.expect(202);
    host.text_becomes(&caller, "accepted").await;
    // A sound one is taken up without a restart.
    let more = text.replace("[\"+15125550100\"]", "[\"+15125550100\", \"+15125550101\"]");
    host.files().write("ringback.toml", more.as_bytes());
    let event =
        serde_json::json!({ "type": "call.missed", "from": contact(202), "to": "+15125550101" });
    eventually("the new number is taken up", async || {
        (host.post("/api/v1/events", &event).await.status == 202).then_some(())
    })
    .await;
    twilio.texted(&contact(202), 1).await;
}

#[tokio::test]
async fn a_webhook_that_cannot_be_read_is_kept_or_refused_and_the_host_goes_on() {
    let twilio = Twilio::start().await;
    let host = Host::with_text_back(&twilio).await;
    // Genuine, and not a call at all.
    let answer = twilio
        .tell(&host, "call", &[("Colour", "red")])
        .await
        .expect("an answer");
    assert_eq!(answer.status, 400, "{answer:?}");
    host.logs("a genuine webhook could not be read and is kept")
        .await;
    let form = crate::texts::call("CA1", "+15125550203", "teleported");
    assert_eq!(
        twilio
            .tell(&host, "call", &form)
            .await
            .expect("an answer")
            .status,
        400
    );
    // Too large, and at an address that is none.
    let large = "a".repeat(1024 * 1024 + 1);
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let answer = host
        .raw("POST", "/hooks/main/text", &headers, large.as_bytes())
        .await;
    assert_eq!(answer.expect("an answer").status, 413);
    for path in ["/hooks/other/text", "/hooks/main/fax", "/hooks/main"] {
        let answer = host
            .raw("POST", path, &headers, b"")
            .await
            .expect("an answer");
        assert_eq!(answer.status, 404, "{path}");
    }
    let caller = contact(204);
    host.miss(&caller).await.expect(202);
    host.text_becomes(&caller, "accepted").await;
}

#[tokio::test]
async fn a_text_to_a_number_that_nobody_owns_is_kept_in_the_feed_and_warned_about() {
    let twilio = Twilio::start().await;
    let host = Host::with_text_back(&twilio).await;
    let form = [
        ("MessageSid", "SM77"),
        ("From", "+15125550205"),
        ("To", "+15125550177"),
        ("Body", "Hello?"),
        ("NumMedia", "0"),
    ];
    twilio
        .tell(&host, "text", &form)
        .await
        .expect("an answer")
        .expect(200);
    host.logs("+15125550177, which no agent owns").await;
    let feed = host.list("/api/v1/events?limit=500").await;
    let entry = feed
        .iter()
        .find(|one| one["type"] == "message.unrouted")
        .expect("it is kept");
    assert_eq!(entry["data"]["body"], "Hello?");
}
