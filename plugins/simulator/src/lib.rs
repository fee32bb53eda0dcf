//! The pretend phone network that ringback carries inside itself: texts and
//! calls without a provider, an account or a cent.
//!
//! Its protocol is small on purpose and has everything that real ones have:
//! signatures, delivery reports, refusals, rate limits, a look-up by our id. It
//! is also the shortest example of a connector.

mod webhooks;

use ringback_guest::calling::{self, CallPlan, CallReport, CallStep, OutgoingCall, Script};
use ringback_guest::connector::{Description, Kind, Setting};
use ringback_guest::form::escape;
use ringback_guest::http::{Answer, Body, Credential, Failure, Response};
use ringback_guest::message::{get, json, post, reason, refusal, text};
use ringback_guest::texting::{
    DeliveryReport, FindStep, IncomingText, OutgoingText, Receipt, SendStep,
};
use ringback_guest::webhook::{ParseError, Reply, Request};
use ringback_guest::{Calling, Connector, Texting, host};
use serde_json::{Value, json};

/// The plugin.
pub struct Simulator;

ringback_guest::export!(Simulator: texting, calling);

/// The name of the secret setting.
const SECRET: &str = "secret";

impl Connector for Simulator {
    fn describe() -> Description {
        Description {
            title: "Simulator".to_owned(),
            settings: vec![
                Setting {
                    name: "base_url".to_owned(),
                    kind: Kind::Address,
                    required: true,
                    help: "The address of the pretend network.".to_owned(),
                },
                Setting {
                    name: SECRET.to_owned(),
                    kind: Kind::Secret,
                    required: true,
                    help: "The key that both sides sign with.".to_owned(),
                },
            ],
            idempotent: true,
            handles_opt_out: false,
        }
    }

    fn verify(request: Request) -> Result<bool, String> {
        webhooks::verify(&request)
    }
}

impl Texting for Simulator {
    fn send(text: OutgoingText, answer: Option<Answer>) -> Result<SendStep, Failure> {
        let Some(answer) = answer else {
            let body = json!({
                "id": text.id,
                "from": text.from,
                "to": text.to,
                "body": text.body,
                "media": text.media,
                "status_url": text.status_url,
                "valid_for": text.valid_for,
            });
            return Ok(SendStep::Ask(post(
                address("texts"),
                bearer(),
                Body::Json(body.to_string()),
            )));
        };
        let accepted = accepted(&answer.response)?;
        receipt(&accepted)
            .map(SendStep::Done)
            .ok_or_else(unreadable)
    }

    fn find(text: OutgoingText, _: String, answer: Option<Answer>) -> Result<FindStep, Failure> {
        let Some(answer) = answer else {
            let url = format!("{}?id={}", address("texts"), escape(&text.id));
            return Ok(FindStep::Ask(get(url, bearer(), Vec::new())));
        };
        let found = accepted(&answer.response)?;
        let texts = found.get("texts").and_then(Value::as_array);
        let receipts = texts.ok_or_else(unreadable)?.iter().map(receipt);
        let receipts: Option<Vec<Receipt>> = receipts.collect();
        receipts.map(FindStep::Candidates).ok_or_else(unreadable)
    }

    fn read_text(request: Request) -> Result<(IncomingText, Reply), ParseError> {
        webhooks::read_text(&request)
    }

    fn read_report(request: Request) -> Result<(Vec<DeliveryReport>, Reply), ParseError> {
        webhooks::read_report(&request)
    }
}

impl Calling for Simulator {
    fn place(call: OutgoingCall, answer: Option<Answer>) -> Result<CallStep, Failure> {
        let Some(answer) = answer else {
            let script = match &call.script {
                Script::Say(words) => json!({ "say": words }),
                Script::Address(url) => json!({ "address": url }),
                Script::Agent(id) => json!({ "agent": id }),
            };
            let body = json!({
                "id": call.id,
                "from": call.from,
                "to": call.to,
                "script": script,
                "variables": json(call.variables.as_bytes()),
                "ring_for": call.ring_for,
                "detect_machine": call.detect_machine,
                "status_url": call.status_url,
            });
            return Ok(CallStep::Ask(post(
                address("calls"),
                bearer(),
                Body::Json(body.to_string()),
            )));
        };
        let accepted = accepted(&answer.response)?;
        let provider_id = text(&accepted, "provider_id")
            .ok_or_else(unreadable)?
            .to_owned();
        Ok(CallStep::Done(calling::Receipt { provider_id }))
    }

    fn answer_call(_: Request, plan: CallPlan) -> Result<Reply, ParseError> {
        Ok(webhooks::answer_call(&plan))
    }

    fn read_call(request: Request) -> Result<(CallReport, Reply), ParseError> {
        webhooks::read_call(&request)
    }
}

fn address(path: &str) -> String {
    format!("{}/{path}", host::address("base_url", ""))
}

fn bearer() -> Credential {
    Credential::Bearer(SECRET.to_owned())
}

fn receipt(text_of: &Value) -> Option<Receipt> {
    let segments = text_of.get("segments").and_then(Value::as_u64);
    Some(Receipt {
        provider_id: text(text_of, "provider_id")?.to_owned(),
        segments: segments.and_then(|count| u32::try_from(count).ok()),
    })
}

/// The body of an accepted request, or what its refusal means.
fn accepted(response: &Response) -> Result<Value, Failure> {
    let body = json(&response.body);
    if (200..300).contains(&response.status) {
        return body.ok_or_else(unreadable);
    }
    let field = |name| {
        body.as_ref()
            .and_then(|body| text(body, name))
            .unwrap_or_default()
    };
    let reason = reason(field("code"), field("message"));
    Err(match response.status {
        410 => Failure::OptedOut(reason),
        503 if reason.code == "unavailable" => Failure::Unavailable(reason),
        _ => refusal(response, reason),
    })
}

fn unreadable() -> Failure {
    Failure::Uncertain(reason("", "accepted, but the answer could not be read"))
}

#[cfg(test)]
mod tests;
