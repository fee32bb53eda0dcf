//! Calling a connector: webhooks, texts, calls.

use std::sync::{Mutex, PoisonError};

use crate::bindings::contract::calling::{CallPlan, CallReport, CallStep, OutgoingCall};
use crate::bindings::contract::http::{Answer, Ask, Failure};
use crate::bindings::contract::texting::{
    DeliveryReport, FindStep, IncomingText, OutgoingText, SendStep,
};
use crate::bindings::contract::webhook::{ParseError, Reply, Request};
use crate::call::{Cause, Error, Frame, Session, invoke};
use crate::limits::ASK_STATE;
use crate::plugin::{Context, Plugin};
use ringback_core::model::RawWebhook;

/// A webhook whose signature was found genuine. Only [`Plugin::verify`] makes
/// one, or [`Plugin::kept`] of a record that says so, and only one of these can
/// be read: so nothing is parsed unverified.
#[derive(Debug)]
pub struct Verified {
    request: Request,
    plugin: String,
    connection: String,
    /// The instance that verified it: it may also read it, since that is one
    /// matter, and starting another takes as long as the reading itself.
    session: Mutex<Option<(String, Session)>>,
}

impl Verified {
    /// The instance, if it is of this version of the plugin.
    fn session(&self, digest: &str) -> Option<Session> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, session) = session.take()?;
        (of == digest).then_some(session)
    }
}

impl Verified {
    /// The request itself.
    pub fn request(&self) -> &Request {
        &self.request
    }
}

/// Why a webhook is not to be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// It is not from the provider. Answered with 403.
    #[error("the webhook is not genuine")]
    Refused,
    /// It could not be checked; the text says why. Answered with 503, so that
    /// the provider tries again.
    #[error("could not check the webhook: {0}")]
    Unchecked(String),
}

