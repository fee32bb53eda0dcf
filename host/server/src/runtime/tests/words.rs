//! What the log says about the store and about texts.

use std::sync::{Arc, Mutex};

use ringback_core::engine::Notice;
use ringback_core::model::Ids;
use ringback_store::Health;

use super::world::{World, memory, missed, person};
use crate::runtime::clock;

/// What is logged meanwhile, one line each.
fn logged(act: impl FnOnce()) -> String {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let writer = Arc::clone(&lines);
    let subscriber = tracing_subscriber::fmt()
        .without_time()
        .with_target(false)
        .with_ansi(false)
        .with_writer(move || Lines(Arc::clone(&writer)))
        .finish();
    tracing::subscriber::with_default(subscriber, act);
    let bytes = lines.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_store_that_failed_is_not_called_full() {
    let world = World::over(memory()).await;
    let full = Health {
        nearly_full: true,
        ..Health::default()
    };
    let failed = Health {
        poisoned: Some("sled: a file is damaged".to_owned()),
        ..Health::default()
    };
    let check = async |health: &Health, said: &str, refusal: Option<&str>| {
        assert_eq!(logged(|| world.host.note(health)), said);
        // Nothing is awaited before the host looks.
        let taken = world.host.take(&missed("C1", person(1))).await;
        let problem = taken.err().map(|problem| problem.to_string());
        assert_eq!(problem.as_deref(), refusal);
    };
    check(
        &failed,
        "",
        Some("take more work: the store stopped after a failure"),
    )
    .await;
    check(
        &full,
        "ERROR the disk is nearly full: no more texts are started, webhooks get 503\n",
        Some("take more work: the disk is nearly full"),
    )
    .await;
    check(
        &Health::default(),
        " WARN the disk has space again: texts are started again\n",
        None,
    )
    .await;
}

#[tokio::test]
async fn a_text_of_unknown_outcome_is_named_with_the_command() {
    let world = World::over(memory()).await;
    let id = Ids::new(clock::now(), 7).message();
    let said = logged(|| {
        world
            .host
            .notice(&[Notice::Undecided(id.clone()), Notice::SentAgain(id.clone())]);
    });
    let said = said.replace(id.as_str(), "ID");
    assert_eq!(
        said,
        " WARN nobody could say whether the text ID was sent: decide with `ringback messages \
         decide ID sent|resend|drop`, or in the dashboard\n \
         INFO nobody could say whether the text ID was sent: it is sent again, as its \
         `on_unknown: resend` says; the contact may get it twice\n"
    );
}
