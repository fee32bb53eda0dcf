//! Trying many dead letters again, oldest first, a bounded number in one request.

use ringback_core::engine::{Answer, Input};
use ringback_core::model::{
    Attention, EventId, Key, Message, MessageId, Origin, RawWebhook, Run, RunStatus, keys, record,
};
use ringback_store::Direction;
use serde_json::{Value, json};

use super::super::super::hooks::{Again, read_again};
use super::super::super::{ApiState, Error, page};
use super::{Filter, behind};

/// How many one request tries again.
const AT_ONCE: usize = 500;

/// What came of it.
#[derive(Default)]
pub(super) struct Bulk {
    pub(super) replayed: usize,
    pub(super) left: Vec<Value>,
    /// The id to go on after.
    pub(super) more: Option<String>,
}

impl Bulk {
    fn leave(&mut self, id: &dyn std::fmt::Display, why: impl Into<String>) {
        self.left
            .push(json!({ "id": id.to_string(), "why": why.into() }));
    }

    fn full(&mut self, key: &Key) -> bool {
        let full = self.replayed + self.left.len() >= AT_ONCE;
        if full {
            self.more = Some(page::last_part(key));
        }
        full
    }

    pub(super) async fn texts(
        &mut self,
        state: &ApiState,
        filter: &Filter,
        after: Option<&str>,
    ) -> Result<(), Error> {
        let (mut from, to) = keys::under(b'q', Attention::Failed.word());
        if let Some(id) = after.and_then(MessageId::parse) {
            from = page::after(&keys::attention(Attention::Failed, &id));
        }
        let webhooks = after.and_then(EventId::parse).is_some();
        if !filter.texts || webhooks {
            return Ok(());
        }
        loop {
            let marks = state
                .host
                .store()
                .scan(&from, &to, 100, Direction::Forward)
                .await?;
            let Some((last, _)) = marks.last() else {
                return Ok(());
            };
            from = page::after(last);
            for one in behind(state, &marks).await? {
                if !filter.wants_text(&one) {
                    continue;
                }
                self.text(state, &one).await?;
                if self.full(&keys::message(&one.id)) {
                    return Ok(());
                }
            }
        }
    }

    async fn text(&mut self, state: &ApiState, one: &Message) -> Result<(), Error> {
        if let Origin::Run { run, .. } = &one.origin
            && let Some(run) = state.host.read::<Run>(&keys::run(run)).await?
            && run.status == RunStatus::Cancelled
        {
            let outcome = run.outcome.unwrap_or_default();
            self.leave(&one.id, format!("its run was ended ({outcome})"));
            return Ok(());
        }
        match state.host.take(&Input::Replay(one.id.clone())).await? {
            Answer::Refused { text, .. } => self.leave(&one.id, text),
            Answer::Done => self.replayed += 1,
            _ => {}
        }
        Ok(())
    }

    pub(super) async fn webhooks(
        &mut self,
        state: &ApiState,
        filter: &Filter,
        after: Option<&str>,
    ) -> Result<(), Error> {
        let (mut from, to) = keys::table(b'u');
        if let Some(id) = after.and_then(EventId::parse) {
            from = page::after(&keys::raw_webhook(&id));
        }
        if !filter.webhooks || self.more.is_some() {
            return Ok(());
        }
        loop {
            let store = state.host.store();
            let kept = store.scan(&from, &to, 100, Direction::Forward).await?;
            let Some((last, _)) = kept.last() else {
                return Ok(());
            };
            from = page::after(last);
            for (key, value) in &kept {
                let raw: RawWebhook = record::decode(&value.value)?;
                let Some(id) = EventId::parse(&page::last_part(key)) else {
                    continue;
                };
                if !filter.wants_webhook(&raw) {
                    continue;
                }
                match read_again(&state.host, &id).await? {
                    Again::Taken => self.replayed += 1,
                    Again::Gone => {}
                    Again::Still(problem) => self.leave(&id, problem),
                }
                if self.full(key) {
                    return Ok(());
                }
            }
        }
    }
}
