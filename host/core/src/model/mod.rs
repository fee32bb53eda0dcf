//! The vocabulary every other module speaks: ids, phone numbers, stored records
//! and the batch that writes them. Plain data; what happens to it is decided in
//! `policy` and `engine`.

mod approval;
mod aside;
mod batch;
mod call;
mod campaign;
mod contact;
mod conversation;
mod feed;
mod ids;
pub mod keys;
mod message;
mod pending;
mod phone;
pub mod record;
mod repeat;
mod run;
mod secret;
mod timer;

pub use approval::{Answered, Approval, Told};
pub use aside::{Aside, Attention, Turn};
pub use batch::{Batch, Key, Precondition, Revision, State, Versioned};
pub use call::{Call, CallStatus};
pub use campaign::{
    Campaign, InCampaign, Marks, Pause, PausedBy, Score, Spent, Standing, Started, TextedBy,
};
pub use contact::{Consent, Contact, ContactNote, OptOut, OptOutSource, Recent, RunRef, Thread};
pub use conversation::{Conversation, Handoff, LastText};
pub use feed::{Entries, Entry, RawWebhook};
pub use ids::{CallId, ConversationId, EventId, Ids, MessageId, RunId};
pub use message::{
    Attachment, Attempt, Direction, Message, Origin, Outcome, Problem, Status, Verdict,
};
pub use pending::{Group, Pending};
pub use phone::PhoneNumber;
pub use repeat::{Binding, StoredBinding};
pub use run::{
    Enrollment, Fan, Head, Loop, Note, Notes, Once, Parent, Run, RunStatus, StoredDefinition, Tick,
    Waiting,
};
pub use secret::Secret;
pub use timer::{Task, Timer};

#[cfg(test)]
mod tests;
