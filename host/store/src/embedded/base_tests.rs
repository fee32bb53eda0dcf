//! Pairs in blocks and runs, compared with one map: after every memtable, after
//! one that stopped in the middle and was applied again with what came later, and
//! beside a checkpoint. With blocks so small that they are cut and joined all the
//! time, and runs that are merged when there are three of them.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::collection::vec;
use proptest::prelude::*;
use ringback_core::model::{Key, Revision, Versioned};

use super::{Base, Block};
use crate::embedded::disk::Disk;
use crate::embedded::journal::frame::Writes;
use crate::embedded::memtable::{Layers, Memtable};
use crate::embedded::options::Options;
use crate::embedded::plant::Plant;
use crate::embedded::run;
use crate::embedded::runs::Runs;
use crate::embedded::state::State;
use crate::embedded::tally::Tally;
use crate::{Direction, Error};

/// Two tables in blocks, and one between them in runs.
const TABLES: [u8; 3] = [b'a', b'b', b'c'];
const NUMBERS: u16 = 300;

#[derive(Clone, Debug)]
enum Change {
    Put(usize, u16, usize),
    /// So many keys in a row.
    Fill(usize, u16, u16, usize),
    Delete(usize, u16),
    Clear(usize, u16, u16),
}

/// What is committed until a checkpoint, where the checkpoint stops, and what is
/// committed until the next one.
#[derive(Clone, Debug)]
struct Round {
    first: Vec<Change>,
    stop: Option<usize>,
    second: Vec<Change>,
}

fn change() -> impl Strategy<Value = Change> {
    let (table, number) = (0..TABLES.len(), 0..NUMBERS);
    // Some longer than a block, some that are cut into pieces.
    let length = prop_oneof![12 => 0..60_usize, 2 => 60..300_usize, 1 => 24_000..50_000_usize];
    let run = 1..60_u16;
    prop_oneof![
        4 => (table.clone(), number.clone(), length).prop_map(|(a, b, c)| Change::Put(a, b, c)),
        2 => (table.clone(), number.clone(), run.clone(), 0..40_usize)
            .prop_map(|(a, b, c, d)| Change::Fill(a, b, c, d)),
        2 => (table.clone(), number.clone()).prop_map(|(a, b)| Change::Delete(a, b)),
        2 => (table, number, run).prop_map(|(a, b, c)| Change::Clear(a, b, c)),
    ]
}

fn rounds() -> impl Strategy<Value = Vec<Round>> {
    let changes = || vec(change(), 0..12);
    let round = (
        changes(),
        proptest::option::weighted(0.7, 0..40_usize),
        changes(),
    );
    let round = round.prop_map(|(first, stop, second)| Round {
        first,
        stop,
        second,
    });
    vec(round, 1..8)
}

fn key(table: usize, number: u16) -> Key {
    let number = number.to_be_bytes();
    Key::new([TABLES[table], number[0], number[1]])
}

type Model = BTreeMap<Key, Versioned>;
type Commits = Vec<(Revision, Writes)>;

struct World {
    base: Base,
    model: Model,
    revision: Revision,
    options: Options,
    _dir: tempfile::TempDir,
}

