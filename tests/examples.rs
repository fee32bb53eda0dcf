//! The eight sketches of workflow files that the language was designed with: each
//! loads, passes `check`, is played through by `simulate`, and does live what it says
//! in its description. Days of waiting are ended by hand, as a person would.
//!
//! They belong to the shared data and not to this repository; without them the tests
//! say that they skip.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{Host, OURS, Prepared, Twilio, config, contact, eventually, shared};

const NAMES: [&str; 8] = [
    "ai-answers-texts",
    "appointment-reminders",
    "missed-call-text-back",
    "new-lead-nurture",
    "no-show-rescue",
    "post-call-summary",
    "review-request",
    "wake-cold-leads",
];

/// What the sketches name beside an agent called front-desk.
const NAMED: &str = r#"
[agents.sales]
name       = "Sam"
numbers    = ["+15125550101"]
connection = "main"

[agents.front-desk-voice]
name       = "Ava"
numbers    = ["+15125550102"]
connection = "main"

[hours.business]
mon-fri = "09:00-18:00"

[hours.support]
mon-fri = "08:00-20:00"

[people]
on-call    = { phone = "+15125550190" }
support    = { phone = "+15125550191" }
sales      = { phone = "+15125550192" }
front-desk = { phone = "+15125550193" }
owner      = { phone = "+15125550194" }

[templates]
proof = "What others say: https://example.com/proof"

[secrets]
CALENDAR_SECRET = { file = "calendar.txt" }

[models.default]
connector = "scripted"
answers   = ["A text by the model."]
facts     = { next_step = "We send a quote." }

[tools.free_slots]
[tools.book_slot]
"#;

/// A workflow that one of them calls.
const OFFER: &str = r#"name: Offer slots
on: { manual: { input: { from: any } } }
intent: customer_care
steps:
  - send: { agent: front-desk, body: "There is room on {{ event.input.from | date }}." }
"#;

const ROWS: &str = "data/appointments.csv";

fn sketch(name: &str) -> Option<String> {
    shared(&format!("data/workflows/{name}.yaml"))
}

/// A folder with some of the sketches.
fn folder(twilio: &Twilio, sketches: &[(&str, &str)]) -> Prepared {
    let prepared = Prepared::new(&[
        ("calendar.txt", "the calendar's secret"),
        ("workflows/offer-slots.yaml", OFFER),
        (ROWS, "id,phone,status,start_at,service,staff\n"),
    ]);
    prepared.write("ringback.toml", config(twilio, "", NAMED).as_bytes());
    for (name, text) in sketches {
        prepared.write(&format!("workflows/{name}.yaml"), text.as_bytes());
    }
    prepared
}

/// A host that serves one of them.
async fn serving(twilio: &Twilio, name: &str) -> Option<Host> {
    let text = sketch(name)?;
    Some(folder(twilio, &[(name, &text)]).start().await)
}

/// A zone in which it is midday now, and no Sunday if there is one.
fn midday() -> &'static str {
    let zones = [
        "America/Chicago",
        "Pacific/Honolulu",
        "America/Anchorage",
        "America/Sao_Paulo",
        "Atlantic/Azores",
        "Europe/Berlin",
        "Asia/Dubai",
        "Asia/Kolkata",
        "Asia/Dhaka",
        "Asia/Tokyo",
        "Australia/Sydney",
        "Pacific/Auckland",
    ];
    let now = jiff::Zoned::now();
    let hour = |zone: &str| now.in_tz(zone).expect("a zone").hour();
    let sunday =
        |zone: &str| now.in_tz(zone).expect("a zone").weekday() == jiff::civil::Weekday::Sunday;
    let fits = |zone: &&&str| (11..=17).contains(&hour(zone));
    let working = zones.iter().filter(fits).find(|zone| !sunday(zone));
    working
        .or_else(|| zones.iter().find(fits))
        .expect("somewhere it is midday")
}

async fn the_run(host: &Host, who: &str) -> String {
    let run = eventually("a run", async || {
        let runs = host.runs_for(who).await;
        runs.into_iter().find(|run| run["status"] == "running")
    })
    .await;
    run["id"].as_str().expect("an id").to_owned()
}