impl Plugin {
    fn frame(&self, function: &'static str) -> Frame<'_> {
        Frame {
            host: &self.host,
            plugin: &self.name,
            function,
        }
    }

    /// Asks whether a webhook is genuine. `received_at` of the request is the
    /// clock for schemes with a time window.
    pub async fn verify(
        &self,
        context: &Context,
        request: Request,
    ) -> Result<Verified, VerifyError> {
        let answer = invoke!(
            self.frame("connector.verify"),
            self.pre,
            &self.exports.connector,
            Some(context),
            Some(request.received_at),
            None,
            call_verify(&request)
        );
        match answer {
            Ok((Ok(true), session)) => Ok(Verified {
                request,
                plugin: self.name.clone(),
                connection: context.connection.name.clone(),
                session: Mutex::new(Some((self.digest.clone(), session))),
            }),
            Ok((Ok(false), _)) => Err(VerifyError::Refused),
            Ok((Err(reason), _)) => Err(VerifyError::Unchecked(reason)),
            Err(error) => Err(VerifyError::Unchecked(error.to_string())),
        }
    }

    /// A webhook that was found genuine when it came, and was kept because it
    /// could not be read then. None when its record does not say so: it then has
    /// to be verified like any.
    pub fn kept(
        &self,
        context: &Context,
        request: Request,
        record: &RawWebhook,
    ) -> Option<Verified> {
        record.verified.then(|| Verified {
            request,
            plugin: self.name.clone(),
            connection: context.connection.name.clone(),
            session: Mutex::new(None),
        })
    }

    /// The next step of sending a text: the request to perform, or the receipt.
    /// Called with no answer first, then with the answer to each request. Call
    /// it only with a permit of the send gate.
    pub async fn send(
        &self,
        context: &Context,
        text: &OutgoingText,
        answer: Option<&Answer>,
    ) -> Result<Result<SendStep, Failure>, Error> {
        let frame = self.frame("texting.send");
        let step = invoke!(
            frame,
            self.pre,
            &self.exports.texting,
            Some(context),
            None,
            None,
            call_send(text, answer)
        )?
        .0;
        if let Ok(SendStep::Ask(ask)) = &step {
            check_ask(frame, ask)?;
        }
        Ok(step)
    }

    /// The next step of looking up an uncertain text. `attempted_at` is RFC 3339
    /// in UTC.
    pub async fn find(
        &self,
        context: &Context,
        text: &OutgoingText,
        attempted_at: &str,
        answer: Option<&Answer>,
    ) -> Result<Result<FindStep, Failure>, Error> {
        let frame = self.frame("texting.find");
        let attempted_at = attempted_at.to_owned();
        let step = invoke!(
            frame,
            self.pre,
            &self.exports.texting,
            Some(context),
            None,
            None,
            call_find(text, &attempted_at, answer)
        )?
        .0;
        if let Ok(FindStep::Ask(ask)) = &step {
            check_ask(frame, ask)?;
        }
        Ok(step)
    }

    /// The next step of placing a call. Call it only with a permit of the gate.
    pub async fn place(
        &self,
        context: &Context,
        call: &OutgoingCall,
        answer: Option<&Answer>,
    ) -> Result<Result<CallStep, Failure>, Error> {
        let frame = self.frame("calling.place");
        let step = invoke!(
            frame,
            self.pre,
            &self.exports.calling,
            Some(context),
            None,
            None,
            call_place(call, answer)
        )?
        .0;
        if let Ok(CallStep::Ask(ask)) = &step {
            check_ask(frame, ask)?;
        }
        Ok(step)
    }

    /// Reads the webhook of a contact's text.
    pub async fn read_text(
        &self,
        context: &Context,
        webhook: &Verified,
    ) -> Result<Result<(IncomingText, Reply), ParseError>, Error> {
        let frame = self.reading("texting.read-text", context, webhook)?;
        invoke!(
            frame,
            self.pre,
            &self.exports.texting,
            Some(context),
            Some(webhook.request.received_at),
            webhook.session(&self.digest),
            call_read_text(&webhook.request)
        )
        .map(|(read, _)| read)
    }

    /// Reads a delivery report.
    pub async fn read_report(
        &self,
        context: &Context,
        webhook: &Verified,
    ) -> Result<Result<(Vec<DeliveryReport>, Reply), ParseError>, Error> {
        let frame = self.reading("texting.read-report", context, webhook)?;
        invoke!(
            frame,
            self.pre,
            &self.exports.texting,
            Some(context),
            Some(webhook.request.received_at),
            webhook.session(&self.digest),
            call_read_report(&webhook.request)
        )
        .map(|(read, _)| read)
    }

    /// Reads a webhook about a call, also the one that asks what to do with it.
    pub async fn read_call(
        &self,
        context: &Context,
        webhook: &Verified,
    ) -> Result<Result<(CallReport, Reply), ParseError>, Error> {
        let frame = self.reading("calling.read-call", context, webhook)?;
        invoke!(
            frame,
            self.pre,
            &self.exports.calling,
            Some(context),
            Some(webhook.request.received_at),
            webhook.session(&self.digest),
            call_read_call(&webhook.request)
        )
        .map(|(read, _)| read)
    }

    /// Puts what to do with an incoming call into the provider's words.
    pub async fn answer_call(
        &self,
        context: &Context,
        webhook: &Verified,
        plan: &CallPlan,
    ) -> Result<Result<Reply, ParseError>, Error> {
        let frame = self.reading("calling.answer-call", context, webhook)?;
        invoke!(
            frame,
            self.pre,
            &self.exports.calling,
            Some(context),
            Some(webhook.request.received_at),
            webhook.session(&self.digest),
            call_answer_call(&webhook.request, plan)
        )
        .map(|(read, _)| read)
    }

    /// The frame for reading a webhook, if it was verified by this plugin for
    /// this connection: one connection's signature says nothing about another.
    fn reading(
        &self,
        function: &'static str,
        context: &Context,
        webhook: &Verified,
    ) -> Result<Frame<'_>, Error> {
        let frame = self.frame(function);
        if webhook.plugin != self.name || webhook.connection != context.connection.name {
            return Err(frame.error(Cause::NotVerified));
        }
        Ok(frame)
    }
}

/// What the host stores with every request must stay small.
fn check_ask(frame: Frame<'_>, ask: &Ask) -> Result<(), Error> {
    if ask.state.len() > ASK_STATE {
        let what = format!(
            "the state of a request holds {} bytes, more than {ASK_STATE}",
            ask.state.len()
        );
        return Err(frame.error(Cause::Unfit(what)));
    }
    Ok(())
}