impl World {
    fn new(plant: Option<Plant>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            block_bytes: 200,
            fan_in: 3,
            disk: Disk {
                plant,
                ..Disk::default()
            },
            ..Options::new(dir.path())
        };
        let config = sled::Config::new().path(dir.path()).flush_every_ms(None);
        let base = Base::new(config.open().unwrap(), dir.path(), &options);
        assert!(base.is_laid_out().unwrap());
        Self {
            base,
            model: Model::new(),
            revision: 0,
            options,
            _dir: dir,
        }
    }

    /// Opens the runs again, as a start does.
    fn reload(&mut self) -> Result<(), Error> {
        self.base.runs = Runs::new(&self.options.dir, &self.options);
        self.base.runs.load()
    }

    /// A checkpoint, with the merges that it makes due.
    fn apply(&self, commits: &Commits, last: Option<Revision>) -> Result<(), Error> {
        self.base.apply(&memtable(commits), last)?;
        self.base.merge_small(u64::MAX)
    }

    /// Commits changes, one each, for the model and for a memtable.
    fn commit(&mut self, changes: &[Change]) -> Commits {
        let value = |seed: u64, length: usize| -> Arc<[u8]> {
            let noise = (0..length as u64).map(|n| (n * seed).wrapping_mul(0x9E37_79B9) >> 13);
            noise.map(|n| (n & 0x0f) as u8).collect()
        };
        let mut commits = Commits::new();
        for change in changes {
            self.revision += 1;
            let seed = self.revision;
            let run = |table: usize, from: u16, count: u16| {
                (from..(from + count).min(NUMBERS)).map(move |number| key(table, number))
            };
            let writes: Writes = match *change {
                Change::Put(table, number, length) => {
                    [(key(table, number), Some(value(seed, length)))].into()
                }
                Change::Fill(table, from, count, length) => run(table, from, count)
                    .map(|key| (key, Some(value(seed, length))))
                    .collect(),
                Change::Delete(table, number) => [(key(table, number), None)].into(),
                Change::Clear(table, from, count) => {
                    run(table, from, count).map(|key| (key, None)).collect()
                }
            };
            for (key, value) in &writes {
                match value {
                    Some(value) => {
                        let value = Arc::clone(value);
                        let revision = self.revision;
                        self.model
                            .insert(key.clone(), Versioned { revision, value });
                    }
                    None => drop(self.model.remove(key)),
                }
            }
            commits.push((self.revision, writes));
        }
        commits
    }

    /// Compares everything that can be read with the model.
    fn check(&self, layers: &Layers) {
        let state = State {
            base: &self.base,
            layers,
        };
        let (low, high) = (Key::new([]), Key::new([255]));
        let all: Vec<_> = self.model.clone().into_iter().collect();
        let scan =
            |from: &Key, to: &Key, direction| state.scan(from, to, usize::MAX, direction).unwrap();
        let equal = |found: &[(Key, Versioned)], expected: &[(Key, Versioned)]| {
            let names = |pairs: &[(Key, Versioned)]| -> Vec<Key> {
                pairs.iter().map(|(key, _)| key.clone()).collect()
            };
            assert_eq!(names(found), names(expected));
            assert!(found == expected, "other values");
        };
        equal(&scan(&low, &high, Direction::Forward), &all);
        let mut backward = scan(&low, &high, Direction::Backward);
        backward.reverse();
        equal(&backward, &all);
        equal(&state.scan_all(&low, usize::MAX, usize::MAX).unwrap(), &all);
        for (table, first) in TABLES.iter().enumerate() {
            for number in (0..NUMBERS).step_by(23) {
                let (from, to) = (key(table, number), key(table, (number + 40).min(NUMBERS)));
                let part = self.model.range(from.clone()..to.clone());
                let part: Vec<_> = part.map(|(a, b)| (a.clone(), b.clone())).collect();
                equal(&scan(&from, &to, Direction::Forward), &part);
                let mut backward = scan(&from, &to, Direction::Backward);
                backward.reverse();
                equal(&backward, &part);
                let limited = state.scan(&from, &Key::new([first + 1]), 3, Direction::Backward);
                let last = self.model.range(from..Key::new([first + 1])).rev().take(3);
                let last: Vec<_> = last.map(|(a, b)| (a.clone(), b.clone())).collect();
                equal(&limited.unwrap(), &last);
            }
            for number in 0..NUMBERS {
                let key = key(table, number);
                let expected = self.model.get(&key);
                assert_eq!(state.get(&key).unwrap().as_ref(), expected);
                let revision = expected.map(|expected| expected.revision);
                assert_eq!(state.revision(&key).unwrap(), revision);
            }
        }
    }

    fn play(&mut self, rounds: &[Round]) {
        for round in rounds {
            let mut commits = self.commit(&round.first);
            if let Some(stop) = round.stop {
                self.base.fuse.store(stop, Ordering::SeqCst);
                let applied = self.apply(&commits, None);
                assert!(matches!(applied, Ok(()) | Err(Error::Closed)));
                self.base.fuse.store(usize::MAX, Ordering::SeqCst);
                self.check(&Layers::new(memtable(&commits)));
                self.reload().unwrap();
                self.check(&Layers::new(memtable(&commits)));
                commits.extend(self.commit(&round.second));
                self.check(&Layers::new(memtable(&commits)));
            }
            self.base
                .apply(&memtable(&commits), Some(self.revision))
                .unwrap();
            self.check(&Layers::default());
            // A merge that is under way, over one more run.
            self.base.merge_some(5).unwrap();
            self.apply(&commits, Some(self.revision)).unwrap();
            self.check(&Layers::default());
            while self.base.merge_some(5).unwrap() {}
            self.check(&Layers::default());
            assert_eq!(self.base.applied().unwrap(), self.revision);
            let mut expected = Tally::default();
            for (key, value) in &self.model {
                expected.add(key.as_bytes(), value.revision);
            }
            // A stop in the middle leaves it unknown until it is counted.
            let known = self.base.tally(self.revision);
            assert!(known.is_none_or(|known| known == expected), "{known:?}");
            assert!(known.is_some() || round.stop.is_some());
            let counted = self.base.count().unwrap();
            assert_eq!(counted, (self.revision, expected));
        }
    }
}