/// Waits until a run waits for something, and ends the wait.
async fn wake(host: &Host, who: &str) {
    let id = the_run(host, who).await;
    eventually("it waits and is woken", async || {
        let answer = host
            .post(&format!("/api/v1/runs/{id}/wake"), &json!({}))
            .await;
        (answer.status == 200).then_some(())
    })
    .await;
}

/// The words of the only text that somebody got, or is about to get.
async fn said(host: &Host, who: &str, count: usize) -> Vec<String> {
    let texts = eventually("the texts", async || {
        let texts = host.texts_to(who).await;
        (texts.len() >= count).then_some(texts)
    })
    .await;
    let mut texts: Vec<&Value> = texts.iter().collect();
    texts.sort_by_key(|text| text["createdAt"].to_string());
    let words = texts
        .iter()
        .map(|text| text["body"].as_str().expect("words").trim().to_owned());
    words.collect()
}

#[tokio::test]
async fn all_eight_pass_check_and_are_played_through() {
    let twilio = Twilio::start().await;
    let mut all = Vec::new();
    for name in NAMES {
        let Some(text) = sketch(name) else { return };
        all.push((name, text));
    }
    let sketches: Vec<(&str, &str)> = all
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    let prepared = folder(&twilio, &sketches);
    let (out, _) = prepared.ends(0, &["check"]).await;
    assert!(out.contains("9 workflow files: 0 errors"), "{out}");
    for name in NAMES {
        let file = format!("workflows/{name}.yaml");
        let (out, _) = prepared
            .ends(0, &["simulate", &file, "--at", "2026-12-01T10:00"])
            .await;
        assert!(!out.trim().is_empty(), "{name}");
    }
    let (out, _) = prepared.ends(0, &["test"]).await;
    assert!(out.contains("1 passed, 0 failed"), "{out}");
}

#[tokio::test]
async fn a_missed_call_is_answered_and_an_emergency_reaches_a_person() {
    let twilio = Twilio::start().await;
    let Some(host) = serving(&twilio, "missed-call-text-back").await else {
        return;
    };
    let who = contact(150);
    host.miss(&who).await.expect(202);
    wake(&host, &who).await;
    let [text] = twilio.texted(&who, 1).await.try_into().expect("one");
    assert!(
        text.field("Body").contains("sorry we missed your call"),
        "{}",
        text.field("Body")
    );
    assert!(text.field("Body").contains("Brightside Dental"));
    // A second call within four hours is no second text.
    host.miss(&who).await.expect(202);
    twilio.text(&host, &who, "This is an emergency!").await;
    host.run_becomes(&who, "finished").await;
    let [told] = twilio
        .texted("+15125550190", 1)
        .await
        .try_into()
        .expect("one");
    assert!(
        told.field("Body")
            .contains("Emergency reply to a missed call")
    );
    assert_eq!(host.runs_for(&who).await.len(), 1);
}

#[tokio::test]
async fn a_new_lead_is_followed_up_until_they_answer() {
    let twilio = Twilio::start().await;
    let Some(host) = serving(&twilio, "new-lead-nurture").await else {
        return;
    };
    let (who, silent) = (contact(151), contact(152));
    let lead = |phone: &str, consent: Value| {
        json!({
            "phone": phone, "zone": midday(), "consent": consent,
            "fields": { "source": "website", "first_name": "Jo", "interest": "a new roof" },
        })
    };
    let agreed = json!([{ "intent": "marketing", "source": "form" }]);
    host.post("/api/v1/contacts", &lead(&silent, json!([])))
        .await
        .expect(201);
    host.post("/api/v1/contacts", &lead(&who, agreed))
        .await
        .expect(201);
    assert_eq!(said(&host, &who, 1).await, ["A text by the model."]);
    // On a Sunday it is Sunday at noon everywhere, and the text waits for Monday.
    let [text] = <[Value; 1]>::try_from(host.texts_to(&who).await).expect("one");
    if text["scheduledFor"].is_null() {
        twilio.texted(&who, 1).await;
        wake(&host, &who).await;
        assert_eq!(
            said(&host, &who, 2).await.last().expect("two"),
            "Quick one, Jo: is this for your home or for a business?"
        );
    }
    twilio.text(&host, &who, "For my home").await;
    let run = host.run_becomes(&who, "cancelled").await;
    assert_eq!(run["outcome"], "reply");
    // Who never agreed to marketing is not texted, and the feed says why.
    assert!(host.runs_for(&silent).await.is_empty());
    assert!(host.texts_to(&silent).await.is_empty());
    let feed = host.list("/api/v1/events?limit=100").await;
    let refused = feed
        .iter()
        .find(|entry| entry["data"]["code"] == "no_consent");
    assert_eq!(refused.expect("said in the feed")["contact"], json!(silent));
}

