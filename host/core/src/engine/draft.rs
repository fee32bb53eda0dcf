//! A text that somebody wants sent: what it is made of, and its place at the end
//! of its conversation's lane. What happens to it there stands in [`super::texts`].

use jiff::Timestamp;

use super::texts::{store, tell};
use super::tx::Follow;
use super::{Agent, Step, Tx, inbound, threads};
use crate::model::{
    Aside, Attachment, CallId, Conversation, Direction, InCampaign, Message, MessageId, Origin,
    PhoneNumber, Status, keys,
};
use crate::workflow::{Definition, Intent, OnUnknown, Window};

/// The most characters of a text (Twilio's limit, and RevRing's).
pub(super) const LONGEST: usize = 1_600;

/// Why a text cannot be sent for its length, if it cannot.
pub(super) fn too_long(body: &str) -> Option<String> {
    let characters = body.chars().count();
    (characters > LONGEST)
        .then(|| format!("the text has {characters} characters; {LONGEST} is the most"))
}

/// A text that somebody wants sent, before it is a record.
pub(super) struct Draft {
    pub(super) connection: String,
    pub(super) number: Option<PhoneNumber>,
    pub(super) body: String,
    pub(super) media: Vec<Attachment>,
    pub(super) origin: Origin,
    pub(super) intent: Intent,
    pub(super) call: Option<CallId>,
    pub(super) valid_until: Option<Timestamp>,
    pub(super) window: Option<Window>,
    pub(super) campaign: Option<Box<InCampaign>>,
    pub(super) on_unknown: OnUnknown,
}

impl Draft {
    /// A plain text of an agent, from its first number.
    pub(super) fn new(agent: &Agent, body: String, origin: Origin, intent: Intent) -> Self {
        Self {
            connection: agent.connection.clone().unwrap_or_default(),
            number: agent.numbers.first().cloned(),
            body,
            media: Vec::new(),
            origin,
            intent,
            call: None,
            valid_until: None,
            window: None,
            campaign: None,
            on_unknown: OnUnknown::default(),
        }
    }

    /// Gives it what its workflow says of all of its texts.
    pub(super) fn of(&mut self, definition: &Definition) {
        self.window.clone_from(&definition.window);
        self.campaign = definition.campaign_id().map(|id| {
            Box::new(InCampaign {
                id,
                workflow: definition.id.clone(),
                ..InCampaign::default()
            })
        });
    }
}

/// Makes a text of a draft and puts it at the end of its conversation's lane.
pub(super) fn queue(
    tx: &mut Tx<'_>,
    mut conversation: Conversation,
    draft: Draft,
) -> Step<MessageId> {
    let mut message = record(tx, &conversation, draft);
    let id = message.id.clone();
    store(tx, &mut message)?;
    tx.put(keys::place(&conversation.id, &id), &())?;
    tell(tx, "message.queued", &message);
    conversation.lane.push(id.clone());
    conversation.last_at = tx.now;
    threads::put(tx, &conversation)?;
    tx.follow(Follow::Pump(conversation.id));
    Ok(id)
}

/// The text that a draft becomes, nowhere yet.
pub(super) fn record(tx: &mut Tx<'_>, conversation: &Conversation, draft: Draft) -> Message {
    Message {
        id: tx.ids.message(),
        direction: Direction::Outbound,
        conversation: conversation.id.clone(),
        agent: conversation.agent.clone(),
        connection: draft.connection,
        contact: conversation.contact.clone(),
        number: draft.number,
        segments: inbound::count(&draft.body),
        body: draft.body,
        media: draft.media,
        status: Status::Queued,
        reason: None,
        problem: None,
        provider_id: None,
        origin: draft.origin,
        intent: draft.intent,
        call: draft.call,
        valid_until: draft.valid_until,
        not_before: None,
        on_unknown: draft.on_unknown,
        attempts: Vec::new(),
        verdicts: Vec::new(),
        looked: 0,
        called_off: None,
        timer: None,
        aside: Aside {
            window: draft.window,
            campaign: draft.campaign,
            ..Aside::default()
        },
        created_at: tx.now,
        updated_at: tx.now,
    }
}