fn memtable(commits: &Commits) -> Memtable {
    let mut table = Memtable::default();
    for (revision, writes) in commits {
        table.add(*revision, writes.clone());
    }
    table
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn reads_like_one_map_wherever_a_checkpoint_stopped(rounds in rounds()) {
        World::new(None).play(&rounds);
    }
}

/// Blocks are cut, joined and removed; each stop in between is one round.
fn story() -> Vec<Round> {
    let round = |first: Vec<Change>, stop| Round {
        first,
        stop,
        second: vec![Change::Put(2, 299, 10)],
    };
    let mut story = Vec::new();
    for stop in 0..12 {
        story.extend([
            round(
                vec![Change::Fill(0, 0, 50, 20), Change::Fill(2, 0, 9, 20)],
                None,
            ),
            round(
                vec![Change::Fill(0, 50, 50, 20), Change::Fill(2, 9, 3, 20)],
                None,
            ),
            // Every second one grows, and the block with it.
            round(
                (0..25).map(|n| Change::Put(0, 4 * n, 60)).collect(),
                Some(stop),
            ),
            round(
                vec![Change::Clear(0, 30, 10), Change::Clear(0, 41, 9)],
                Some(stop),
            ),
            // The block to the right of a cut is emptied: what was left over to the
            // left of it must not come back.
            round(vec![Change::Clear(0, 10, 55)], Some(stop)),
            round(
                vec![Change::Clear(0, 0, 100), Change::Clear(2, 0, 12)],
                Some(stop),
            ),
        ]);
    }
    story
}

#[test]
fn loses_and_doubles_nothing_at_any_stop() {
    World::new(None).play(&story());
}

/// Runs are written, merged and removed, each stop in between is one round; keys are
/// deleted whose older pairs lie in runs that are merged later.
fn runs_story() -> Vec<Round> {
    let mut story = Vec::new();
    for stop in 0..9 {
        let fill = |from, count| Change::Fill(1, from, count, 20);
        let firsts = [
            vec![fill(0, 120)],
            vec![fill(100, 60), Change::Clear(1, 0, 20)],
            vec![Change::Clear(1, 90, 30), Change::Put(1, 5, 300)],
            vec![Change::Delete(1, 5), fill(40, 3)],
            vec![Change::Clear(1, 0, 160)],
        ];
        story.extend(firsts.map(|first| Round {
            first,
            stop: (stop < 8).then_some(stop),
            second: vec![Change::Put(1, 299, 10), Change::Delete(1, 298)],
        }));
    }
    story
}

#[test]
fn loses_and_doubles_nothing_of_runs_at_any_stop() {
    World::new(None).play(&runs_story());
}

