//! What providers call: texts, delivery reports, calls. In this order: the size
//! limit, the signature, reading, one durable commit, the answer. Nothing slow
//! happens before the answer.

mod kept;
mod read;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Method, Request as HttpRequest, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ringback_core::engine::{CallReport, Calls, IncomingText, Input, Report, Voice};
use ringback_core::model::{
    Attachment, Batch, Direction, Ids, MessageId, RawWebhook, keys, record,
};
use ringback_core::sms::Keyword;
use ringback_sandbox::contract::calling::{CallPlan, Forwarding};
use ringback_sandbox::contract::texting::OptOutWord;
use ringback_sandbox::contract::webhook::{ParseError, Reply, Request};
use ringback_sandbox::{CallError, Verified, VerifyError};
use ringback_store::Outcome as Stored;
use serde_json::json;
use tracing::{error, info, warn};

use crate::runtime::{Connector, Host, clock};

pub(crate) use kept::{Again, read_again};
use read::{call_report, delivery, number, odd};

/// The largest webhook that is read.
const BODY_LIMIT: usize = 1024 * 1024;

/// The routes under `/hooks`.
pub(crate) fn routes(host: Arc<Host>) -> Router {
    Router::new()
        .route("/hooks/{connection}/{hook}", any(receive))
        .with_state(host)
}

/// Which of the four webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hook {
    Text,
    Status,
    Call,
    Voice,
}

impl Hook {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "text" => Some(Self::Text),
            "status" => Some(Self::Status),
            "call" => Some(Self::Call),
            "voice" => Some(Self::Voice),
            _ => None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Status => "status",
            Self::Call => "call",
            Self::Voice => "voice",
        }
    }
}

fn refuse(status: StatusCode, code: &str, message: &str) -> Response {
    (
        status,
        axum::Json(json!({ "error": { "code": code, "message": message } })),
    )
        .into_response()
}

