//! Work for a host that dies all the time: people who miss calls, reply, say STOP
//! or nothing at all, programs that send, and a provider that reports. Whoever
//! gets no answer asks again, as providers and clients do; one of ten gives up.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::books::Person;
use crate::support::{ACCOUNT, Answer, Chance, Host, OURS, PUBLIC, Taken, Twilio, ask, sign};
use crate::texts::call;

/// The texts of [`WORKFLOW`].
pub(crate) const FIRST: &str = "Sorry we missed you! What can we do for you?";
pub(crate) const ANSWER: &str = "Thank you, we call you back.";
pub(crate) const REMINDER: &str = "Are you still there?";

/// Two texts for every missed call, whatever happens between them.
pub(crate) const WORKFLOW: &str = r#"name: Ask and remind
on: call.missed
steps:
  - send: "Sorry we missed you! What can we do for you?"
  - id: answer
    wait_for: reply
    timeout: 2s
  - send: "Are you still there?"
    if: answer.timed_out
  - send: "Thank you, we call you back."
    if: not answer.timed_out
"#;

/// How long somebody asks again.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the people share.
struct Shared {
    twilio: Twilio,
    url: Mutex<String>,
    key: String,
    people: Mutex<HashMap<String, Person>>,
    next: AtomicU64,
    running: AtomicBool,
    /// How many requests were answered with 503, and how many otherwise.
    refusals: AtomicU64,
    answers: AtomicU64,
}

/// Many of them at once.
pub(crate) struct Load {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
    /// Where the ledger of the present stretch begins.
    ledger: usize,
}

impl Load {
    /// Lets so many people at a time use this host.
    pub(crate) fn new(twilio: &Twilio, host: &Host) -> Self {
        Self {
            shared: Arc::new(Shared {
                twilio: twilio.clone(),
                url: Mutex::new(host.url().to_owned()),
                key: host.key().to_owned(),
                people: Mutex::default(),
                next: AtomicU64::new(0),
                running: AtomicBool::new(false),
                refusals: AtomicU64::new(0),
                answers: AtomicU64::new(0),
            }),
            tasks: JoinSet::new(),
            ledger: 0,
        }
    }

    /// Begins a stretch.
    pub(crate) fn begin(&mut self, workers: u64, chance: &mut Chance) {
        self.shared.running.store(true, Ordering::SeqCst);
        self.ledger = self.shared.twilio.ledger(0).len();
        self.shared.people().clear();
        let seed = chance.below(u64::MAX);
        for worker in 0..workers {
            let shared = Arc::clone(&self.shared);
            let mut chance = Chance::new(seed, worker);
            self.tasks.spawn(async move {
                while shared.running.load(Ordering::SeqCst) {
                    shared.story(&mut chance).await;
                }
            });
        }
        let shared = Arc::clone(&self.shared);
        let (from, chance) = (self.ledger, Chance::new(seed, workers));
        self.tasks
            .spawn(async move { shared.reports(from, chance).await });
    }

    /// Ends the stretch: everybody finishes what they began.
    pub(crate) async fn end(&mut self) {
        self.shared.running.store(false, Ordering::SeqCst);
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("nobody panics");
        }
    }

    /// The host is there now.
    pub(crate) fn moved(&self, host: &Host) {
        host.url()
            .clone_into(&mut self.shared.url.lock().expect("nobody panics"));
    }

    /// What was promised in this stretch.
    pub(crate) fn people(&self) -> HashMap<String, Person> {
        self.shared.people().clone()
    }

    /// What the provider took in this stretch.
    pub(crate) fn ledger(&self) -> Vec<Taken> {
        self.shared.twilio.ledger(self.ledger)
    }

    /// How many webhooks were refused with 503, and how many answered with yes.
    pub(crate) fn answers(&self) -> (u64, u64) {
        (
            self.shared.refusals.load(Ordering::SeqCst),
            self.shared.answers.load(Ordering::SeqCst),
        )
    }
}

