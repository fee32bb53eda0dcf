//! `export`, `import`, `compact` and `migrate`, over real stores.

use jiff::SignedDuration;
use ringback_core::model::{Key, Versioned};
use ringback_store::{Direction, Store};

use super::*;
use crate::runtime::clock;
use crate::runtime::tests::world::{World, finished, missed, person, put, sled, waiting};

/// A command on a data folder, `DIR/data` or another.
async fn on(folder: &Path, line: &[&str]) -> String {
    let said = run_in(folder, &Drawer::default(), line).await;
    // The size of a file may change with what records hold.
    let size = regex::Regex::new(r"\d+(\.\d)? (bytes|[KMG]iB)").unwrap();
    let said = size.replace_all(&said, "SIZE").into_owned();
    let pid = format!("process {}", std::process::id());
    said.replace(&pid, "process PID")
}

/// A data folder as a host leaves it: calls that were taken, runs that wait, many
/// that ended.
async fn business(folder: &Path) -> Vec<(Key, Versioned)> {
    std::fs::create_dir_all(folder.join("data")).unwrap();
    let store = sled(&folder.join("data/store")).await;
    let now = clock::now();
    let hour = SignedDuration::from_hours(1);
    put(store.as_ref(), finished(300, now - hour)).await;
    put(
        store.as_ref(),
        waiting(300, now + hour, SignedDuration::from_secs(1)),
    )
    .await;
    let world = World::over(Arc::clone(&store)).await;
    for number in 0..20 {
        let id = format!("C{number}");
        world.host.take(&missed(&id, person(number))).await.unwrap();
    }
    world.host.stop(std::time::Duration::from_secs(5)).await;
    drop(world);
    let all = everything(store.as_ref()).await;
    store.close().await.unwrap();
    all
}

async fn everything(store: &dyn Store) -> Vec<(Key, Versioned)> {
    let (from, to) = (Key::new([0]), Key::new([255]));
    let all = store.scan(&from, &to, usize::MAX, Direction::Forward).await;
    all.unwrap()
}

