//! What clients rely on: RevRing's requests, repeats that change nothing, keys and
//! their scopes, and refusals that name what is wrong.

use serde_json::{Value, json};

use crate::support::{Behaviour, Host, OURS, PUBLIC, Specs, TEXT_BACK, Twilio, config, contact};

async fn started() -> (Twilio, Host) {
    let twilio = Twilio::start().await;
    let config = config(
        &twilio,
        "voice = { say = \"Hello, this is Brightside & Co.\" }",
        "",
    );
    let host = Host::start(&config, &[("workflows/text-back.yaml", TEXT_BACK)]).await;
    (twilio, host)
}

fn hello(to: &str) -> Value {
    json!({ "to": to, "agentId": "front-desk", "body": "Hello from RevRing" })
}

#[tokio::test]
async fn a_revring_client_sends_a_text_and_reads_the_provider_s_id() {
    let (twilio, host) = started().await;
    for (number, path) in [(190, "/v1/messages"), (101, "/revring/v1/messages")] {
        let to = contact(number);
        let answer = host.post(path, &hello(&to)).await.expect(200).json();
        let [text] = twilio.texts_to(&to).try_into().expect("one");
        assert_eq!(
            (text.field("From"), text.field("Body")),
            (OURS.into(), "Hello from RevRing".into())
        );
        let data = &answer["data"];
        assert!(
            data["providerMessageId"]
                .as_str()
                .is_some_and(|sid| sid.starts_with("SM")),
            "{data}"
        );
        assert_eq!(data["status"], "accepted");
        assert_eq!(data["direction"], "outbound");
        assert_eq!(
            (&data["fromNumber"], &data["toNumber"]),
            (&json!(OURS), &json!(to))
        );
        let id = data["id"].as_str().expect("an id");
        assert_eq!(host.data(&format!("/v1/messages/{id}")).await["id"], id);
        assert_eq!(host.data(&format!("/api/v1/messages/{id}")).await["id"], id);
    }
}

#[tokio::test]
async fn the_same_idempotency_key_twenty_times_is_one_text_even_over_a_crash() {
    let (twilio, mut host) = started().await;
    let to = contact(102);
    let body = hello(&to);
    let key = [("idempotency-key", "order-17")];
    let posts = (0..20).map(|_| host.ask_with("POST", "/v1/messages", &key, Some(&body)));
    let answers = futures_util::future::join_all(posts).await;
    let id = answers[0].json()["data"]["id"].clone();
    assert!(id.is_string(), "{:?}", answers[0]);
    for answer in answers {
        let data = answer.expect(200).json()["data"].take();
        assert_eq!(data["id"], id);
        assert!(data["providerMessageId"].is_string(), "{data}");
    }
    let other = json!({ "to": to, "agentId": "front-desk", "body": "Something else" });
    let refused = host
        .ask_with("POST", "/v1/messages", &key, Some(&other))
        .await
        .expect(409);
    assert!(refused.code().contains("idempotency"), "{refused:?}");
    host.restart().await;
    let again = host
        .ask_with("POST", "/v1/messages", &key, Some(&body))
        .await
        .expect(200);
    assert_eq!(again.json()["data"]["id"], id);
    assert!(host.stop().await.success());
    assert_eq!(twilio.texts_to(&to).len(), 1);
}

#[tokio::test]
async fn a_refusal_of_the_provider_is_a_422_in_plain_words() {
    let (twilio, host) = started().await;
    twilio.next(Behaviour::refuse(400, 21211, "Invalid 'To' Phone Number"));
    let refused = host
        .post("/v1/messages", &hello(&contact(103)))
        .await
        .expect(422);
    assert!(
        refused.text.contains("Invalid 'To' Phone Number"),
        "{}",
        refused.text
    );
}