impl Shared {
    fn people(&self) -> MutexGuard<'_, HashMap<String, Person>> {
        self.people.lock().expect("nobody panics while holding it")
    }

    fn note(&self, number: &str, note: impl FnOnce(&mut Person)) {
        note(self.people().entry(number.to_owned()).or_default());
    }

    /// Somebody new.
    fn somebody(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        format!("+1512{:03}{:04}", 600 + number / 10_000, number % 10_000)
    }

    /// What one person does, or a program on their behalf.
    async fn story(&self, chance: &mut Chance) {
        let number = self.somebody();
        if chance.below(4) == 0 {
            self.send(&number, chance).await;
            return;
        }
        self.miss(&number, chance).await;
        let what = chance.below(10);
        // Three of them act at any moment, the others once they have the text.
        if what > 2 {
            let end = Instant::now() + Duration::from_millis(1500);
            while self.twilio.has(&number) == 0 && Instant::now() < end {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        match what {
            0 | 3 => self.stop(&number, chance).await,
            1 | 4..=6 => self.reply(&number, chance).await,
            2 => {
                self.send(&number, chance).await;
                self.stop(&number, chance).await;
                // Refused, and certainly not sent.
                self.send(&number, chance).await;
            }
            _ => {}
        }
    }

    async fn miss(&self, number: &str, chance: &mut Chance) {
        let sid = self.twilio.sid("CA");
        self.note(number, |person| person.call = Some(false));
        let form = call(&sid, number, "no-answer");
        if self.hook("call", &form, chance).await {
            self.note(number, |person| person.call = Some(true));
        }
    }

    async fn text(&self, number: &str, words: &str, chance: &mut Chance) -> bool {
        let sid = self.twilio.sid("SM");
        let form = [
            ("SmsMessageSid", sid.as_str()),
            ("NumMedia", "0"),
            ("SmsStatus", "received"),
            ("Body", words),
            ("To", OURS),
            ("NumSegments", "1"),
            ("MessageSid", sid.as_str()),
            ("AccountSid", ACCOUNT),
            ("From", number),
            ("ApiVersion", "2010-04-01"),
        ];
        self.hook("text", &form, chance).await
    }

    async fn reply(&self, number: &str, chance: &mut Chance) {
        let words = format!("Call me on Friday, please ({})", chance.below(1_000_000));
        let noted = words.clone();
        self.note(number, |person| {
            person.replies.insert(noted, false);
        });
        if self.text(number, &words, chance).await {
            self.note(number, |person| {
                person.replies.insert(words, true);
            });
        }
    }

    async fn stop(&self, number: &str, chance: &mut Chance) {
        self.note(number, |person| person.stop = true);
        if self.text(number, "STOP", chance).await {
            let now = Timestamp::now();
            self.note(number, |person| person.stopped = Some(now));
        }
    }

    /// Texts through the API, under an `Idempotency-Key`.
    async fn send(&self, number: &str, chance: &mut Chance) {
        let key = format!("key-{}", chance.below(u64::MAX));
        let words = format!("Your table is ready ({key})");
        let noted = words.clone();
        self.note(number, |person| {
            person.sends.insert(noted, false);
        });
        let body = json!({ "to": number, "agent": "front-desk", "body": words }).to_string();
        let headers = [
            ("x-api-key", self.key.as_str()),
            ("idempotency-key", key.as_str()),
            ("content-type", "application/json"),
        ];
        let stopped = self.people()[number].stop;
        let path = "/api/v1/messages";
        let answer = self.insist(path, &headers, &body, chance).await;
        match answer {
            Some(answer) if answer.status == 409 && stopped => {
                assert_eq!(answer.code(), "opted_out", "{answer:?}");
            }
            Some(answer) => {
                assert!((200..300).contains(&answer.status), "{answer:?}");
                self.note(number, |person| {
                    person.sends.insert(words, true);
                });
            }
            None => {}
        }
    }

    /// A signed webhook; whether it was answered with yes.
    async fn hook(&self, hook: &str, form: &[(&str, &str)], chance: &mut Chance) -> bool {
        let path = format!("/hooks/main/{hook}");
        let signature = sign(&format!("{PUBLIC}{path}"), form);
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-twilio-signature", signature.as_str()),
        ];
        let answer = self.insist(&path, &headers, &body, chance).await;
        answer.is_some_and(|answer| {
            assert!((200..300).contains(&answer.status), "{path}: {answer:?}");
            true
        })
    }

    /// Asks until there is an answer other than "later". Two of ten ask twice at
    /// once, and one of ten gives up at the first failure.
    async fn insist(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
        chance: &mut Chance,
    ) -> Option<Answer> {
        let manner = chance.below(10);
        let end = Instant::now() + PATIENCE;
        loop {
            let url = self.url.lock().expect("nobody panics").clone();
            let address = format!("{url}{path}");
            let once = || ask("POST", &address, headers, body.as_bytes().to_vec());
            let answer = if manner < 2 {
                let (one, two) = tokio::join!(once(), once());
                // The worse one: asking again must not hurt either.
                one.filter(|one| one.status != 503).and(two)
            } else {
                once().await
            };
            match answer {
                Some(answer) if answer.status == 503 => {
                    self.refusals.fetch_add(1, Ordering::SeqCst);
                }
                Some(answer) => {
                    self.answers.fetch_add(1, Ordering::SeqCst);
                    return Some(answer);
                }
                None => {}
            }
            if manner == 9 {
                return None;
            }
            assert!(
                Instant::now() < end,
                "{path}: no answer within {PATIENCE:?}"
            );
            tokio::time::sleep(Duration::from_millis(20) + chance.millis(30)).await;
        }
    }

    /// The provider says of half of the texts that they were delivered.
    async fn reports(&self, mut from: usize, mut chance: Chance) {
        loop {
            let running = self.running.load(Ordering::SeqCst);
            let fresh = self.twilio.ledger(from);
            from += fresh.len();
            for text in &fresh {
                if chance.below(2) == 0 {
                    self.delivered(text, &mut chance).await;
                }
            }
            if !running {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn delivered(&self, text: &Taken, chance: &mut Chance) {
        let form = [
            ("SmsStatus", "delivered"),
            ("MessageStatus", "delivered"),
            ("To", text.to.as_str()),
            ("MessageSid", text.sid.as_str()),
            ("SmsSid", text.sid.as_str()),
            ("AccountSid", ACCOUNT),
            ("From", OURS),
            ("ApiVersion", "2010-04-01"),
        ];
        let hook = format!("status?id={}", text.id);
        if self.hook(&hook, &form, chance).await {
            let id = text.id.clone();
            self.note(&text.to, |person| person.delivered.push(id));
        }
    }
}

/// The pairs of a list of the API from this moment on, newest first.
pub(crate) async fn since(host: &Host, list: &str, moment: Timestamp) -> Vec<Value> {
    let field = if list == "runs" {
        "startedAt"
    } else {
        "createdAt"
    };
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/{list}?limit=500{cursor}");
        let mut page = host.ask("GET", &path, None).await.expect(200).json();
        let entries = page["data"].as_array().expect("a list").clone();
        let next = page["next_cursor"].take();
        let old = |entry: &Value| {
            let at = entry[field].as_str().expect("a time");
            at.parse::<Timestamp>().expect("a time") < moment
        };
        let ended = entries.last().is_none_or(old);
        all.extend(entries.into_iter().filter(|entry| !old(entry)));
        match next.as_str() {
            Some(next) if !ended => cursor = format!("&cursor={next}"),
            _ => return all,
        }
    }
}