/// A crash between the two halves of a cut leaves the right one in both places, if
/// the commits that are replayed touch the right one alone.
#[test]
fn what_a_crash_left_over_never_comes_back() {
    for later in [
        // The right half goes: the left one then reaches as far as both did.
        vec![Change::Clear(0, 8, 2)],
        // The left half is cut up itself, just where the right one begins.
        vec![Change::Put(0, 6, 100), Change::Put(0, 7, 100)],
        vec![Change::Put(0, 3, 60), Change::Clear(0, 8, 2)],
    ] {
        let mut world = World::new(None);
        let round = |first, stop, second| Round {
            first,
            stop,
            second,
        };
        world.play(&[
            // Ten pairs of 28 bytes: nearly more than a block may have.
            round(vec![Change::Fill(0, 0, 10, 10)], None, vec![]),
            round(vec![Change::Put(0, 8, 60)], Some(1), vec![]),
        ]);
        let halves: Vec<_> = world.base.db().range([3]..[4]).values().collect();
        let halves = halves.iter().map(|packed| packed.as_ref().unwrap());
        let lengths: Vec<_> = halves
            .map(|packed| Block::unpack(packed).unwrap().len())
            .collect();
        assert_eq!(lengths, [10, 2], "not the case to test");
        world.play(&[round(later, None, vec![])]);
    }
}

/// Whether the story ends well with a fault.
pub(in crate::embedded) fn survives(plant: Option<Plant>) -> bool {
    let play = || {
        World::new(plant).play(&story());
        World::new(plant).play(&runs_story());
    };
    catch_unwind(AssertUnwindSafe(play)).is_ok()
}

/// Reads everything page by page, as a snapshot does.
fn paged(base: &Base, layers: &Layers) -> Result<usize, Error> {
    let state = State { base, layers };
    let (mut from, mut count) = (Key::new([]), 0);
    loop {
        let page = state.scan_all(&from, 7, usize::MAX)?;
        let Some((last, _)) = page.last() else {
            return Ok(count);
        };
        count += page.len();
        from = Key::new([last.as_bytes(), &[0]].concat());
    }
}

/// Whether no reader gets past what cannot be read, with a fault.
pub(in crate::embedded) fn stops_at_damage(plant: Option<Plant>) -> bool {
    catch_unwind(|| damage_everywhere(plant)).is_ok()
}

#[test]
fn no_reader_gets_past_what_cannot_be_read() {
    damage_everywhere(None);
}

/// More pairs follow than a page takes, on the other side of each merge.
fn damage_everywhere(plant: Option<Plant>) {
    let fill = (0..3).map(|table| Change::Fill(table, 0, 60, 20));
    let fill: Vec<_> = fill.collect();
    for above in [false, true] {
        let mut world = World::new(plant);
        let commits = world.commit(&fill);
        world.base.apply(&memtable(&commits), None).unwrap();
        let later = Change::Fill(1, 30, 60, 20);
        let later = above.then(|| memtable(&world.commit(&[later])));
        let layers = Layers::new(later.unwrap_or_default());
        let all = world.model.len();
        assert_eq!(paged(&world.base, &layers).unwrap(), all);
        let db = world.base.db().clone();
        let names = db.range([3]..[4]).keys().map(Result::unwrap);
        for name in names.collect::<Vec<_>>() {
            let old = db.insert(&name, b"?").unwrap().unwrap();
            stops(&world.base, &layers, &format!("{name:?}"));
            db.insert(&name, old).unwrap();
        }
        assert_eq!(paged(&world.base, &layers).unwrap(), all);
        let path = run::path(&world.options.dir, 1);
        let whole = std::fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(7) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            std::fs::write(&path, bytes).unwrap();
            match world.reload() {
                Ok(()) => stops(&world.base, &layers, &format!("byte {at}")),
                Err(error) => assert!(matches!(error, Error::Rotten(_)), "byte {at}: {error}"),
            }
        }
        std::fs::write(&path, &whole).unwrap();
        world.reload().unwrap();
        assert_eq!(paged(&world.base, &layers).unwrap(), all);
    }
}