#[tokio::test]
async fn a_call_speaks_the_agent_s_words() {
    let (twilio, host) = started().await;
    let to = contact(104);
    let body = json!({ "agentId": "front-desk", "toNumber": to, "fromNumber": OURS });
    let data = host.post("/v1/calls", &body).await.expect(200).json()["data"].take();
    let [call] = twilio.calls_to(&to).try_into().expect("one");
    let id = data["id"].as_str().expect("an id");
    assert_eq!(call.field("From"), OURS);
    assert_eq!(
        call.field("StatusCallback"),
        format!("{PUBLIC}/hooks/main/call?id={id}")
    );
    let twiml = call.field("Twiml");
    assert!(
        twiml.contains("<Say>Hello, this is Brightside &amp; Co.</Say>"),
        "{twiml}"
    );
    if let Some(specs) = Specs::load() {
        assert_eq!(specs.problems(&call), Vec::<String>::new());
    }
    // The provider says how it ended.
    let sid = "CA000000000000000000000000000000ff";
    let form = [
        ("CallSid", sid),
        ("CallStatus", "completed"),
        ("CallDuration", "12"),
        ("Direction", "outbound-api"),
        ("From", OURS),
        ("To", to.as_str()),
        ("CallbackSource", "call-progress-events"),
    ];
    let answer = twilio
        .tell(&host, &format!("call?id={id}"), &form)
        .await
        .expect("an answer");
    assert!((200..300).contains(&answer.status), "{answer:?}");
    let call = host.data(&format!("/v1/calls/{id}")).await;
    assert_eq!(
        (&call["status"], &call["durationSeconds"]),
        (&json!("COMPLETED"), &json!(12))
    );
}

#[tokio::test]
async fn without_a_key_nothing_is_told_and_with_a_lesser_one_nothing_is_done() {
    let (twilio, host) = started().await;
    let body = hello(&contact(105)).to_string();
    let kind = ("content-type", "application/json");
    let wrong = [
        ("x-api-key", "wrong"),
        ("authorization", "Bearer rb_x_y"),
        ("authorization", ""),
    ];
    for headers in [
        vec![kind],
        vec![kind, wrong[0]],
        vec![kind, wrong[1]],
        vec![kind, wrong[2]],
    ] {
        for path in ["/v1/messages", "/api/v1/messages", "/api/v1/events"] {
            let answer = host
                .raw("POST", path, &headers, body.as_bytes())
                .await
                .expect("an answer");
            assert_eq!(answer.status, 401, "{path} {headers:?}");
        }
    }
    for path in ["/api/v1/runs", "/api/v1/conversations", "/api/v1/keys"] {
        assert_eq!(
            host.raw("GET", path, &[], b"")
                .await
                .expect("an answer")
                .status,
            401,
            "{path}"
        );
    }
    let made = host
        .post(
            "/api/v1/keys",
            &json!({ "name": "a screen", "scopes": ["read"] }),
        )
        .await;
    let made = made.expect(201).json()["data"].take();
    let key = made["key"].as_str().expect("the key").to_owned();
    for header in [
        ("x-api-key", key.clone()),
        ("authorization", format!("Bearer {key}")),
    ] {
        let headers = [kind, (header.0, header.1.as_str())];
        let post = host
            .raw("POST", "/v1/messages", &headers, body.as_bytes())
            .await;
        assert_eq!(post.expect("an answer").status, 403);
        let get = host.raw("GET", "/api/v1/runs", &headers, b"").await;
        assert_eq!(get.expect("an answer").status, 200);
    }
    let id = made["id"].as_str().expect("an id");
    host.ask("DELETE", &format!("/api/v1/keys/{id}"), None)
        .await
        .expect(200);
    let get = host
        .raw("GET", "/api/v1/runs", &[("x-api-key", &key)], b"")
        .await;
    assert_eq!(
        get.expect("an answer").status,
        401,
        "a revoked key still opens"
    );
    assert!(twilio.asked().is_empty());
}

