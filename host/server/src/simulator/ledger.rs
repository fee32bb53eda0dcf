//! What the pretend network remembers: the newest texts and calls. Plain data
//! behind one lock; no I/O, and the clock is the caller's.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use jiff::Timestamp;
use ringback_core::model::PhoneNumber;

/// The newest texts that are kept.
const TEXTS: usize = 2_000;
/// The newest calls that are kept, and the newest faults that were played once.
const CALLS: usize = 500;

/// A text, in either direction.
#[derive(Clone, Debug)]
pub(super) struct Text {
    /// The network's id.
    pub(super) provider_id: String,
    /// The host's id; none for texts that a phone sent.
    pub(super) ours: Option<String>,
    /// None when the host let the network choose.
    pub(super) from: Option<PhoneNumber>,
    pub(super) to: PhoneNumber,
    pub(super) body: String,
    pub(super) media: Vec<String>,
    pub(super) segments: u32,
    /// A delivery status in the words of the protocol, or `retrying`.
    pub(super) status: &'static str,
    pub(super) at: Timestamp,
    /// Where to report; empty for texts that a phone sent.
    pub(super) status_url: String,
    /// Nothing is reported about it until the host asks for it.
    pub(super) held: bool,
}

/// A call, in either direction.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) provider_id: String,
    /// The host's id; none for calls that a phone made.
    pub(super) ours: Option<String>,
    pub(super) from: PhoneNumber,
    pub(super) to: PhoneNumber,
    /// An outcome in the words of the protocol.
    pub(super) state: &'static str,
    /// What was spoken to the caller.
    pub(super) said: Option<String>,
    pub(super) at: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    texts: VecDeque<Text>,
    calls: VecDeque<Call>,
    stumbled: VecDeque<String>,
}

impl Ledger {
    pub(super) fn add_text(&mut self, text: Text) {
        push(&mut self.texts, text, TEXTS);
    }

    pub(super) fn add_call(&mut self, call: Call) {
        push(&mut self.calls, call, CALLS);
    }

    /// Adds a text of the host's, or gives the one that already has its id.
    pub(super) fn take_text(&mut self, text: Text) -> Option<Text> {
        let known = text
            .ours
            .as_deref()
            .and_then(|id| self.text_of(id).map(|text| text.clone()));
        if known.is_none() {
            self.add_text(text);
        }
        known
    }

    /// Adds a call of the host's, or gives the one that already has its id.
    pub(super) fn take_call(&mut self, call: Call) -> Option<Call> {
        let known = call
            .ours
            .as_deref()
            .and_then(|id| self.call_of(id).cloned());
        if known.is_none() {
            self.add_call(call);
        }
        known
    }

    /// The text that the host calls `id`.
    pub(super) fn text_of(&mut self, id: &str) -> Option<&mut Text> {
        // From the back: a repeat follows soon after the first.
        let ours = |text: &&mut Text| text.ours.as_deref() == Some(id);
        self.texts.iter_mut().rev().find(ours)
    }

    /// The call that the host calls `id`.
    pub(super) fn call_of(&self, id: &str) -> Option<&Call> {
        let ours = |call: &&Call| call.ours.as_deref() == Some(id);
        self.calls.iter().rev().find(ours)
    }

    pub(super) fn set_text(&mut self, provider_id: &str, status: &'static str) {
        let mut texts = self.texts.iter_mut().rev();
        if let Some(text) = texts.find(|text| text.provider_id == provider_id) {
            text.status = status;
        }
    }

    pub(super) fn set_call(&mut self, provider_id: &str, state: &'static str) {
        if let Some(call) = self.call_mut(provider_id) {
            call.state = state;
        }
    }

    pub(super) fn set_said(&mut self, provider_id: &str, said: &str) {
        if let Some(call) = self.call_mut(provider_id) {
            call.said = Some(said.to_owned());
        }
    }

    fn call_mut(&mut self, provider_id: &str) -> Option<&mut Call> {
        let mut calls = self.calls.iter_mut().rev();
        calls.find(|call| call.provider_id == provider_id)
    }

    /// Whether this is the first time that a fault which passes meets `id`.
    pub(super) fn stumbles(&mut self, id: &str) -> bool {
        if self.stumbled.iter().any(|seen| seen == id) {
            return false;
        }
        push(&mut self.stumbled, id.to_owned(), CALLS);
        true
    }

    /// The texts that this phone sent or got, oldest first.
    pub(super) fn texts<'a>(&'a self, phone: &'a PhoneNumber) -> impl Iterator<Item = &'a Text> {
        let theirs = move |text: &&Text| text.to == *phone || text.from.as_ref() == Some(phone);
        self.texts.iter().filter(theirs)
    }

    /// The calls that this phone made or got, oldest first.
    pub(super) fn calls<'a>(&'a self, phone: &'a PhoneNumber) -> impl Iterator<Item = &'a Call> {
        let theirs = move |call: &&Call| call.to == *phone || call.from == *phone;
        self.calls.iter().filter(theirs)
    }
}

fn push<T>(list: &mut VecDeque<T>, item: T, most: usize) {
    if list.len() == most {
        list.pop_front();
    }
    list.push_back(item);
}
