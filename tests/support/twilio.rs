//! A Twilio on the loopback address: takes texts and calls as the real one does,
//! writes down every request raw, misbehaves when told to, and sends signed
//! webhooks. Written from Twilio's documentation, and not from the connector.

mod fates;
mod webhooks;
mod wire;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::eventually;

pub(crate) use fates::Taken;
pub(crate) use webhooks::sign;

/// The account.
pub(crate) const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
/// Its auth token: Basic credential and key of the signatures.
pub(crate) const TOKEN: &str = "1c892n40nd03kdnc0112slzkl3091j20";

/// What happens to the next request that would send a text or place a call.
#[derive(Clone, Debug)]
pub(crate) enum Behaviour {
    /// It is refused with this status and body, and certainly has no effect.
    Refuse(u16, Value, Vec<(&'static str, &'static str)>),
    /// The request is read and the connection closed without an answer. The flag:
    /// whether it had its effect.
    Close(bool),
    /// The request is read and never answered. The flag as above.
    Silence(bool),
    /// 500. The flag as above.
    Stumble(bool),
    /// 201, and the connection breaks in the middle of the body. It had its effect.
    HalfAnAnswer,
    /// It has its effect at once, and its answer after this time.
    Slow(Duration),
}

impl Behaviour {
    /// A refusal in Twilio's words.
    pub(crate) fn refuse(status: u16, code: u32, message: &str) -> Self {
        let more = format!("https://www.twilio.com/docs/errors/{code}");
        let body = json!({ "code": code, "message": message, "more_info": more, "status": status });
        Self::Refuse(status, body, Vec::new())
    }

    fn has_effect(&self) -> bool {
        match self {
            Self::Refuse(..) => false,
            Self::Close(taken) | Self::Silence(taken) | Self::Stumble(taken) => *taken,
            Self::HalfAnAnswer | Self::Slow(_) => true,
        }
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// `POST` or `GET`.
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The raw body.
    pub(crate) body: Vec<u8>,
    /// Whether the credential was right.
    pub(crate) authorized: bool,
}

impl Asked {
    /// The form in the body.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// A field of the form, which must be there exactly once.
    pub(crate) fn field(&self, name: &str) -> String {
        let form = self.form();
        let mut values = form.iter().filter(|(one, _)| one == name);
        let value = values
            .next()
            .unwrap_or_else(|| panic!("no {name} in {form:?}"));
        assert!(values.next().is_none(), "{name} is there twice: {form:?}");
        value.1.clone()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(one, _)| one == name)
            .map(|(_, value)| value.as_str())
    }

    fn is(&self, resource: &str) -> bool {
        self.method == "POST" && self.target.ends_with(resource)
    }
}

#[derive(Default)]
struct State {
    asked: Vec<Asked>,
    next: VecDeque<Behaviour>,
    /// What is done where `next` says nothing.
    fates: Option<fates::Fates>,
    /// Texts and calls that were taken, by the number they go to.
    taken: HashMap<String, Vec<Value>>,
    ledger: Vec<Taken>,
    /// Write down what had an effect, and not every request.
    brief: bool,
    serial: u64,
}

/// The pretend Twilio. It is gone with the runtime of its test.
#[derive(Clone)]
pub(crate) struct Twilio {
    state: Arc<Mutex<State>>,
    url: String,
}