#[tokio::test]
async fn what_is_not_a_request_is_refused_in_words_and_never_sent() {
    let (twilio, host) = started().await;
    let key = ("x-api-key", host.local_key());
    let kind = ("content-type", "application/json");
    let check = async |headers: &[(&str, &str)], body: &[u8], status: u16| {
        let answer = host
            .raw("POST", "/v1/messages", headers, body)
            .await
            .expect("an answer");
        assert_eq!(
            answer.status,
            status,
            "{}: {}",
            String::from_utf8_lossy(body),
            answer.text
        );
        assert!(!answer.code().is_empty(), "no code in {}", answer.text);
    };
    let headers = [key, kind];
    for body in [
        "[1]",
        "\"text\"",
        "7",
        "null",
        "",
        "{",
        "{\"to\":",
        "{\"to\":5,\"body\":\"a\"}",
    ] {
        check(&headers, body.as_bytes(), 400).await;
    }
    for wrong in [
        json!({ "to": "+15125550106", "agentId": "front-desk", "body": "" }),
        json!({ "to": "+15125550106", "agentId": "front-desk", "body": "a".repeat(1601) }),
        json!({ "to": "not a number", "agentId": "front-desk", "body": "a" }),
        json!({ "to": "5125550106", "agentId": "front-desk", "body": "a" }),
        json!({ "to": "+15125550106", "agentId": "front-desk", "from": "+15125550177", "body": "a" }),
        // The seed wants one of the two.
        json!({ "to": "+15125550106", "body": "a" }),
    ] {
        check(&headers, wrong.to_string().as_bytes(), 400).await;
    }
    let nobody = json!({ "to": "+15125550106", "agentId": "nobody", "body": "a" });
    check(&headers, nobody.to_string().as_bytes(), 404).await;
    check(&[key, ("content-type", "text/plain")], b"{}", 415).await;
    let large = format!(
        "{{\"to\":\"+15125550106\",\"body\":\"{}\"}}",
        "a".repeat(1024 * 1024)
    );
    check(&headers, large.as_bytes(), 413).await;
    assert!(twilio.asked().is_empty());
}

#[tokio::test]
async fn an_event_for_a_number_that_nobody_owns_is_refused_with_the_numbers_there_are() {
    let (_twilio, host) = started().await;
    let event = json!({ "type": "call.missed", "from": contact(107), "to": "+15125550177" });
    let refused = host.post("/api/v1/events", &event).await;
    assert!(matches!(refused.status, 404 | 422), "{refused:?}");
    assert!(
        refused.text.contains("+15125550177") && refused.text.contains(OURS),
        "{}",
        refused.text
    );
    let unknown = json!({ "type": "call.mised", "from": contact(107), "to": OURS });
    let refused = host.post("/api/v1/events", &unknown).await.expect(400);
    assert!(refused.text.contains("call.missed"), "{}", refused.text);
}

#[tokio::test]
async fn the_feed_tells_a_long_poll_of_a_missed_call_at_once() {
    let (_twilio, host) = started().await;
    let cursor = host
        .ask("GET", "/api/v1/events?limit=500", None)
        .await
        .expect(200);
    let cursor = cursor.json()["next_cursor"]
        .as_str()
        .expect("workflows were defined")
        .to_owned();
    let path = format!("/api/v1/events?wait=20&after={cursor}");
    let (poll, missed) = tokio::join!(host.ask("GET", &path, None), host.miss("+15125550108"));
    missed.expect(202);
    let entries = poll.expect(200).json()["data"].take();
    let entries = entries.as_array().expect("a list");
    assert!(
        entries.iter().any(|one| one["contact"] == "+15125550108"),
        "{entries:?}"
    );
}

#[tokio::test]
async fn a_call_id_used_again_for_another_caller_is_a_mistake_and_no_repeat() {
    let (twilio, host) = started().await;
    let event =
        |from: &str| json!({ "type": "call.missed", "from": from, "to": OURS, "call_id": "pbx-1" });
    let (first, second) = (contact(191), contact(192));
    host.post("/api/v1/events", &event(&first))
        .await
        .expect(202);
    let again = host.post("/api/v1/events", &event(&first)).await;
    assert_eq!(again.expect(202).json()["data"]["repeated"], true);
    let other = host.post("/api/v1/events", &event(&second)).await;
    let said = other.expect(409).json();
    assert_eq!(said["error"]["code"], "id_reused");
    twilio.texted(&first, 1).await;
    assert!(twilio.texts_to(&second).is_empty());
}
