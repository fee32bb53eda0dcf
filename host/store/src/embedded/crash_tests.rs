//! A child process that commits and is killed, over and over: whatever it was
//! told is durable has to be there afterwards, and every commit whole or not.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringback_core::model::Precondition;

use super::Sled;
use super::tests::{all, test_options};
use crate::Store;
use crate::conformance::{batch, done, key};

const ROUNDS: u64 = 20;
const WRITERS: u64 = 4;
const DIR: &str = "RINGBACK_CRASH_TEST_DIR";

/// The child. Run by the test below only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child process of the test beside it"]
async fn child() {
    let Some(dir) = std::env::var_os(DIR) else {
        return;
    };
    let mut options = test_options(dir.as_ref());
    options.snapshot_bytes = 256 * 1024;
    let store = Arc::new(Sled::open(options).unwrap());
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            let head = format!("head/{writer}");
            let old = store.get(&key(&head)).await.unwrap();
            let mut last = old.as_ref().map_or(0, |old| {
                u64::from_be_bytes((*old.value).try_into().unwrap())
            });
            let mut guard = match old {
                Some(old) => Precondition::At(key(&head), old.revision),
                None => Precondition::Absent(key(&head)),
            };
            loop {
                last += 1;
                let (item, twin) = (
                    format!("item/{writer}/{last:08}"),
                    format!("twin/{writer}/{last:08}"),
                );
                // Half of the items are deleted again two commits later.
                let gone = format!("item/{writer}/{:08}", last.saturating_sub(2) / 2 * 2);
                let value = vec![writer as u8; if last % 40 == 0 { 50_000 } else { 120 }];
                let number = last.to_be_bytes();
                let mut batch = batch([
                    (&*head, Some(&number[..])),
                    (&*gone, None),
                    (&*item, Some(&*value)),
                    (&*twin, Some(&*value)),
                ]);
                batch.preconditions.push(guard);
                let revision = done(&*store, batch).await;
                guard = Precondition::At(key(&head), revision);
                let mut out = std::io::stdout().lock();
                writeln!(out, "\nack {writer} {last} {revision}").unwrap();
                out.flush().unwrap();
            }
        });
    }
    writers.join_all().await;
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged: BTreeMap<(u64, u64), u64> = BTreeMap::new();
    for round in 0..ROUNDS {
        let before = acknowledged.len();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "embedded::crash_tests::child",
                "--ignored",
                "--nocapture",
            ])
            .env(DIR, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut until = None;
        for line in lines {
            // The last line may be half a line.
            let line = line.unwrap();
            let words: Vec<_> = line.split(' ').collect();
            if let ["ack", writer, last, revision] = words[..]
                && let (Ok(writer), Ok(last), Ok(revision)) =
                    (writer.parse(), last.parse(), revision.parse())
            {
                acknowledged.entry((writer, last)).or_insert(revision);
                // From the first commit on, a little longer every round.
                until.get_or_insert_with(|| Instant::now() + Duration::from_millis(round * 7 % 90));
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                // Once is enough; the rest of the pipe is acknowledged as well.
                let _ = child.kill();
            }
        }
        child.wait().unwrap();
        assert!(
            acknowledged.len() > before,
            "round {round}: the child did nothing"
        );
        if round % 5 == 4 {
            // What a power cut may do on top.
            std::fs::remove_dir_all(dir.path().join("sled")).unwrap();
        }
        let store = Sled::open(test_options(dir.path())).unwrap();
        let found: BTreeMap<_, _> = all(&store).await.into_iter().collect();
        for ((writer, last), revision) in &acknowledged {
            let twin = found.get(&key(&format!("twin/{writer}/{last:08}")));
            let twin = twin.unwrap_or_else(|| panic!("round {round}: {writer}/{last} is lost"));
            // A half line may have cut the number short; all others are exact.
            assert!(twin.revision.to_string().starts_with(&revision.to_string()));
        }
        for writer in 0..WRITERS {
            let Some(head) = found.get(&key(&format!("head/{writer}"))) else {
                // Killed before this writer's first commit, which then has no part.
                let part = format!("/{writer}/");
                let parts = found
                    .keys()
                    .filter(|key| String::from_utf8_lossy(key.as_bytes()).contains(&part));
                assert_eq!(parts.count(), 0, "round {round}: half a commit");
                assert!(acknowledged.keys().all(|(one, _)| *one != writer));
                continue;
            };
            let last = u64::from_be_bytes((*head.value).try_into().unwrap());
            let twins = found.keys().filter(|key| {
                key.as_bytes()
                    .starts_with(format!("twin/{writer}/").as_bytes())
            });
            assert_eq!(twins.count() as u64, last, "round {round}: half a commit");
            let item = &found[&key(&format!("item/{writer}/{last:08}"))];
            assert_eq!(
                (item.revision, item),
                (
                    head.revision,
                    &found[&key(&format!("twin/{writer}/{last:08}"))]
                )
            );
        }
    }
}
