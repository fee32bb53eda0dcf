//! What runs keep: the definition they began with, and that no schedule fires
//! twice.

use super::driver::Simulation;
use super::invariants::Checked;
use crate::model::{Message, MessageId, Origin, Run, RunId, keys};

impl Simulation {
    /// A run began: with which definition, and for which firing.
    pub(super) fn note_run(&mut self, id: &RunId) -> Checked {
        let Some(run) = self.get::<Run>(&keys::run(id))? else {
            return Err(self.failure(format!("I1: {id} started and is not stored")));
        };
        let began = &mut self.truth.began;
        began.insert(id.clone(), run.definition.clone());
        self.note_called(&run)?;
        let kind = run.event.get("type").and_then(|kind| kind.as_str());
        if kind == Some("schedule") {
            self.report.firings += 1;
            if !self.truth.ticking {
                // It waited for the run before it, and starts when that ends.
                return Ok(());
            }
            let word = |name| run.event.get(name).map(ToString::to_string);
            self.note_firing(Some(format!("{:?}", run.workflow)), word("at"))?;
        }
        Ok(())
    }

    /// I6: a schedule fires, or is skipped, once for an instant.
    pub(super) fn note_firing(&mut self, workflow: Option<String>, at: Option<String>) -> Checked {
        let firing = (workflow.unwrap_or_default(), at.unwrap_or_default());
        if !self.truth.fired.insert(firing.clone()) {
            let text = format!("I6: {} fired twice for {}", firing.0, firing.1);
            return Err(self.failure(text));
        }
        Ok(())
    }

    /// I7: a run says what the definition it began with says. A version that is
    /// described as `v2` says so in each of its texts.
    pub(super) fn check_words(&self, id: &MessageId) -> Checked {
        let Some(message) = self.get::<Message>(&keys::message(id))? else {
            return Err(self.failure(format!("I1: {id} is asked for and not stored")));
        };
        let Origin::Run { run, .. } = &message.origin else {
            return Ok(());
        };
        let Some(run) = self.get::<Run>(&keys::run(run))? else {
            return Ok(());
        };
        let began = self.truth.began.get(&run.id).unwrap_or(&run.definition);
        let second = self
            .library
            .get(began)
            .is_some_and(|one| one.definition.description.as_deref() == Some("v2"));
        if run.definition != *began || message.body.contains("(v2)") != second {
            let text = format!("I7: {} says {:?}, of another version", run.id, message.body);
            return Err(self.failure(text));
        }
        Ok(())
    }
}
