//! What can happen, and what the engine wants done about it: two closed lists.

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::work::{Work, WorkResult};
use crate::model::{
    Attachment, CallId, ConversationId, Direction, Key, MessageId, OptOutSource, Origin,
    PhoneNumber, Problem, RunId,
};
use crate::policy::pace::Sender;
use crate::sms::Keyword;
use crate::workflow::{Intent, OnUnknown, Workflow};
use std::sync::Arc;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// A contact's text.
    Text(IncomingText),
    /// A provider's word on a text of ours.
    Report(Report),
    /// A provider's word on a call.
    Call(CallReport),
    /// A program or person wants a text sent.
    Send(SendRequest),
    /// A program wants a call placed.
    Place(PlaceRequest),
    /// A program or person starts a workflow.
    Start(StartRequest),
    /// A timer is due.
    Timer(Key),
    /// An attempt to hand over a text ended.
    Sent(MessageId, SendResult),
    /// A look at the provider's list of texts ended.
    Looked(MessageId, Finding),
    /// An attempt to place a call ended.
    Placed(CallId, PlaceResult),
    /// The process that had this text in flight is gone.
    LostText(MessageId),
    /// The process that had this call in flight is gone.
    LostCall(CallId),
    /// What a step wanted done outside has ended: which of its run's works it was,
    /// and how.
    Worked(RunId, u32, WorkResult),
    /// The process that had a step's work under way is gone.
    LostWork(RunId),
    /// A person or program ends a run.
    Cancel(RunId),
    /// A person ends a run's wait.
    Wake(RunId),
    /// A person takes a run to the version in service.
    Move(RunId),
    /// A person lets a run that failed go on.
    Retry(RunId),
    /// A person or program frees a conversation.
    Release(ConversationId),
    /// A person takes a conversation: to whom, and why.
    Take(ConversationId, String, String),
    /// A contact is opted out (`true`) or in again, not by a text.
    OptOut(PhoneNumber, bool, OptOutSource),
    /// A person decides what became of a text that stayed unknown.
    Decide(MessageId, Decide),
    /// A person answers whether a text that waits for approval may be sent.
    Approve(MessageId, Approve),
    /// A text that failed is sent again, and one that is held tries at once.
    Replay(MessageId),
    /// Somebody saw that a text failed, and leaves it at that.
    Dismiss(MessageId),
    /// A program or person tells of a contact.
    Lead(LeadRequest),
    /// Another program called one of our addresses.
    Webhook(IncomingWebhook),
    /// A plugin or program tells of something.
    Event(PostedEvent),
    /// A workflow's file was loaded.
    Define(Arc<Workflow>),
    /// A workflow's file is gone.
    Undefine(String),
    /// A person or program pauses a campaign, by its id; and why, which may be empty.
    Pause(String, String),
    /// A person or program lets a campaign go on, by its id.
    Resume(String),
    /// Housekeeping: these records may be old enough to go. What is needed stays.
    Expire(Vec<Key>),
}

/// A contact's text.
#[derive(Clone, Debug)]
pub struct IncomingText {
    /// The connection it came in on.
    pub connection: String,
    /// The provider's id: the same text comes with the same id.
    pub provider_id: String,
    /// Who wrote it.
    pub from: PhoneNumber,
    /// The number they wrote to.
    pub to: PhoneNumber,
    /// The whole text.
    pub body: String,
    /// What came with it.
    pub media: Vec<Attachment>,
    /// The provider's own reading of opt-out words, when it has one.
    pub keyword: Option<Keyword>,
}

/// What became of a text, in a provider's words made neutral.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The provider has it.
    Queued,
    /// The provider handed it on.
    Sent,
    /// It arrived.
    Delivered,
    /// It was handed on and did not arrive.
    Undelivered(Problem),
    /// It was never handed on.
    Failed(Problem),
    /// The contact has opted out at the provider.
    OptedOut(Problem),
}

/// A delivery report.
#[derive(Clone, Debug)]
pub struct Report {
    /// The connection it came in on.
    pub connection: String,
    /// The provider's id of the text.
    pub provider_id: String,
    /// Our id, when the report's address carried it.
    pub id: Option<MessageId>,
    /// What became of it.
    pub delivery: Delivery,
}

/// Where a call is, in a provider's words made neutral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// It came in, or a phone rings.
    Ringing,
    /// Somebody took it.
    Answered,
    /// It ended after somebody took it.
    Completed,
    /// Nobody took it.
    NoAnswer,
    /// The line was taken.
    Busy,
    /// The caller hung up first.
    Canceled,
    /// It could not be connected.
    Failed,
    /// The number cannot be called at all; never `call.missed`.
    Rejected,
    /// A machine took it.
    Voicemail,
}