/// Whether all that read everything stop at what cannot be read.
fn stops(base: &Base, layers: &Layers, what: &str) {
    let read = paged(base, layers);
    assert!(matches!(read, Err(Error::Rotten(_))), "{what}: {read:?}");
    let state = State { base, layers };
    let (low, high) = (Key::new([]), Key::new([255]));
    for direction in [Direction::Forward, Direction::Backward] {
        let read = state.scan(&low, &high, usize::MAX, direction);
        assert!(matches!(read, Err(Error::Rotten(_))), "{what}");
    }
}

#[test]
fn keeps_few_entries_for_many_pairs() {
    let mut world = World::new(None);
    let commits = world.commit(&[Change::Fill(0, 0, 300, 20)]);
    world.base.apply(&memtable(&commits), None).unwrap();
    // Pairs of 38 bytes in blocks of 200.
    let entries = world.base.db().len();
    assert!((40..=60).contains(&entries), "{entries}");
    // One by one at the right edge is no worse.
    let mut world = World::new(None);
    for number in 0..300 {
        let commits = world.commit(&[Change::Put(0, number, 20)]);
        world.base.apply(&memtable(&commits), None).unwrap();
    }
    let entries = world.base.db().len();
    assert!((40..=60).contains(&entries), "{entries}");
    // Nor is what remains when most of them go.
    let rare = (0..300).filter(|number| number % 20 != 0);
    let gone: Vec<_> = rare.map(|number| Change::Delete(0, number)).collect();
    let commits = world.commit(&gone);
    world.base.apply(&memtable(&commits), None).unwrap();
    let entries = world.base.db().len();
    assert!(entries <= 10, "{entries}");
    world.check(&Layers::default());
}

#[test]
fn a_reader_beside_a_checkpoint_finds_every_pair() {
    // In blocks, and in runs.
    [0, 1].into_iter().for_each(read_beside_checkpoints);
}

fn read_beside_checkpoints(table: usize) {
    let mut world = World::new(None);
    let still: BTreeSet<u16> = (0..NUMBERS).filter(|number| number % 3 == 0).collect();
    let put: Vec<_> = still.iter().map(|n| Change::Put(table, *n, 20)).collect();
    let commits = world.commit(&put);
    world.base.apply(&memtable(&commits), None).unwrap();
    let expected: Vec<_> = still.iter().map(|number| key(table, *number)).collect();
    // Between them pairs come and go, so that blocks are cut and joined.
    let others = (0..NUMBERS).filter(|number| number % 3 != 0);
    let come: Vec<_> = others.clone().map(|n| Change::Put(table, n, 60)).collect();
    let go: Vec<_> = others.map(|n| Change::Delete(table, n)).collect();
    let (come, go) = (world.commit(&come), world.commit(&go));
    let (come, go) = (memtable(&come), memtable(&go));
    let (base, over) = (&world.base, AtomicBool::new(false));
    std::thread::scope(|scope| {
        let look = |direction| {
            let (low, high) = (key(table, 0), key(table, NUMBERS));
            let (mut rounds, expected) = (0, &expected);
            while !over.load(Ordering::SeqCst) {
                let mut found: Vec<_> = base
                    .range(&low, Some(&high), direction)
                    .map(|pair| pair.unwrap().0)
                    .filter(|key| expected.contains(key))
                    .collect();
                if direction == Direction::Backward {
                    found.reverse();
                }
                assert_eq!(found, *expected);
                for key in expected {
                    assert!(base.get(key).unwrap().is_some(), "{key:?}");
                }
                rounds += 1;
            }
            assert!(rounds > 0);
        };
        let readers = [
            scope.spawn(move || look(Direction::Forward)),
            scope.spawn(move || look(Direction::Backward)),
        ];
        for _ in 0..30 {
            base.apply(&come, None).unwrap();
            base.apply(&go, None).unwrap();
            base.merge_small(u64::MAX).unwrap();
            if readers.iter().any(|reader| reader.is_finished()) {
                break;
            }
        }
        over.store(true, Ordering::SeqCst);
    });
}