async fn receive(
    State(host): State<Arc<Host>>,
    Path((connection, hook)): Path<(String, String)>,
    request: HttpRequest<Body>,
) -> Response {
    let Some(hook) = Hook::parse(&hook) else {
        return refuse(
            StatusCode::NOT_FOUND,
            "not_found",
            "a connection's webhooks are text, status, call and voice",
        );
    };
    let connectors = host.connectors();
    let Some(connector) = connectors.get(&connection) else {
        let text = format!("there is no connection {connection:?}");
        return refuse(StatusCode::NOT_FOUND, "not_found", &text);
    };
    let (parts, body) = request.into_parts();
    if !matches!(parts.method, Method::POST | Method::GET) {
        return refuse(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "webhooks are POSTed",
        );
    }
    let Ok(body) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        return refuse(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            "a webhook has at most 1 MiB",
        );
    };
    let request = Request {
        method: parts.method.as_str().to_owned(),
        url: address(&host, &parts.uri),
        headers: parts
            .headers
            .iter()
            .map(|(name, value)| {
                (
                    name.as_str().to_owned(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect(),
        body: body.into(),
        received_at: u32::try_from(clock::now().as_second()).unwrap_or(u32::MAX),
    };
    let kept = request.clone();
    let context = connector.context(format!("webhook {}", hook.word()));
    let verified = match connector.plugin.verify(&context, request).await {
        Ok(verified) => verified,
        Err(VerifyError::Refused) => {
            warn!(
                connection,
                hook = hook.word(),
                "a webhook's signature is wrong; nothing was stored"
            );
            return refuse(
                StatusCode::FORBIDDEN,
                "signature",
                "the signature does not fit; is public_url the address that the provider calls?",
            );
        }
        Err(VerifyError::Unchecked(problem)) => {
            error!(
                connection,
                hook = hook.word(),
                "a webhook could not be checked: {problem}"
            );
            return refuse(
                StatusCode::SERVICE_UNAVAILABLE,
                "unchecked",
                "the signature could not be checked; try again",
            );
        }
    };
    let work = Work {
        host: &host,
        connector,
        connection: &connection,
        verified: &verified,
    };
    let taken = match hook {
        Hook::Text => work.text().await,
        Hook::Status => work.status().await,
        Hook::Call => work.call().await,
        Hook::Voice => work.voice().await,
    };
    match taken {
        Ok(reply) => answer(reply),
        Err(Trouble::Ignore) => StatusCode::OK.into_response(),
        Err(Trouble::Unreadable(problem)) => {
            keep(
                &host,
                &connection,
                hook,
                kept,
                problem,
                StatusCode::BAD_REQUEST,
            )
            .await
        }
        Err(Trouble::Odd(sender)) => {
            let problem = format!("{sender:?} is not a number that can be answered");
            keep(&host, &connection, hook, kept, problem, StatusCode::OK).await
        }
        Err(Trouble::Plugin(error)) => {
            keep(
                &host,
                &connection,
                hook,
                kept,
                error.to_string(),
                StatusCode::OK,
            )
            .await
        }
        Err(Trouble::Host(problem)) => {
            error!(
                connection,
                hook = hook.word(),
                "could not take a webhook: {problem}"
            );
            refuse(
                StatusCode::SERVICE_UNAVAILABLE,
                "not_stored",
                "it could not be stored; try again",
            )
        }
    }
}

/// The address the provider called, as signatures cover it: the public address,
/// and the path and query exactly as received.
fn address(host: &Host, uri: &Uri) -> String {
    let path = uri
        .path_and_query()
        .map_or(uri.path(), |path| path.as_str());
    format!("{}{path}", host.base_url())
}

fn answer(reply: Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    if reply.body.is_empty() {
        return status.into_response();
    }
    (status, [("content-type", reply.content_type)], reply.body).into_response()
}

/// Keeps a genuine webhook that could not be read, so that it can be replayed.
async fn keep(
    host: &Host,
    connection: &str,
    hook: Hook,
    request: Request,
    problem: String,
    status: StatusCode,
) -> Response {
    warn!(
        connection,
        hook = hook.word(),
        "a genuine webhook could not be read and is kept: {problem}"
    );
    let now = clock::now();
    let id = Ids::new(now, clock::seed()).event();
    let headers = request.headers.into_iter().filter(|(name, _)| {
        !matches!(
            name.as_str(),
            "authorization" | "cookie" | "proxy-authorization"
        )
    });
    let raw = RawWebhook {
        at: now,
        connection: connection.to_owned(),
        hook: hook.word().to_owned(),
        url: request.url,
        headers: headers.collect(),
        body: BASE64_STANDARD.encode(&request.body),
        problem: problem.clone(),
        verified: true,
    };
    let stored = match record::encode(&raw) {
        Ok(bytes) => {
            let mut batch = Batch::default();
            batch.writes.insert(keys::raw_webhook(&id), Some(bytes));
            matches!(host.store().commit(batch).await, Ok(Stored::Done(_)))
        }
        Err(_) => false,
    };
    if !stored {
        return refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "not_stored",
            "it could not be stored; try again",
        );
    }
    if status.is_success() {
        return status.into_response();
    }
    refuse(
        status,
        "unreadable",
        &format!("it is genuine, and could not be read: {problem}"),
    )
}

/// Why a verified webhook led to nothing.
enum Trouble {
    Ignore,
    Unreadable(String),
    /// From a short code or a name.
    Odd(String),
    Plugin(CallError),
    Host(crate::runtime::Error),
}

impl From<CallError> for Trouble {
    fn from(error: CallError) -> Self {
        Self::Plugin(error)
    }
}

impl From<ParseError> for Trouble {
    fn from(error: ParseError) -> Self {
        match error {
            ParseError::Ignore => Self::Ignore,
            ParseError::Malformed(text) => Self::Unreadable(text),
        }
    }
}

impl From<crate::runtime::Error> for Trouble {
    fn from(error: crate::runtime::Error) -> Self {
        Self::Host(error)
    }
}

/// A verified webhook on its way.
struct Work<'a> {
    host: &'a Arc<Host>,
    connector: &'a Connector,
    connection: &'a str,
    verified: &'a Verified,
}

impl Work<'_> {
    async fn text(&self) -> Result<Reply, Trouble> {
        let context = self.connector.context("text");
        let (text, reply) = self
            .connector
            .plugin
            .read_text(&context, self.verified)
            .await??;
        // Short codes and names write, too; nobody can be answered there.
        let from = number(&text.from).ok_or_else(|| Trouble::Odd(text.from.clone()))?;
        let to = number(&text.to).ok_or_else(|| odd("to", &text.to))?;
        let input = Input::Text(IncomingText {
            connection: self.connection.to_owned(),
            provider_id: text.provider_id,
            from,
            to: to.clone(),
            body: text.body,
            media: text
                .attachments
                .into_iter()
                .map(|one| Attachment {
                    url: one.url,
                    media_type: one.media_type,
                })
                .collect(),
            keyword: text.opt_out.map(|word| match word {
                OptOutWord::Stop => Keyword::Stop,
                OptOutWord::Start => Keyword::Start,
                OptOutWord::Help => Keyword::Help,
            }),
        });
        if self.host.setup().owner(&to).is_none() {
            warn!(
                connection = self.connection,
                "a text came to {to}, which no agent owns; add it to the `numbers` of one"
            );
        }
        self.host.take(&input).await?;
        Ok(reply)
    }

    async fn status(&self) -> Result<Reply, Trouble> {
        let context = self.connector.context("status");
        let (reports, reply) = self
            .connector
            .plugin
            .read_report(&context, self.verified)
            .await??;
        for report in reports {
            let input = Input::Report(Report {
                connection: self.connection.to_owned(),
                provider_id: report.provider_id,
                id: report.id.as_deref().and_then(MessageId::parse),
                delivery: delivery(report.delivery),
            });
            self.host.take(&input).await?;
        }
        Ok(reply)
    }

    async fn read_call(&self) -> Result<(CallReport, Reply), Trouble> {
        let context = self.connector.context("call");
        let (report, reply) = self
            .connector
            .plugin
            .read_call(&context, self.verified)
            .await??;
        let report = call_report(self.connection, report);
        Ok((report, reply))
    }

    async fn call(&self) -> Result<Reply, Trouble> {
        let (report, reply) = self.read_call().await?;
        self.warn_if_unowned(&report);
        self.host.take(&Input::Call(report)).await?;
        Ok(reply)
    }

    fn warn_if_unowned(&self, report: &CallReport) {
        let ours = match report.direction {
            Direction::Inbound => report.to.as_ref(),
            Direction::Outbound => report.from.as_ref(),
        };
        if let Some(number) = ours
            && report.id.is_none()
            && self.host.setup().owner(number).is_none()
        {
            warn!(
                connection = self.connection,
                "a call concerns {number}, which no agent owns; add it to the `numbers` of one"
            );
        }
    }

    async fn voice(&self) -> Result<Reply, Trouble> {
        let (report, _) = self.read_call().await?;
        self.warn_if_unowned(&report);
        let setup = self.host.setup();
        let agent = report.to.as_ref().and_then(|number| setup.owner(number));
        let say = |text: &str| CallPlan::Say(text.to_owned());
        let plan = match agent.and_then(|agent| agent.calls.as_ref()) {
            Some(Calls::Forward { to, ring_for }) => CallPlan::Forward(Forwarding {
                to: to.to_string(),
                ring_for: *ring_for,
                report_url: format!(
                    "{}/hooks/{}/call?leg=forwarded",
                    self.host.base_url(),
                    self.connection
                ),
            }),
            Some(Calls::Missed) | None => match agent.and_then(|agent| agent.voice.as_ref()) {
                Some(Voice::Say(text)) => say(text),
                _ if agent.is_some() => {
                    say("Sorry, nobody can take your call right now. We will text you.")
                }
                _ => say("This number is not in service."),
            },
        };
        info!(connection = self.connection, "a call comes in");
        self.host.take(&Input::Call(report)).await?;
        let context = self.connector.context("voice");
        Ok(self
            .connector
            .plugin
            .answer_call(&context, self.verified, &plan)
            .await??)
    }
}
