//! The layout of the one ordered byte space. The first byte names the table;
//! parts are separated by `/`, numbers are big-endian so that byte order is
//! number order, and ids are time-ordered so that scans are chronological.
//!
//! | table | key | holds |
//! |---|---|---|
//! | `a` | call id | [`super::Call`] |
//! | `b` | connection, provider's call id | id of our call |
//! | `c` | conversation id | [`super::Conversation`] |
//! | `d` | definition hash | [`super::StoredDefinition`] |
//! | `e` | event id, of the first | [`super::Entries`] of the feed, those of one commit |
//! | `f` | conversation id, workflow id, trigger number | [`super::Pending`]: a turn or a silence |
//! | `g` | key id | an API key, hashed |
//! | `h` | workflow id, step and contact | the way that a `split` took for a contact |
//! | `i` | message, call or run id | in flight: an attempt without an outcome, a step's work |
//! | `j` | run id, number of the first | [`super::Notes`] of the run's timeline, those of one commit |
//! | `k` | source, foreign id | dedupe and idempotency |
//! | `l` | workflow id, enrollment key | [`super::Enrollment`] |
//! | `m` | conversation id, message id | order of a conversation |
//! | `n` | workflow id, what a `once` came to | [`super::Once`]: the step was done |
//! | `o` | message id | [`super::Message`] |
//! | `p` | phone number | [`super::Contact`], the guard record |
//! | `q` | word of [`super::Attention`], message id | a text that is in that short list |
//! | `r` | run id | [`super::Run`] |
//! | `s` | workflow id, trigger number | [`super::Tick`]: where a schedule stands |
//! | `t` | due time, random | [`super::Timer`] |
//! | `u` | event id | [`super::RawWebhook`] that could not be read |
//! | `v` | connection, provider's text id | id of our text |
//! | `w` | workflow id | [`super::Head`]: the version in service |
//! | `x` | a name | where the host's own housekeeping stands |
//! | `A` | phone number, letters | id of the text that a person answers with these letters |
//! | `C` | campaign id | [`super::Campaign`]: what it may do now, and who waits |
//! | `F` | run id, number | things of a `for_each` whose runs are still to be started |
//! | `L` | campaign id, number | id of a text that waits in the campaign's line |
//! | `Q` | campaign id, number | [`super::Started`]: what starts when the campaign goes on |
//! | `S` | campaign id | [`super::Score`]: what came of the campaign's texts |
//! | `y` | phone number, event id | [`super::ContactNote`]: a line about the contact |
//! | `z` | workflow id, group | [`super::Group`]: whose turn it is |
//! | `z` | workflow id, group, number | what waits for its turn there |

use jiff::Timestamp;

use super::{Attention, CallId, ConversationId, EventId, Key, MessageId, PhoneNumber, RunId};

fn key(table: u8, parts: &[&[u8]]) -> Key {
    let mut bytes = Vec::with_capacity(2 + parts.iter().map(|p| p.len() + 1).sum::<usize>());
    bytes.push(table);
    for part in parts {
        bytes.push(b'/');
        bytes.extend_from_slice(part);
    }
    Key::new(bytes)
}

/// Foreign text as a fixed number of bytes, so that no foreign id can be too
/// long for a key or reach into another's space.
fn digest(parts: &[&str]) -> [u8; 20] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let mut digest = [0; 20];
    hasher.finalize_xof().fill(&mut digest);
    digest
}

/// Whether keys of this one's table are written once and not looked at again by
/// the engine: the feed, timelines, the order of a conversation, short lists.
pub fn is_only_appended(key: &Key) -> bool {
    matches!(key.as_bytes().first(), Some(b'e' | b'j' | b'm' | b'q'))
}

/// Whether keys of this one's table come about in the order in which they sort, as
/// good as: they begin with a time, an id made of one, or one of few words and then
/// such an id. It depends on the first byte alone.
///
/// A hint to a store about how to lay pairs out, never about what they mean: one
/// that sorts otherwise is only kept at a higher price. The answer for a table
/// that is in use changes only together with the layout version of every store
/// that asks, since such a state has to be laid out anew.
pub fn is_in_order_of_time(key: &Key) -> bool {
    matches!(
        key.as_bytes().first(),
        Some(b'a' | b'c' | b'e' | b'i' | b'j' | b'm' | b'o' | b'q' | b'r' | b't' | b'u')
    )
}

/// All keys of a table: from the first to just after the last.
pub fn table(table: u8) -> (Key, Key) {
    (Key::new([table, b'/']), Key::new([table, b'/' + 1]))
}