#[tokio::test]
async fn appointments_are_reminded_of_once() {
    let twilio = Twilio::start().await;
    let Some(text) = sketch("appointment-reminders") else {
        return;
    };
    // A quarter of an hour is a second here.
    let quick = text.replace("*/15 * * * *", "* * * * * *");
    assert_ne!(text, quick);
    let host = folder(&twilio, &[("appointment-reminders", &quick)])
        .start()
        .await;
    let (tomorrow, soon, never) = (contact(153), contact(154), contact(155));
    let row = |id: &str, who: &str, status: &str, minutes: i64| {
        let at = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(minutes);
        format!(
            "{id},{},{status},{at:.0},Cleaning,Dr. Lee\n",
            who.trim_start_matches("+1")
        )
    };
    let rows = [
        row("A1", &tomorrow, "confirmed", 22 * 60),
        row("A2", &soon, "confirmed", 50),
        row("A3", &never, "cancelled", 50),
        row("A4", &never, "confirmed", 5 * 24 * 60),
    ];
    let csv = format!("id,phone,status,start_at,service,staff\n{}", rows.concat());
    host.files().write(ROWS, csv.as_bytes());
    let [day] = twilio.texted(&tomorrow, 1).await.try_into().expect("one");
    assert!(
        day.field("Body")
            .starts_with("Reminder: Cleaning with Dr. Lee"),
        "{}",
        day.field("Body")
    );
    let [hour] = twilio.texted(&soon, 1).await.try_into().expect("one");
    assert!(hour.field("Body").contains("Park behind the building."));
    // Several firings later it is still one each: the schedule has fired again.
    let runs = host.runs_for(&soon).await.len();
    eventually("it fires again", async || {
        (host.runs_for(&soon).await.len() > runs).then_some(())
    })
    .await;
    assert_eq!(host.texts_to(&soon).await.len(), 1);
    assert_eq!(host.texts_to(&tomorrow).await.len(), 1);
    assert!(host.texts_to(&never).await.is_empty());
}

#[tokio::test]
async fn texts_are_answered_once_a_burst_and_people_take_over() {
    let twilio = Twilio::start().await;
    let Some(host) = serving(&twilio, "ai-answers-texts").await else {
        return;
    };
    let (asks, angry) = (contact(156), contact(157));
    twilio.text(&host, &asks, "Hello").await;
    twilio
        .text(&host, &asks, "a question: what does it cost?")
        .await;
    twilio.text(&host, &angry, "I have a complaint").await;
    let [answer] = twilio
        .texted(&asks, 1)
        .await
        .try_into()
        .expect("one for both");
    assert_eq!(answer.field("Body"), "A text by the model.");
    let [person] = twilio
        .texted("+15125550191", 1)
        .await
        .try_into()
        .expect("one");
    assert!(
        person.field("Body").contains("complaint"),
        "{}",
        person.field("Body")
    );
    let [reply] = twilio.texted(&angry, 1).await.try_into().expect("one");
    assert!(
        reply.field("Body").starts_with("Thanks"),
        "{}",
        reply.field("Body")
    );
    // While a person has it the machine is silent.
    twilio.text(&host, &angry, "a question").await;
    let later = contact(161);
    twilio.text(&host, &later, "a question").await;
    twilio.texted(&later, 1).await;
    assert_eq!(host.texts_to(&angry).await.len(), 1);
}

