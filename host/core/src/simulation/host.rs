//! The process of the host: its crashes and starts, and the commands that are
//! not texts.

use std::sync::Arc;

use super::agenda::Happening;
use super::driver::Simulation;
use super::scenario::Fault;
use super::script::Position;
use super::sending::problem;
use super::story::Failure;
use crate::engine::{Catalog, Finding, Input, PlaceResult, SendResult};
use crate::model::{CallId, Head, Key, Message, MessageId, RunId, keys};

impl Simulation {
    /// The host starts, as `runtime/start.rs` of the server does: definitions,
    /// the folder, and every mark of an attempt without an outcome.
    pub(super) fn restart(&mut self) -> Result<(), Box<Failure>> {
        if self.disk_full {
            // It cannot write, and tries again.
            self.after(1_000, Happening::Restart);
            return Ok(());
        }
        self.down = false;
        self.tell("the host starts");
        self.catalog = Catalog::default();
        for key in self.table(b'd') {
            let hash = tail(&key);
            match self.library.get(&hash).cloned() {
                Some(workflow) => self.catalog.by_hash.insert(hash, workflow),
                None => return Err(self.failure(format!("nobody wrote the definition {hash}"))),
            };
        }
        let mut inputs: Vec<Input> = self
            .folder
            .values()
            .map(Arc::clone)
            .map(Input::Define)
            .collect();
        for key in self.table(b'w') {
            if let Some(head) = self.get::<Head>(&key)?
                && head.active
                && !self.folder.contains_key(&head.workflow)
            {
                inputs.push(Input::Undefine(head.workflow.clone()));
            }
        }
        for mark in self.table(b'i') {
            let name = tail(&mark);
            inputs.push(if let Some(id) = MessageId::parse(&name) {
                Input::LostText(id)
            } else if let Some(id) = RunId::parse(&name) {
                Input::LostWork(id)
            } else if let Some(id) = CallId::parse(&name) {
                Input::LostCall(id)
            } else {
                return Err(self.failure(format!("{mark:?} names nothing")));
            });
        }
        let process = self.process;
        for input in inputs {
            self.take_now(input)?;
            if self.process != process {
                // It died while it started.
                return Ok(());
            }
        }
        Ok(())
    }

    /// All keys of a table.
    fn table(&self, table: u8) -> Vec<Key> {
        let (from, to) = keys::table(table);
        let keys = self.state.range(&from, &to).map(|(key, _)| key.clone());
        keys.collect()
    }

    pub(super) fn crash(&mut self, when: &str) {
        self.tell(format!("the host crashes {when}"));
        self.report.crashes += 1;
        self.process += 1;
        self.stopped.clear();
        self.pace = crate::policy::pace::Pace::default();
        self.down = true;
        let down = self.pause(100, 20_000, 400);
        self.after(down, Happening::Restart);
    }

    /// The host looks at the provider's list.
    pub(super) fn look(&mut self, id: &MessageId) -> Result<(), Box<Failure>> {
        let Some(message) = self.get::<Message>(&keys::message(id))? else {
            return Err(self.failure(format!("I5: {id} is looked for and not stored")));
        };
        if self.crash_at_request().is_some() {
            self.crash("over a look at the provider's list");
            return Ok(());
        }
        let finding = if !self.scenario.faults.list {
            Finding::Unsupported
        } else if self.time < self.outage || self.fault(Fault::Look, self.scenario.faults.send) {
            Finding::Unavailable(problem("list_down"))
        } else {
            self.provider.find(&message, self.time)
        };
        self.tell(format!("the provider's list says {finding:?} of {id}"));
        let pause = self.random.between(20, 800);
        let input = Input::Looked(id.clone(), finding);
        self.after(pause, Happening::Back(self.process, input));
        Ok(())
    }

    /// The host places a call: the provider takes it, or not.
    pub(super) fn place(&mut self, id: CallId) -> Result<(), Box<Failure>> {
        let crash = self.crash_at_request();
        let arrives = !matches!(crash, Some(Position::Before | Position::TornLost));
        let result = match self.random.below(10) {
            0 if !self.calm => PlaceResult::Refused(problem("no_calls")),
            1 if !self.calm => PlaceResult::Unknown(problem("timeout")),
            _ if arrives => {
                let times = self.provider.called.entry(id.clone()).or_default();
                *times += 1;
                if *times > 1 {
                    return Err(self.failure(format!("I3: call {id} was placed twice")));
                }
                PlaceResult::Accepted {
                    provider_id: self.provider.issue("O"),
                }
            }
            _ => PlaceResult::Unknown(problem("lost")),
        };
        if crash.is_some() {
            self.crash("over placing a call");
            return Ok(());
        }
        let pause = self.random.between(50, 3_000);
        self.after(
            pause,
            Happening::Back(self.process, Input::Placed(id, result)),
        );
        Ok(())
    }

    /// The result of an attempt comes back after a while.
    pub(super) fn answer(&mut self, process: u64, after: u64, id: &MessageId, result: SendResult) {
        let input = Input::Sent(id.clone(), result);
        self.after(after, Happening::Back(process, input));
    }
}

/// What stands behind the letter of the table.
pub(super) fn tail(key: &Key) -> String {
    String::from_utf8_lossy(key.as_bytes().get(2..).unwrap_or_default()).into_owned()
}
