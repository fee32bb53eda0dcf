//! How many runs there are, how much is written, and how much room is taken, over
//! many checkpoints.

use std::sync::Arc;

use ringback_core::model::Key;

use crate::embedded::base::Base;
use crate::embedded::memtable::Memtable;
use crate::embedded::options::Options;

struct World {
    base: Base,
    revision: u64,
    /// How large merges may be that come with a checkpoint.
    small: u64,
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            fan_in: 4,
            ..Options::new(dir.path())
        };
        let config = sled::Config::new().path(dir.path()).flush_every_ms(None);
        let base = Base::new(config.open().unwrap(), dir.path(), &options);
        assert!(base.is_laid_out().unwrap());
        Self {
            base,
            revision: 0,
            small: u64::MAX,
            dir,
        }
    }

    /// A checkpoint of some keys, and the merges that are due with it.
    fn write(&mut self, keys: impl Iterator<Item = u32>, value: Option<&[u8]>) {
        self.revision += 1;
        let mut table = Memtable::default();
        let key = |number: u32| Key::new([&b"k/"[..], &number.to_be_bytes()].concat());
        let writes = keys.map(|number| (key(number), value.map(Arc::from)));
        table.add(self.revision, writes.collect());
        self.base.apply(&table, Some(self.revision)).unwrap();
        self.base.merge_small(self.small).unwrap();
    }

    fn runs(&self) -> usize {
        self.base.runs.set().runs.len()
    }

    /// Pairs in all runs, those that say that their key was deleted among them.
    fn pairs(&self) -> u64 {
        let set = self.base.runs.set();
        set.runs.iter().map(|run| run.about.pairs).sum()
    }
}

#[test]
fn many_checkpoints_leave_few_runs() {
    let mut world = World::new();
    for round in 0..300 {
        world.write((0..10).map(|n| n * 1000 + round), Some(b"value"));
        assert!(world.runs() <= 16, "round {round}: {} runs", world.runs());
    }
    assert_eq!(world.pairs(), 3000);
    assert_eq!(world.base.count().unwrap().1.pairs, 3000);
}

#[test]
fn what_is_written_over_takes_no_more_room_than_what_is_there() {
    let mut world = World::new();
    for round in 0..200_u32 {
        world.write((0..100).map(|n| n * 7), Some(&round.to_be_bytes()));
        assert!(world.pairs() <= 100 * 9, "round {round}: {}", world.pairs());
    }
    assert_eq!(world.base.count().unwrap().1.pairs, 100);
}

#[test]
fn a_large_merge_that_is_due_holds_no_small_one_up() {
    let mut world = World::new();
    world.small = 100;
    for round in 0..60 {
        world.write((0..10).map(|n| n * 1000 + round), Some(b"value"));
        let set = world.base.runs.set();
        let lowest = set.runs.iter().filter(|run| run.about.level == 0);
        assert!(lowest.count() < 4, "round {round}");
    }
    // Those of 40 pairs are too many by now, and become few as soon as there is time.
    assert!(world.runs() >= 10, "{}", world.runs());
    while world.base.merge_some(50).unwrap() {}
    assert!(world.runs() < 10, "{}", world.runs());
}

/// The files of runs in its directory.
fn files(world: &World) -> usize {
    let names = std::fs::read_dir(world.dir.path()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name());
    let runs = names.filter(|name| name.to_str().unwrap().starts_with("run-"));
    runs.count()
}

#[test]
fn a_merge_that_is_left_leaves_nothing_behind() {
    let mut world = World::new();
    world.small = 0;
    for round in 0..4 {
        world.write((0..100).map(|n| n * 4 + round), Some(b"value"));
    }
    assert!(world.base.merge_some(30).unwrap());
    assert_eq!((world.runs(), files(&world)), (4, 5));
    world.base.leave_merge();
    assert_eq!((world.runs(), files(&world)), (4, 4));
    // From the beginning, with one more run in front of it meanwhile.
    assert!(world.base.merge_some(30).unwrap());
    world.write((0..100).map(|n| n * 4), None);
    while world.base.merge_some(30).unwrap() {}
    assert_eq!((world.runs(), files(&world)), (2, 2));
    assert_eq!(world.pairs(), 500);
    assert_eq!(world.base.count().unwrap().1.pairs, 300);
}

#[test]
fn deleted_keys_leave_nothing_behind() {
    let mut world = World::new();
    for round in 0..50 {
        world.write((0..20).map(|n| n + round * 20), Some(b"value"));
    }
    for round in 0..50 {
        world.write((0..20).map(|n| n + round * 20), None);
    }
    assert_eq!(world.base.count().unwrap().1.pairs, 0);
    // A few more checkpoints, and what said so is gone as well.
    for _ in 0..8 {
        world.write(0..1, Some(b"value"));
    }
    assert!(world.pairs() <= 200, "{}", world.pairs());
    // What is not there needs nobody to say that it was deleted.
    let before = world.runs();
    world.write(10_000..10_100, None);
    assert_eq!(world.runs(), before);
}