/// A provider's word on a call.
#[derive(Clone, Debug)]
pub struct CallReport {
    /// The connection it came in on.
    pub connection: String,
    /// The provider's id of the call: of the parent, when a leg was forwarded.
    pub provider_id: String,
    /// Our id, when the report's address carried it.
    pub id: Option<CallId>,
    /// Which way the call goes.
    pub direction: Direction,
    /// Who calls; none for a hidden number.
    pub from: Option<PhoneNumber>,
    /// Who is called.
    pub to: Option<PhoneNumber>,
    /// Where it is.
    pub outcome: CallOutcome,
    /// Whether this is the outcome of the leg that was forwarded to the owner.
    pub forwarded: bool,
    /// When it was taken.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Talk time in seconds.
    pub duration: Option<u32>,
    /// What was agreed.
    pub summary: Option<String>,
    /// Turns.
    pub transcript: Option<Json>,
    /// Where the recording is.
    pub recording_url: Option<String>,
    /// The provider's own cause.
    pub cause: Option<String>,
}

/// A repeatable request's own name: who asked, its key, and a hash of what was
/// asked, so that the same key with another body is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// Who asked: the API key's id and the route.
    pub source: String,
    /// The key the client chose.
    pub key: String,
    /// A hash of the request.
    pub digest: String,
}

/// A program or person wants a text sent. Everything is checked against the
/// configuration before; the numbers are whole.
#[derive(Clone, Debug)]
pub struct SendRequest {
    /// For clients that may ask twice.
    pub idempotency: Option<Idempotency>,
    /// The agent whose conversation it joins.
    pub agent: String,
    /// The connection it goes through.
    pub connection: String,
    /// Our number; none lets the provider choose.
    pub from: Option<PhoneNumber>,
    /// To whom.
    pub to: PhoneNumber,
    /// The text.
    pub body: String,
    /// What travels with it.
    pub media: Vec<Attachment>,
    /// Why it is sent.
    pub intent: Intent,
    /// Who wants it.
    pub origin: Origin,
    /// Too late after this.
    pub valid_until: Option<Timestamp>,
    /// What to do when it stays unknown.
    pub on_unknown: OnUnknown,
}

/// A program wants a call placed.
#[derive(Clone, Debug)]
pub struct PlaceRequest {
    /// For clients that may ask twice.
    pub idempotency: Option<Idempotency>,
    /// The agent that calls.
    pub agent: String,
    /// The connection it goes through.
    pub connection: String,
    /// Our number.
    pub from: PhoneNumber,
    /// Whom to call.
    pub to: PhoneNumber,
    /// What a voice agent is told.
    pub variables: Map<String, Json>,
    /// Seconds of ringing before giving up.
    pub ring_for: u32,
}

/// A program or person starts a workflow.
#[derive(Clone, Debug)]
pub struct StartRequest {
    /// For clients that may ask twice.
    pub idempotency: Option<Idempotency>,
    /// The workflow's id.
    pub workflow: String,
    /// For whom.
    pub contact: Option<PhoneNumber>,
    /// Checked inputs.
    pub input: Map<String, Json>,
}

/// A program or person tells what is known of a contact, who becomes a lead by it.
#[derive(Clone, Debug)]
pub struct LeadRequest {
    /// For clients that may ask twice. What is known already changes nothing anyway.
    pub idempotency: Option<Idempotency>,
    /// Who it is.
    pub phone: PhoneNumber,
    /// Fields to set; null removes one. The name is the field `name`.
    pub fields: Map<String, Json>,
    /// The IANA zone they live in.
    pub zone: Option<String>,
    /// Tags to add.
    pub tag: Vec<String>,
    /// Tags to take off.
    pub untag: Vec<String>,
    /// To what they agree, or do not agree any more.
    pub consent: Vec<ConsentChange>,
    /// A line for people.
    pub note: Option<String>,
}

impl LeadRequest {
    /// Nothing but a number, which alone makes a lead.
    pub fn new(phone: PhoneNumber) -> Self {
        Self {
            idempotency: None,
            phone,
            fields: Map::new(),
            zone: None,
            tag: Vec::new(),
            untag: Vec::new(),
            consent: Vec::new(),
            note: None,
        }
    }
}

/// That a contact agreed to texts of a kind, or took that back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentChange {
    /// To which texts.
    pub intent: Intent,
    /// Whether they agree.
    pub given: bool,
    /// How it is known.
    pub source: String,
    /// Since when; none is now.
    pub at: Option<Timestamp>,
}

/// A call of one of our addresses, by another program.
#[derive(Clone, Debug)]
pub struct IncomingWebhook {
    /// What stood after `/in/`.
    pub path: String,
    /// The workflows whose `verify` the call fits, those without one among them:
    /// see [`super::Catalog::webhooks`]. No other starts.
    pub workflows: Vec<String>,
    /// The body: JSON, or its text.
    pub body: Json,
    /// Headers, by names in small letters, without credentials.
    pub headers: Map<String, Json>,
    /// The query.
    pub query: Map<String, Json>,
}

/// Something that a plugin or program tells of.
#[derive(Clone, Debug)]
pub struct PostedEvent {
    /// For clients that may ask twice.
    pub idempotency: Option<Idempotency>,
    /// Who tells.
    pub plugin: String,
    /// What it is called.
    pub name: String,
    /// Whom it is about.
    pub contact: Option<PhoneNumber>,
    /// What there is to know.
    pub data: Json,
}