fn sign(body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"the calendar's secret").expect("a key");
    mac.update(body.as_bytes());
    let bytes = mac.finalize().into_bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn who_did_not_come_is_asked_and_offered_another_time() {
    let twilio = Twilio::start().await;
    let Some(host) = serving(&twilio, "no-show-rescue").await else {
        return;
    };
    let who = contact(158);
    let body = json!({
        "id": "E1", "type": "appointment.no_show", "appointment_id": "A1", "service": "Cleaning",
        "customer": { "phone": who, "first_name": "Jo" },
    })
    .to_string();
    let signature = sign(&body);
    let headers = [
        ("content-type", "application/json"),
        ("x-signature", signature.as_str()),
    ];
    for _ in 0..2 {
        let answer = host
            .raw("POST", "/in/calendar", &headers, body.as_bytes())
            .await;
        answer.expect("an answer").expect(202);
    }
    wake(&host, &who).await;
    let [text] = twilio.texted(&who, 1).await.try_into().expect("one");
    assert!(text.field("Body").starts_with("We missed you today, Jo."));
    twilio.text(&host, &who, " 1 ").await;
    let texts = twilio.texted(&who, 2).await;
    assert!(
        texts[1].field("Body").starts_with("There is room on "),
        "{}",
        texts[1].field("Body")
    );
    eventually("both runs are over", async || {
        let runs = host.runs_for(&who).await;
        let over = runs.iter().filter(|run| run["status"] == "finished");
        (over.count() == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn happy_customers_are_asked_for_a_review_and_unhappy_ones_get_a_person() {
    let twilio = Twilio::start().await;
    let Some(host) = serving(&twilio, "review-request").await else {
        return;
    };
    let (happy, unhappy) = (contact(159), contact(160));
    for who in [&happy, &unhappy] {
        let lead = json!({
            "phone": who, "zone": midday(), "fields": { "first_name": "Jo", "job_status": "open" },
            "consent": [{ "intent": "marketing", "source": "form" }],
        });
        host.post("/api/v1/contacts", &lead).await.expect(201);
        let done = json!({ "phone": who, "fields": { "job_status": "completed" } });
        host.post("/api/v1/contacts", &done).await.expect(200);
        wake(&host, who).await;
        let [text] = twilio.texted(who, 1).await.try_into().expect("one");
        assert!(
            text.field("Body")
                .starts_with("Thanks for choosing Brightside Dental, Jo!")
        );
    }
    twilio.text(&host, &happy, "5, thank you").await;
    let texts = twilio.texted(&happy, 2).await;
    assert!(
        texts[1]
            .field("Body")
            .contains("https://g.page/r/example/review"),
        "{}",
        texts[1].field("Body")
    );
    twilio.text(&host, &unhappy, "2").await;
    let [owner] = twilio
        .texted("+15125550194", 1)
        .await
        .try_into()
        .expect("one");
    assert!(
        owner.field("Body").contains("Rating 2"),
        "{}",
        owner.field("Body")
    );
    assert_eq!(host.texts_to(&unhappy).await.len(), 1);
}

#[tokio::test]
async fn a_call_is_summed_up_when_a_person_has_seen_the_text() {
    let twilio = Twilio::start().await;
    let Some(host) = serving(&twilio, "post-call-summary").await else {
        return;
    };
    let who = contact(162);
    let call = |from: &str, id: &str, seconds: u32| {
        json!({
            "type": "call.completed", "from": from, "to": OURS, "call_id": id,
            "duration": seconds, "summary": "They want a quote for a new roof.",
        })
    };
    // A short call is not summed up.
    let short = contact(163);
    host.post("/api/v1/events", &call(&short, "C0", 10))
        .await
        .expect(202);
    host.post("/api/v1/events", &call(&who, "C1", 95))
        .await
        .expect(202);
    let draft = eventually("a text to approve", async || {
        host.list("/api/v1/approvals").await.into_iter().next()
    })
    .await;
    assert_eq!(
        (
            &draft["contact"],
            &draft["by"],
            &draft["body"],
            &draft["default"]
        ),
        (
            &json!(who),
            &json!("sales"),
            &json!("A text by the model."),
            &json!("send")
        )
    );
    assert!(twilio.texts_to(&who).is_empty(), "nobody has approved it");
    let id = draft["id"].as_str().expect("an id");
    let (out, _) = host
        .files()
        .ends(
            0,
            &[
                "approvals",
                "send",
                id,
                "--body",
                "We send the quote on Monday.",
            ],
        )
        .await;
    assert!(out.starts_with(id), "{out}");
    let [text] = twilio.texted(&who, 1).await.try_into().expect("one");
    assert_eq!(text.field("Body"), "We send the quote on Monday.");
    // The plugin is not there, and the run goes on as its file says.
    host.run_becomes(&who, "finished").await;
    let known = host
        .data(&format!("/api/v1/contacts/{}", who.replace('+', "%2B")))
        .await;
    assert_eq!(known["fields"]["next_step"], "We send a quote.");
    assert!(known["fields"]["last_call_at"].is_string(), "{known}");
    assert!(host.runs_for(&short).await.is_empty());
}

#[tokio::test]
async fn cold_leads_are_woken_one_after_another() {
    let twilio = Twilio::start().await;
    let Some(host) = serving(&twilio, "wake-cold-leads").await else {
        return;
    };
    let agreed = json!([{ "intent": "marketing", "source": "form" }]);
    let leads = [
        (contact(164), "cold", agreed.clone()),
        (contact(165), "cold", agreed.clone()),
        (contact(166), "hot", agreed),
        (contact(167), "cold", json!([])),
    ];
    for (who, status, consent) in &leads {
        let lead = json!({
            "phone": who, "zone": midday(), "consent": consent,
            "fields": { "status": status, "first_name": "Jo", "interest": "a roof", "last_contact_at": "2026-01-05T10:00:00Z" },
        });
        host.post("/api/v1/contacts", &lead).await.expect(201);
    }
    let path = "/api/v1/workflows/wake-cold-leads/runs";
    host.post(path, &json!({})).await.expect(201);
    // One of the two leaves now, the other one in its turn: 250 a day, evenly.
    let campaign = eventually("one has left and one waits", async || {
        let all = host.list("/api/v1/campaigns").await;
        let one = all.into_iter().find(|one| one["id"] == "spring-2026")?;
        (one["counts"]["sent"] == 1 && one["waiting"] == 1).then_some(one)
    })
    .await;
    assert_eq!(campaign["paused"], Value::Null, "{campaign}");
    let texted: Vec<bool> = leads
        .iter()
        .map(|(who, ..)| !twilio.texts_to(who).is_empty())
        .collect();
    assert_eq!(
        texted.iter().filter(|texted| **texted).count(),
        1,
        "{texted:?}"
    );
    assert_eq!(
        (texted[2], texted[3]),
        (false, false),
        "only those who are cold and agreed"
    );
    let (out, _) = host
        .files()
        .ends(
            0,
            &["campaigns", "pause", "spring-2026", "--reason", "holidays"],
        )
        .await;
    assert!(out.contains("paused by a person: holidays"), "{out}");
    let (out, _) = host.files().ends(0, &["campaigns", "list"]).await;
    assert!(
        out.contains("spring-2026") && out.contains("holidays"),
        "{out}"
    );
    host.files()
        .ends(0, &["campaigns", "resume", "spring-2026"])
        .await;
    // Whoever answers gets no more.
    let (first, ..) = leads
        .iter()
        .find(|(who, ..)| !twilio.texts_to(who).is_empty())
        .expect("one");
    let to = twilio.texts_to(first)[0].field("From");
    twilio.text_to(&host, first, &to, "Yes please").await;
    let run = host.run_becomes(first, "cancelled").await;
    assert_eq!(run["outcome"], "reply");
}
