//! What is in service when files are broken, moved or gone, while the host runs
//! and over restarts.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ringback_core::model::{Head, keys, record};
use ringback_store::{Direction, Store};

use super::world::{World, memory};
use crate::runtime::files;

const BACK: &str =
    "name: Text back\non: call.missed\non_delete: cancel\nsteps:\n  - send: \"Sorry.\"\n";
const OTHER: &str = "name: Other\non: call.missed\nsteps:\n  - send: \"Hello.\"\n";
/// A mistake that leaves the name legible, and one that does not.
const LEGIBLE: &str = "name: Text back\non: call.missed\nsteps:\n  - send: \"Sorry.\"\nsteps: [\n";
const ILLEGIBLE: &str = "nme Text back\non: [\n";

fn put(folder: &Path, files: &[(&str, &str)]) {
    for entry in std::fs::read_dir(folder).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

/// What is in service, in memory and by the store: id and version.
async fn served(world: &World, store: &dyn Store) -> Vec<String> {
    let catalog = world.host.catalog();
    let memory: BTreeMap<String, u32> = catalog
        .in_service
        .iter()
        .map(|(id, one)| (id.clone(), one.version))
        .collect();
    let (from, to) = keys::table(b'w');
    let heads = store
        .scan(&from, &to, 100, Direction::Forward)
        .await
        .unwrap();
    let heads = heads
        .iter()
        .map(|(_, one)| record::decode::<Head>(&one.value).unwrap());
    let stored: BTreeMap<String, u32> = heads
        .filter(|head| head.active)
        .map(|head| (head.workflow, head.version))
        .collect();
    assert_eq!(memory, stored);
    memory
        .iter()
        .map(|(id, version)| format!("{id} v{version}"))
        .collect()
}

/// How the host meets the folder's next state.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Running,
    Restart,
    /// As if the store had been written by a build that remembered no files.
    OldStore,
}

/// The files of the folder, and what is in service then.
type State<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