/// All keys of a table whose first part is this.
pub fn under(table: u8, part: &str) -> (Key, Key) {
    let from = [&[table, b'/'], part.as_bytes(), b"/"].concat();
    let mut to = from.clone();
    to.pop();
    to.push(b'/' + 1);
    (Key::new(from), Key::new(to))
}

/// The records of a table that were made before a time, for the tables whose
/// keys are ids: texts, runs, calls, entries of the feed, unread webhooks. `None`
/// for other tables, and for times before 1970.
pub fn made_before(table: u8, time: Timestamp) -> Option<(Key, Key)> {
    let millis = u64::try_from(time.as_millisecond()).ok()?;
    let hex = format!("{millis:012x}");
    let to = match table {
        b'a' => {
            let (first, second) = hex.split_at_checked(8)?;
            format!("a/{first}-{second}")
        }
        b'e' => format!("e/{}{hex}", EventId::PREFIX),
        b'o' => format!("o/{}{hex}", MessageId::PREFIX),
        b'r' => format!("r/{}{hex}", RunId::PREFIX),
        b'u' => format!("u/{}{hex}", EventId::PREFIX),
        _ => return None,
    };
    Some((Key::new([table, b'/']), Key::new(to.as_bytes())))
}

/// The table of a key: its first byte.
pub fn table_of(key: &Key) -> Option<u8> {
    key.as_bytes().first().copied()
}

/// What stands after the table's letter, where that is text: an id, a hash.
pub fn name_of(key: &Key) -> Option<&str> {
    std::str::from_utf8(key.as_bytes().get(2..)?).ok()
}

/// A record of the host's own housekeeping.
pub fn housekeeping(name: &str) -> Key {
    key(b'x', &[name.as_bytes()])
}

/// A call.
pub fn call(id: &CallId) -> Key {
    key(b'a', &[id.as_str().as_bytes()])
}

/// Which of our calls a provider means.
pub fn provider_call(connection: &str, provider_id: &str) -> Key {
    key(b'b', &[&digest(&[connection, provider_id])])
}

/// The head of a conversation.
pub fn conversation(id: &ConversationId) -> Key {
    key(b'c', &[id.as_str().as_bytes()])
}

/// A definition, by its content hash.
pub fn definition(hash: &str) -> Key {
    key(b'd', &[hash.as_bytes()])
}

/// The entries that one commit added to the feed, by the first of their ids.
pub fn event(id: &EventId) -> Key {
    key(b'e', &[id.as_str().as_bytes()])
}

/// An API key, by the public part of it.
pub fn api_key(id: &str) -> Key {
    key(b'g', &[id.as_bytes()])
}

/// The mark of a text whose attempt has no outcome yet.
pub fn text_in_flight(id: &MessageId) -> Key {
    key(b'i', &[id.as_str().as_bytes()])
}

/// The mark of a call whose attempt has no outcome yet.
pub fn call_in_flight(id: &CallId) -> Key {
    key(b'i', &[id.as_str().as_bytes()])
}

/// The mark of a run whose step wants something done outside.
pub fn work_in_flight(id: &RunId) -> Key {
    key(b'i', &[id.as_str().as_bytes()])
}

/// What one commit added to a run's timeline, by the number of the first.
pub fn note(run: &RunId, number: u32) -> Key {
    key(b'j', &[run.as_str().as_bytes(), &number.to_be_bytes()])
}

/// Whether something foreign was taken before: a webhook, an idempotency key.
pub fn taken(source: &str, foreign_id: &str) -> Key {
    key(b'k', &[&digest(&[source, foreign_id])])
}

/// The last enrollment of a key in a workflow.
pub fn enrollment(workflow: &str, enrollment_key: &str) -> Key {
    key(b'l', &[workflow.as_bytes(), &digest(&[enrollment_key])])
}

/// The way that a `split` took for a contact.
pub fn arm(workflow: &str, step: &str, contact: &PhoneNumber) -> Key {
    key(
        b'h',
        &[workflow.as_bytes(), &digest(&[step, contact.as_str()])],
    )
}

/// Some of the things of a `for_each` at the top of a file.
pub fn things(run: &RunId, number: u32) -> Key {
    key(b'F', &[run.as_str().as_bytes(), &number.to_be_bytes()])
}

/// What a campaign may do now, and who waits.
pub fn campaign(id: &str) -> Key {
    key(b'C', &[id.as_bytes()])
}