impl Twilio {
    /// Starts one.
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let twilio = Self {
            state: Arc::default(),
            url,
        };
        let serving = twilio.clone();
        tokio::spawn(async move { wire::serve(listener, serving).await });
        twilio
    }

    /// `base_url` of a connection.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding it")
    }

    /// Says how the next request is treated, after those that were said before.
    pub(crate) fn next(&self, behaviour: Behaviour) {
        self.state().next.push_back(behaviour);
    }

    /// Every request that came, in order.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }

    /// The requests to send a text to this number.
    pub(crate) fn texts_to(&self, contact: &str) -> Vec<Asked> {
        let mut all = self.asked();
        all.retain(|one| one.is("/Messages.json") && one.field("To") == contact);
        all
    }

    /// The requests to place a call to this number.
    pub(crate) fn calls_to(&self, contact: &str) -> Vec<Asked> {
        let mut all = self.asked();
        all.retain(|one| one.is("/Calls.json") && one.field("To") == contact);
        all
    }

    /// How often the list of texts to this number was read.
    pub(crate) fn looks_for(&self, contact: &str) -> usize {
        let to = format!("To={}", contact.replace('+', "%2B"));
        let asked = self.asked();
        asked
            .iter()
            .filter(|one| one.method == "GET" && one.target.contains(&to))
            .count()
    }

    /// Waits until this number was texted this often.
    pub(crate) async fn texted(&self, contact: &str, times: usize) -> Vec<Asked> {
        eventually(&format!("{contact} is texted {times} times"), async || {
            let texts = self.texts_to(contact);
            (texts.len() >= times).then_some(texts)
        })
        .await
    }

    /// A new id of a text, call or whatever.
    pub(crate) fn sid(&self, prefix: &str) -> String {
        let mut state = self.state();
        state.serial += 1;
        format!("{prefix}{:032x}", state.serial)
    }

    /// Decides about a request that was read whole; `Err` closes the connection.
    async fn answer(&self, asked: Asked) -> Result<wire::Reply, wire::Cut> {
        let account = format!("/2010-04-01/Accounts/{ACCOUNT}/");
        let resource = asked
            .target
            .strip_prefix(&account)
            .unwrap_or_default()
            .to_owned();
        let authorized = asked.authorized;
        let form = asked.form();
        let behaviour = {
            let mut state = self.state();
            let posted = asked.method == "POST";
            if !state.brief {
                state.asked.push(asked);
            }
            let planned = posted.then(|| state.next.pop_front()).flatten();
            let chance = state.fates.as_mut().filter(|_| posted);
            planned.or_else(|| chance?.next())
        };
        if !authorized {
            let body = json!({ "code": 20003, "message": "Authenticate", "status": 401 });
            return Ok(wire::Reply::json(401, &body));
        }
        let (name, query) = resource.split_once('?').unwrap_or((&resource, ""));
        let prefix = match name {
            "Messages.json" => "SM",
            "Calls.json" => "CA",
            _ => {
                return Ok(wire::Reply::json(
                    404,
                    &json!({ "code": 20404, "status": 404 }),
                ));
            }
        };
        if form.is_empty() {
            return Ok(wire::Reply::json(200, &self.listed(query)));
        }
        let effect = behaviour.as_ref().is_none_or(Behaviour::has_effect);
        let made = self.record(prefix, &form);
        if effect {
            self.take(&made, &form);
        }
        match behaviour {
            None => Ok(wire::Reply::json(201, &made)),
            Some(Behaviour::Refuse(status, body, headers)) => {
                let mut reply = wire::Reply::json(status, &body);
                reply.headers = headers;
                Ok(reply)
            }
            Some(Behaviour::Close(_)) => Err(wire::Cut),
            Some(Behaviour::Silence(_)) => {
                tokio::time::sleep(Duration::from_secs(600)).await;
                Err(wire::Cut)
            }
            Some(Behaviour::Stumble(_)) => {
                let body =
                    json!({ "code": 20500, "message": "Internal Server Error", "status": 500 });
                Ok(wire::Reply::json(500, &body))
            }
            Some(Behaviour::Slow(by)) => {
                tokio::time::sleep(by).await;
                Ok(wire::Reply::json(201, &made))
            }
            Some(Behaviour::HalfAnAnswer) => {
                let mut reply = wire::Reply::json(201, &made);
                reply.half = true;
                Ok(reply)
            }
        }
    }

    /// A message or call resource.
    fn record(&self, prefix: &str, form: &[(String, String)]) -> Value {
        let field = |name: &str| {
            form.iter()
                .find(|(one, _)| one == name)
                .map(|(_, value)| value)
        };
        let sid = self.sid(prefix);
        let now = Timestamp::now()
            .strftime("%a, %d %b %Y %H:%M:%S +0000")
            .to_string();
        json!({
            "sid": sid, "account_sid": ACCOUNT, "api_version": "2010-04-01",
            "to": field("To"), "from": field("From"), "body": field("Body"),
            "status": "queued", "direction": "outbound-api", "num_segments": "1",
            "num_media": "0", "error_code": null, "error_message": null, "price": null,
            "date_created": now, "date_updated": now, "date_sent": null,
        })
    }

    /// `ListMessage`, one entry a page, so that turning pages is practised.
    fn listed(&self, query: &str) -> Value {
        let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let get = |name: &str| {
            pairs
                .iter()
                .find(|(one, _)| one == name)
                .map(|(_, value)| value)
        };
        let today = Timestamp::now().strftime("%Y-%m-%d").to_string();
        let late = get("DateSent>").is_none_or(|since| *since <= today);
        let state = self.state();
        let to = get("To").expect("the host looks for one number at a time");
        let found = state.taken.get(to).filter(|_| late);
        let found: Vec<&Value> = found.into_iter().flatten().rev().collect();
        let page: usize = get("Page").map_or(0, |page| page.parse().expect("a number"));
        let more = found.len() > page + 1;
        let next = more.then(|| {
            let query = form_urlencoded::Serializer::new(String::new())
                .extend_pairs(pairs.iter().filter(|(name, _)| name != "Page"))
                .append_pair("Page", &(page + 1).to_string())
                .finish();
            format!("/2010-04-01/Accounts/{ACCOUNT}/Messages.json?{query}")
        });
        json!({ "messages": found.get(page..page + 1).unwrap_or_default(), "next_page_uri": next })
    }

    fn is_authorized(asked: &Asked) -> bool {
        let wanted = format!(
            "Basic {}",
            BASE64_STANDARD.encode(format!("{ACCOUNT}:{TOKEN}"))
        );
        asked.header("authorization") == Some(wanted.as_str())
    }
}