/// Takes the folder through these states; after each, what is in service.
async fn check(ways: &[Way], states: &[State<'_>]) {
    for way in ways {
        let store: Arc<dyn Store> = memory();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let mut world = None;
        let mut folder = Some(folder);
        for (number, (files_now, wanted)) in states.iter().enumerate() {
            let running: World = match world.take() {
                Some(running) if *way == Way::Running => {
                    put(&path, files_now);
                    running
                }
                before => {
                    if let Some(before) = before {
                        folder = Some(World::into_folder(before));
                    }
                    if *way == Way::OldStore {
                        let mut batch = ringback_core::model::Batch::default();
                        let key = keys::housekeeping("workflow-files");
                        batch.writes.insert(key, None);
                        let _ = store.commit(batch).await.unwrap();
                    }
                    put(&path, files_now);
                    World::of(Arc::clone(&store), folder.take().unwrap()).await
                }
            };
            files::scan(&running.host, &path).await.unwrap();
            let seen = served(&running, store.as_ref()).await;
            assert_eq!(seen, *wanted, "{way:?}, state {number}");
            world = Some(running);
        }
    }
}

const ALL: [Way; 3] = [Way::Running, Way::Restart, Way::OldStore];
const KNOWING: [Way; 2] = [Way::Running, Way::Restart];

#[tokio::test]
async fn a_broken_file_keeps_its_version_in_service() {
    for broken in [LEGIBLE, ILLEGIBLE, "", "\u{0}"] {
        check(
            &ALL,
            &[
                (
                    &[("tb.yaml", BACK), ("o.yaml", OTHER)],
                    &["other v1", "text-back v1"],
                ),
                (
                    &[("tb.yaml", broken), ("o.yaml", OTHER)],
                    &["other v1", "text-back v1"],
                ),
                // And over one more start, and when it is mended.
                (
                    &[("tb.yaml", broken), ("o.yaml", OTHER)],
                    &["other v1", "text-back v1"],
                ),
                (
                    &[
                        ("tb.yaml", &BACK.replace("Sorry", "So sorry")),
                        ("o.yaml", OTHER),
                    ],
                    &["other v1", "text-back v2"],
                ),
            ],
        )
        .await;
    }
}

#[tokio::test]
async fn a_broken_file_under_another_name_keeps_it_too() {
    for broken in [LEGIBLE, ILLEGIBLE] {
        check(
            &ALL,
            &[
                (
                    &[("tb.yaml", BACK), ("o.yaml", OTHER)],
                    &["other v1", "text-back v1"],
                ),
                (
                    &[("tb.yaml", broken), ("o.yaml", OTHER)],
                    &["other v1", "text-back v1"],
                ),
                (
                    &[("moved.yaml", broken), ("o.yaml", OTHER)],
                    &["other v1", "text-back v1"],
                ),
                (
                    &[("moved.yaml", broken), ("o.yaml", OTHER)],
                    &["other v1", "text-back v1"],
                ),
                // It was another one after all.
                (
                    &[
                        ("moved.yaml", &OTHER.replace("Other", "Third")),
                        ("o.yaml", OTHER),
                    ],
                    &["other v1", "third v1"],
                ),
            ],
        )
        .await;
    }
}

#[tokio::test]
async fn a_deleted_file_goes_out_of_service() {
    check(
        &ALL,
        &[
            (
                &[("tb.yaml", BACK), ("o.yaml", OTHER)],
                &["other v1", "text-back v1"],
            ),
            (&[("o.yaml", OTHER)], &["other v1"]),
        ],
    )
    .await;
    // Also while another one is broken: that is known to be another one.
    check(
        &KNOWING,
        &[
            (
                &[("tb.yaml", BACK), ("o.yaml", ILLEGIBLE)],
                &["text-back v1"],
            ),
            (&[("o.yaml", ILLEGIBLE)], &[]),
        ],
    )
    .await;
    check(
        &ALL,
        &[
            (
                &[("tb.yaml", BACK), ("o.yaml", OTHER)],
                &["other v1", "text-back v1"],
            ),
            (&[("tb.yaml", LEGIBLE)], &["text-back v1"]),
            (&[], &[]),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_sound_file_takes_over_from_a_broken_one_and_from_a_renamed_one() {
    check(
        &ALL,
        &[
            (&[("tb.yaml", BACK)], &["text-back v1"]),
            (&[("tb.yaml", LEGIBLE), ("z.yaml", BACK)], &["text-back v1"]),
            (&[("tb.yaml", LEGIBLE)], &["text-back v1"]),
        ],
    )
    .await;
    check(
        &ALL,
        &[
            (
                &[("a.yaml", BACK), ("b.yaml", OTHER)],
                &["other v1", "text-back v1"],
            ),
            (
                &[("a.yaml", OTHER), ("b.yaml", BACK)],
                &["other v1", "text-back v1"],
            ),
            // Twins: the one that had the name keeps it, and the other one has it
            // when that is gone.
            (
                &[("a.yaml", OTHER), ("b.yaml", BACK), ("c.yaml", BACK)],
                &["other v1", "text-back v1"],
            ),
            (
                &[("a.yaml", OTHER), ("c.yaml", BACK)],
                &["other v1", "text-back v1"],
            ),
        ],
    )
    .await;
}

/// A file whose test wants one text, and that sends none.
const FAILING: &str = "name: Text back\non: call.missed\nsteps:\n  - log: nothing\ntests:\n  - name: they get a text\n    call: missed\n    expect: [{ sent: 1 }]\n";
const CALLS: &str = "name: Calls\non: call.missed\nsteps:\n  - call_workflow: Called\ntests:\n  - name: the other one does it\n    call: missed\n    expect: [{ sent: 1 }]\n";
const CALLED: &str = "name: Called\non: manual\nsteps:\n  - send: \"Hello.\"\n";

#[tokio::test]
async fn a_file_whose_tests_fail_does_not_replace_the_version_that_works() {
    check(
        &ALL,
        &[
            (&[("tb.yaml", BACK)], &["text-back v1"]),
            (&[("tb.yaml", FAILING)], &["text-back v1"]),
            (&[("moved.yaml", FAILING)], &["text-back v1"]),
            (
                &[(
                    "moved.yaml",
                    &FAILING.replace("log: nothing", "send: Hello"),
                )],
                &["text-back v2"],
            ),
        ],
    )
    .await;
    check(
        &ALL,
        &[(&[("new.yaml", FAILING), ("o.yaml", OTHER)], &["other v1"])],
    )
    .await;
}

#[tokio::test]
async fn tests_see_the_other_files() {
    check(
        &KNOWING,
        &[
            // Whichever is read first.
            (
                &[("a.yaml", CALLS), ("b.yaml", CALLED)],
                &["called v1", "calls v1"],
            ),
            (
                &[
                    (
                        "a.yaml",
                        &CALLS.replace("steps:\n", "steps:\n  - log: again\n"),
                    ),
                    ("b.yaml", &CALLED.replace("send: \"Hello.\"", "log: no")),
                ],
                &["called v2", "calls v1"],
            ),
            // What was wrong with the one is gone when the other one is mended.
            (
                &[
                    (
                        "a.yaml",
                        &CALLS.replace("steps:\n", "steps:\n  - log: again\n"),
                    ),
                    ("b.yaml", &CALLED.replace("Hello.", "Good day.")),
                ],
                &["called v3", "calls v2"],
            ),
        ],
    )
    .await;
}