async fn held(data: &Path) -> Vec<(Key, Versioned)> {
    let store = sled(&data.join("store")).await;
    let all = everything(store.as_ref()).await;
    store.close().await.unwrap();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_exported_and_imported_is_equal() {
    let folder = tempfile::tempdir().unwrap();
    let before = business(folder.path()).await;
    assert!(before.len() > 3_000, "{}", before.len());
    let file = folder.path().join("all.ringback").display().to_string();
    let other = folder.path().join("other").display().to_string();
    let said = on(folder.path(), &["export", &file]).await;
    let count = before.len().to_string();
    let revision = before
        .iter()
        .map(|(_, one)| one.revision)
        .max()
        .unwrap()
        .to_string();
    let said = said.replace(&count, "COUNT").replace(&revision, "REVISION");
    insta::assert_snapshot!(said, @r#"
DIR/all.ringback: COUNT records, SIZE, as of commit REVISION. It holds numbers, texts and the hashes of API keys: keep it as safe as the data folder.
exit 0
"#);
    insta::assert_snapshot!(on(folder.path(), &["export", &file]).await, @r#"
error: DIR/all.ringback is there already; name another file, or remove it
exit 1
"#);
    let said = on(folder.path(), &["import", &file, "--data", &other]).await;
    let said = said.replace(&count, "COUNT").replace(&revision, "REVISION");
    insta::assert_snapshot!(said, @r#"
COUNT records are in DIR/other, as of commit REVISION. `ringback serve` goes on from there.
exit 0
"#);
    assert!(
        held(Path::new(&other)).await == before,
        "values and revisions"
    );
    // A second one does not overwrite the first.
    insta::assert_snapshot!(on(folder.path(), &["import", &file, "--data", &other]).await, @r#"
error: DIR/other/store is not empty, and an import makes a new store; move what is there aside, or name another folder
exit 1
"#);
    insta::assert_snapshot!(on(folder.path(), &["compact", "--data", &other]).await, @r#"
DIR/other/store was SIZE and is SIZE.
exit 0
"#);
    assert!(
        held(Path::new(&other)).await == before,
        "and after compacting"
    );
    // And the host goes on with it: a webhook from before is still a repeat.
    let store = sled(&Path::new(&other).join("store")).await;
    let world = World::over(store).await;
    let again = world.host.take(&missed("C1", person(1))).await.unwrap();
    assert_eq!(again, ringback_core::engine::Answer::Repeat);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_whole_export() {
    let folder = tempfile::tempdir().unwrap();
    business(folder.path()).await;
    let file = folder.path().join("all.ringback");
    let name = file.display().to_string();
    on(folder.path(), &["export", &name]).await;
    let whole = std::fs::read(&file).unwrap();
    let other = folder.path().join("other").display().to_string();
    let check = async |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        let said = on(folder.path(), &["import", &name, "--data", &other]).await;
        let nothing = !Path::new(&other).join("store").exists();
        assert!(nothing, "a store was made of it: {said}");
        said
    };
    insta::assert_snapshot!(check(&whole[..whole.len() / 2]).await, @r#"
error: DIR/all.ringback cannot be imported: it ends too early; export it again, or fetch it again from where it was copied
exit 1
"#);
    insta::assert_snapshot!(check(b"number,text\n1,hello\n").await, @r#"
error: DIR/all.ringback cannot be imported: it is not an export of ringback
exit 1
"#);
    insta::assert_snapshot!(check(b"").await, @r#"
error: DIR/all.ringback cannot be imported: it is not an export of ringback
exit 1
"#);
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    let said = check(&changed).await;
    assert!(
        said.contains("cannot be imported") && said.ends_with("exit 1"),
        "{said}"
    );
    let missing = folder.path().join("none").display().to_string();
    insta::assert_snapshot!(on(folder.path(), &["import", &missing, "--data", &other]).await, @r#"
error: could not read DIR/none: No such file or directory (os error 2)
exit 1
"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_in_use_or_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("all.ringback").display().to_string();
    insta::assert_snapshot!(on(folder.path(), &["export", &file]).await, @r#"
error: there is no store in DIR/data; name the data folder with --data
exit 1
"#);
    insta::assert_snapshot!(on(folder.path(), &["compact"]).await, @r#"
error: there is no store in DIR/data; name the data folder with --data
exit 1
"#);
    std::fs::create_dir_all(folder.path().join("data")).unwrap();
    let store = sled(&folder.path().join("data/store")).await;
    insta::assert_snapshot!(on(folder.path(), &["export", &file]).await, @r#"
error: the store in DIR/data/store is in use by another ringback, process PID; stop that one first
exit 3
"#);
    insta::assert_snapshot!(on(folder.path(), &["compact"]).await, @r#"
error: the store in DIR/data/store is in use by another ringback, process PID; stop that one first
exit 3
"#);
    assert!(!Path::new(&file).exists());
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_database_server_is_not_there_yet() {
    let folder = tempfile::tempdir().unwrap();
    let url = "postgres://me:hunter2@db/ringback";
    insta::assert_snapshot!(on(folder.path(), &["migrate", "--to", url]).await, @r#"
error: a store in PostgreSQL is not available in this version yet; `ringback export` and `ringback import` take a store to another folder or machine
exit 1
"#);
    insta::assert_snapshot!(on(folder.path(), &["migrate", "--to", "redis://x"]).await, @r#"
error: stores of this version are folders; `ringback export` and `ringback import` take a store to another folder or machine
exit 1
"#);
}

#[test]
fn sizes_and_what_can_be_won() {
    use crate::cli::archive::{size, winnable};
    let check = |bytes: u64, expected: &str| assert_eq!(size(bytes), expected);
    check(0, "0 bytes");
    check(1_023, "1023 bytes");
    check(1_536, "1.5 KiB");
    check(3 * 1_048_576, "3.0 MiB");
    check(5_368_709_120, "5.0 GiB");
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, length: u64| {
        let path = folder.path().join("store").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::File::create(path)
            .unwrap()
            .set_len(length)
            .unwrap();
    };
    assert_eq!(winnable(folder.path()), None, "there is no store");
    write("sled/db", 300 * 1_048_576);
    assert_eq!(winnable(folder.path()), None, "nobody knows how much lives");
    write("snapshots/0000000000000001.snapshot", 100 * 1_048_576);
    assert_eq!(winnable(folder.path()), None);
    std::thread::sleep(std::time::Duration::from_millis(20));
    write("snapshots/0000000000000002.snapshot", 1_048_576);
    assert_eq!(winnable(folder.path()), Some((300 * 1_048_576, 1_048_576)));
    // What was added to it counts, and not as a snapshot of its own.
    std::thread::sleep(std::time::Duration::from_millis(20));
    let name = "snapshots/0000000000000002-0000000000000009.increment";
    write(name, 1_048_576);
    assert_eq!(
        winnable(folder.path()),
        Some((300 * 1_048_576, 2 * 1_048_576))
    );
    write(name, 150 * 1_048_576);
    assert_eq!(winnable(folder.path()), None);
}
