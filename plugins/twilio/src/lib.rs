//! Texts and calls through Twilio (REST API 2010-04-01, TwiML).
//!
//! Twilio has no idempotency key for texts, so an attempt whose answer was lost
//! is looked up in the list of messages and never repeated blindly.

mod calls;
mod date;
mod params;
mod refusal;
mod signature;
mod texts;
mod twiml;

use ringback_guest::calling::{CallPlan, CallReport, CallStep, OutgoingCall};
use ringback_guest::connector::{Description, Kind, Setting};
use ringback_guest::form::escape;
use ringback_guest::http::{Answer, Credential, Failure};
use ringback_guest::message::reason;
use ringback_guest::texting::{DeliveryReport, FindStep, IncomingText, OutgoingText, SendStep};
use ringback_guest::webhook::{ParseError, Reply, Request};
use ringback_guest::{Calling, Connector, Texting, host};

/// The plugin.
pub struct Twilio;

ringback_guest::export!(Twilio: texting, calling);

const ACCOUNT_SID: &str = "account_sid";
const AUTH_TOKEN: &str = "auth_token";
const MESSAGING_SERVICE: &str = "messaging_service_sid";
const BASE_URL: &str = "base_url";

impl Connector for Twilio {
    fn describe() -> Description {
        let setting = |name: &str, kind, required, help: &str| Setting {
            name: name.to_owned(),
            kind,
            required,
            help: help.to_owned(),
        };
        Description {
            title: "Twilio".to_owned(),
            settings: vec![
                setting(
                    ACCOUNT_SID,
                    Kind::Text,
                    true,
                    "The account's SID, AC and 32 digits, from the console's first page.",
                ),
                setting(
                    AUTH_TOKEN,
                    Kind::Secret,
                    true,
                    "The account's primary auth token; webhooks are signed with it too.",
                ),
                setting(
                    MESSAGING_SERVICE,
                    Kind::Text,
                    false,
                    "A messaging service, MG and 32 digits, that picks the sender.",
                ),
                setting(
                    BASE_URL,
                    Kind::Address,
                    false,
                    "Another address of the API, for a region or a test; https://api.twilio.com \
                     when left out.",
                ),
            ],
            idempotent: false,
            handles_opt_out: true,
        }
    }

    fn verify(request: Request) -> Result<bool, String> {
        signature::verify(&request)
    }
}

impl Texting for Twilio {
    fn send(text: OutgoingText, answer: Option<Answer>) -> Result<SendStep, Failure> {
        match answer {
            None => texts::request(text).map(SendStep::Ask),
            Some(answer) => texts::receipt(&answer.response).map(SendStep::Done),
        }
    }

    fn find(
        text: OutgoingText,
        attempted_at: String,
        answer: Option<Answer>,
    ) -> Result<FindStep, Failure> {
        texts::find(&text, &attempted_at, answer)
    }

    fn read_text(request: Request) -> Result<(IncomingText, Reply), ParseError> {
        texts::read_text(&request)
    }

    fn read_report(request: Request) -> Result<(Vec<DeliveryReport>, Reply), ParseError> {
        texts::read_report(&request)
    }
}

impl Calling for Twilio {
    fn place(call: OutgoingCall, answer: Option<Answer>) -> Result<CallStep, Failure> {
        match answer {
            None => calls::request(call).map(CallStep::Ask),
            Some(answer) => calls::receipt(&answer.response).map(CallStep::Done),
        }
    }

    fn answer_call(_: Request, plan: CallPlan) -> Result<Reply, ParseError> {
        Ok(twiml::reply(&twiml::plan(&plan)))
    }

    fn read_call(request: Request) -> Result<(CallReport, Reply), ParseError> {
        calls::read_call(&request)
    }
}

/// The address of the API, without a slash at its end.
fn base() -> String {
    host::address(BASE_URL, "https://api.twilio.com")
}

/// A resource of the account, and the credential for it.
fn resource(name: &str) -> Result<(String, Credential), Failure> {
    let Some(sid) = host::setting(ACCOUNT_SID) else {
        let why = format!("setting `{ACCOUNT_SID}` is missing");
        return Err(Failure::Misconfigured(reason("", why)));
    };
    let url = format!("{}/2010-04-01/Accounts/{}/{name}", base(), escape(&sid));
    Ok((url, credential(sid)))
}

fn credential(sid: String) -> Credential {
    Credential::Basic((sid, AUTH_TOKEN.to_owned()))
}

#[cfg(test)]
mod tests;
