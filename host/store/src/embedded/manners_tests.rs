//! How the embedded store behaves towards people: what it says, whom it lets read
//! its files, how long it waits for one who is about to go.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::tests::{names, test_options, work};
use super::{Sled, archive};
use crate::{Error, Store};

/// Counts what is said that sounds like trouble.
#[derive(Clone, Default)]
struct Trouble(Arc<AtomicUsize>);

impl Subscriber for Trouble {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn troubles<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let trouble = Trouble::default();
    let done = tracing::subscriber::with_default(trouble.clone(), work);
    (trouble.0.load(Ordering::SeqCst), done)
}

fn small(dir: &Path) -> Sled {
    let store = Sled::open(test_options(dir)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.build().unwrap();
    runtime.block_on(work(&store, 0..20));
    store
}

#[test]
fn an_import_is_no_trouble_and_a_missing_state_is() {
    let dir = tempfile::tempdir().unwrap();
    let store = small(&dir.path().join("from"));
    let mut bytes = Vec::new();
    archive::export(&store, &mut bytes).unwrap();
    let to = dir.path().join("to");
    let import = || archive::import(&*bytes, Path::new("a"), test_options(&to)).unwrap();
    assert_eq!(troubles(import).0, 0);
    let open = || Sled::open(test_options(&to)).unwrap();
    let (said, store) = troubles(open);
    assert_eq!(said, 0);
    store.shut().unwrap();
    drop(store);
    fs::remove_dir_all(to.join("sled")).unwrap();
    assert!(troubles(open).0 > 0, "somebody took it");
}

#[test]
fn a_refusal_of_the_system_is_said_once_with_what_to_do() {
    let check = |number: i32, expected: &str| {
        let error = io::Error::from_raw_os_error(number);
        let error = Error::io("open", Path::new("data/store/lock"))(error);
        assert_eq!(error.to_string(), expected);
        assert!(std::error::Error::source(&error).is_none(), "said twice");
    };
    let writable = "make the folder writable for the user who runs ringback";
    check(
        30,
        &format!("could not open data/store/lock: Read-only file system; {writable}"),
    );
    check(
        13,
        &format!("could not open data/store/lock: Permission denied; {writable}"),
    );
    check(
        28,
        "could not open data/store/lock: No space left on device; free some disk space",
    );
    check(5, "could not open data/store/lock: Input/output error");
}

#[test]
fn nobody_else_may_read_what_it_makes() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("data/store");
    let store = small(&dir);
    store.wait(super::keeper::Task::Snapshot).unwrap();
    store.shut().unwrap();
    drop(store);
    let to = root.path().join("a.ringback");
    archive::export_offline(test_options(&dir), &to).unwrap();
    let check = |path: &Path| {
        let mode = fs::metadata(path).unwrap().mode();
        assert_eq!(mode & 0o077, 0, "{} is {mode:o}", path.display());
    };
    check(&to);
    check(&root.path().join("data"));
    check(&dir);
    for name in names(&dir).iter().filter(|name| *name != "sled") {
        check(&dir.join(name));
        if dir.join(name).is_dir() {
            for inner in names(&dir.join(name)) {
                check(&dir.join(name).join(inner));
            }
        }
    }
    // A folder that somebody made is theirs.
    let theirs = root.path().join("theirs");
    fs::create_dir(&theirs).unwrap();
    fs::set_permissions(&theirs, fs::Permissions::from_mode(0o750)).unwrap();
    drop(small(&theirs));
    assert_eq!(fs::metadata(&theirs).unwrap().mode() & 0o777, 0o750);
}

/// As after a kill: the lock is let go a moment later.
#[tokio::test]
async fn waits_for_one_who_is_about_to_go() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sled::open(test_options(dir.path())).unwrap();
    work(&store, 0..5).await;
    let (begun, begins) = mpsc::channel();
    let options = test_options(dir.path());
    let next = std::thread::spawn(move || {
        begun.send(()).unwrap();
        Sled::open(options)
    });
    begins.recv().unwrap();
    // Long enough for the other to have tried.
    assert!(matches!(
        begins.recv_timeout(Duration::from_millis(200)),
        Err(mpsc::RecvTimeoutError::Disconnected | mpsc::RecvTimeoutError::Timeout)
    ));
    assert!(!next.is_finished(), "it gave up at once");
    store.close().await.unwrap();
    drop(store);
    let next = next.join().unwrap().unwrap();
    assert_eq!(next.health().await.revision, 5);
}