/// What came of a campaign's texts.
pub fn score(campaign: &str) -> Key {
    key(b'S', &[campaign.as_bytes()])
}

/// A text that waits in a campaign's line, by its number.
pub fn in_campaign_line(campaign: &str, number: u64) -> Key {
    key(b'L', &[campaign.as_bytes(), &number.to_be_bytes()])
}

/// What starts when a campaign goes on, by its number.
pub fn starts_later(campaign: &str, number: u64) -> Key {
    key(b'Q', &[campaign.as_bytes(), &number.to_be_bytes()])
}

/// That a step with a `once` was done under this name.
pub fn once(workflow: &str, name: &str) -> Key {
    key(b'n', &[workflow.as_bytes(), &digest(&[name])])
}

/// Which text a person means who answers with these letters.
pub fn approval(person: &PhoneNumber, code: &str) -> Key {
    key(b'A', &[person.as_str().as_bytes(), code.as_bytes()])
}

/// The place of a text in its conversation.
pub fn place(conversation: &ConversationId, message: &MessageId) -> Key {
    key(
        b'm',
        &[
            conversation.as_str().as_bytes(),
            message.as_str().as_bytes(),
        ],
    )
}

/// A text.
pub fn message(id: &MessageId) -> Key {
    key(b'o', &[id.as_str().as_bytes()])
}

/// The guard record of a number.
pub fn contact(number: &PhoneNumber) -> Key {
    key(b'p', &[number.as_str().as_bytes()])
}

/// The mark of a text in one of the short lists.
pub fn attention(why: Attention, id: &MessageId) -> Key {
    key(b'q', &[why.word().as_bytes(), id.as_str().as_bytes()])
}

/// A run.
pub fn run(id: &RunId) -> Key {
    key(b'r', &[id.as_str().as_bytes()])
}

/// Where the n-th trigger of a workflow, a schedule, stands.
pub fn tick(workflow: &str, trigger: usize) -> Key {
    key(
        b's',
        &[workflow.as_bytes(), &(trigger as u64).to_be_bytes()],
    )
}

/// A timer: first by its due time in milliseconds, then by its own bytes.
pub fn timer(due: Timestamp, own: [u8; 16]) -> Key {
    let millis = u64::try_from(due.as_millisecond()).unwrap_or(0);
    key(b't', &[&[&millis.to_be_bytes()[..], &own].concat()])
}

/// When the timer of this key is due; `None` when it is no timer's key.
pub fn timer_due(key: &Key) -> Option<Timestamp> {
    let millis: [u8; 8] = key
        .as_bytes()
        .strip_prefix(b"t/")?
        .get(..8)?
        .try_into()
        .ok()?;
    Timestamp::from_millisecond(i64::try_from(u64::from_be_bytes(millis)).ok()?).ok()
}

/// All timers due before this time.
pub fn timers_until(due: Timestamp) -> (Key, Key) {
    let millis = u64::try_from(due.as_millisecond()).unwrap_or(0);
    (Key::new(*b"t/"), key(b't', &[&millis.to_be_bytes()]))
}

/// A webhook that was genuine and could not be read.
pub fn raw_webhook(id: &EventId) -> Key {
    key(b'u', &[id.as_str().as_bytes()])
}

/// Which of our texts a provider means.
pub fn provider_text(connection: &str, provider_id: &str) -> Key {
    key(b'v', &[&digest(&[connection, provider_id])])
}

/// The version of a workflow that is in service.
pub fn workflow(id: &str) -> Key {
    key(b'w', &[id.as_bytes()])
}

/// What a trigger of a workflow keeps of a conversation: a turn, or a silence.
pub fn pending(conversation: &ConversationId, workflow: &str, trigger: usize) -> Key {
    key(
        b'f',
        &[
            conversation.as_str().as_bytes(),
            workflow.as_bytes(),
            &(trigger as u64).to_be_bytes(),
        ],
    )
}

/// A line about a contact.
pub fn contact_note(number: &PhoneNumber, id: &EventId) -> Key {
    key(b'y', &[number.as_str().as_bytes(), id.as_str().as_bytes()])
}

/// Whose turn it is in a group of a workflow's runs.
pub fn group(workflow: &str, name: &str) -> Key {
    key(b'z', &[workflow.as_bytes(), &digest(&[name])])
}

/// What waits for its turn in a group, by its number.
pub fn in_line(workflow: &str, name: &str, number: u64) -> Key {
    key(
        b'z',
        &[workflow.as_bytes(), &digest(&[name]), &number.to_be_bytes()],
    )
}