/// How an attempt to hand over a text ended. Whether it may have had an effect
/// was judged by whoever saw the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendResult {
    /// The provider has it.
    Accepted {
        /// The provider's id.
        provider_id: String,
    },
    /// It can never work as it is.
    Rejected(Problem),
    /// The contact has opted out at the provider.
    OptedOut(Problem),
    /// The settings are wrong: nothing will work until someone mends them.
    Misconfigured(Problem),
    /// The provider took nothing, for now. Seconds to wait, when it said so.
    RateLimited(Option<u32>, Problem),
    /// Certainly no effect; later it may work.
    Unavailable(Problem),
    /// It may have had an effect.
    Unknown(Problem),
    /// Called off before the first byte: the contact opted out meanwhile.
    CalledOff,
}

/// What a look at the provider's list showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// These texts of the provider could be it.
    Candidates(Vec<String>),
    /// This provider has no such list.
    Unsupported,
    /// The look did not work; try again later.
    Unavailable(Problem),
}

/// How an attempt to place a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlaceResult {
    /// The provider has it.
    Accepted {
        /// The provider's id.
        provider_id: String,
    },
    /// It certainly had no effect.
    Refused(Problem),
    /// It may have had an effect: held and shown.
    Unknown(Problem),
}

/// What a person decides about a text that stayed unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decide {
    /// It was sent.
    Sent,
    /// It was not: send it again.
    Resend,
    /// It was not, and shall not be.
    Drop,
}

/// A person's word on a text that waits for approval. Whoever may use the way that it
/// comes on may answer: `by` is kept, and not compared with the name in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approve {
    /// Who answers, for the record.
    pub by: String,
    /// Whether it may be sent.
    pub send: bool,
    /// Other words, where it may be sent; none leaves it as it is. They are the
    /// person's own: neither the guard nor `max_segments` of the step is asked, only
    /// the longest text that there is.
    pub body: Option<String>,
    /// Why it may not.
    pub reason: Option<String>,
}

/// Something to be done outside, after the batch is durable.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Hand this text to its provider. Only the gate makes it.
    Send(Gated),
    /// Look for this text in its provider's list.
    Look(MessageId),
    /// Place this call.
    Place(CallId),
    /// Do this for a step.
    Work(Box<Work>),
}

/// A text that passed the gate in the batch that this came with: the permit a
/// connector call needs. Nothing but the gate can make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gated {
    message: MessageId,
    contact: PhoneNumber,
    checks_opt_out: bool,
}

impl Gated {
    pub(super) fn new(message: MessageId, contact: PhoneNumber, checks_opt_out: bool) -> Self {
        Self {
            message,
            contact,
            checks_opt_out,
        }
    }

    /// The text.
    pub fn message(&self) -> &MessageId {
        &self.message
    }

    /// To whom: looked up once more among the numbers stopped in memory before
    /// the first byte leaves. The one confirmation of a STOP is excepted.
    pub fn contact(&self) -> Option<&PhoneNumber> {
        self.checks_opt_out.then_some(&self.contact)
    }
}

/// Something the shell keeps in memory, true once the batch is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// This number must not be texted from now on.
    Stopped(PhoneNumber),
    /// This number may be texted again.
    Resumed(PhoneNumber),
    /// The provider takes nothing from this number of ours until then.
    Slowed(Sender, Timestamp),
    /// The settings of this number's connection do not work; nobody needs to try
    /// until then.
    Broken(Sender, Timestamp, Problem),
    /// They work.
    Works(Sender),
    /// Nothing could tell what became of this text, and a person has to decide.
    Undecided(MessageId),
    /// Nothing could tell what became of this text, and it goes out once more, as
    /// its author wants it.
    SentAgain(MessageId),
}

/// What the caller is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Taken; nothing more to say.
    Done,
    /// The same thing was taken before; nothing was done.
    Repeat,
    /// Not for us: no such text, call or run.
    Unknown,
    /// A text was taken.
    Message(MessageId),
    /// A call was taken.
    Call(CallId),
    /// Runs were started (none, when no workflow wanted it).
    Runs(Vec<RunId>),
    /// The same key was used for another request.
    Conflict,
    /// It cannot be done; a sentence says why.
    Refused {
        /// A word: `not_running`, `already_enrolled`, …
        code: &'static str,
        /// A sentence.
        text: String,
    },
    /// A workflow's version is in service: its number, the number before, and
    /// how many versions there were.
    Version {
        /// The number now in service.
        now: u32,
        /// The number before, when it was another.
        before: Option<u32>,
    },
    /// So many of the records named were removed.
    Expired(usize),
    /// A run starts when those before it in its group have ended, or its campaign goes on.
    Queued,
    /// What is known of a contact: whether they became a lead by it, and the names of
    /// the fields that changed.
    Lead {
        /// They were none before.
        created: bool,
        /// In alphabetical order.
        changed: Vec<String>,
    },
}
