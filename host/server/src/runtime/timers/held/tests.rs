//! Timers against a made-up store and a made-up clock.

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
}

fn timer(due: i64, own: u64) -> Key {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&own.to_be_bytes());
    keys::timer(at(due), bytes)
}

/// A store of timers, read a page at a time.
#[derive(Default)]
struct World {
    store: BTreeSet<Key>,
    held: Held,
    pages: usize,
    most: usize,
}

impl World {
    fn with(timers: impl IntoIterator<Item = Key>) -> Self {
        Self {
            store: timers.into_iter().collect(),
            ..Self::default()
        }
    }

    fn add(&mut self, key: Key) {
        self.store.insert(key.clone());
        self.held.add(key);
        self.most = self.most.max(self.held.len());
    }

    fn read(&mut self, from: &Key) -> Vec<Key> {
        self.pages += 1;
        self.store
            .range(from.clone()..)
            .take(1_000)
            .cloned()
            .collect()
    }

    fn load(&mut self) {
        if let Some(from) = self.held.begin_load() {
            let page = self.read(&from);
            let full = page.len() == 1_000;
            self.held.end_load(page, full);
            self.most = self.most.max(self.held.len());
        }
    }

    /// Everything that fires at a time, in the order in which it does.
    fn fire(&mut self, now: i64) -> Vec<Key> {
        let mut fired = Vec::new();
        loop {
            match self.held.next(at(now)) {
                Next::Due(key) => {
                    // The step removes it from the store; one that is not there is nothing.
                    if self.store.remove(&key) {
                        fired.push(key);
                    }
                }
                Next::Load => self.load(),
                Next::At(_) | Next::Nothing => return fired,
            }
        }
    }
}

/// A million with RINGBACK_PROOF=long, a hundred thousand otherwise: all due within
/// the same hour, after a long stop, and some of them new ones in between.
#[test]
fn proof_a_million_timers_fire_in_order_and_few_are_held() {
    let long = std::env::var("RINGBACK_PROOF").is_ok_and(|how| how == "long");
    let count: u64 = if long { 1_000_000 } else { 100_000 };
    let due = |number: u64| i64::try_from(number.wrapping_mul(7_919) % 3_600_000).unwrap();
    let mut world = World::with((0..count).map(|number| timer(due(number), number)));
    let all = world.store.clone();
    world.load();
    assert_eq!(
        (world.pages, world.held.len()),
        (1, 1_000),
        "a start reads one page"
    );
    // On time, second by second.
    let mut fired = Vec::new();
    for second in 0..1_800 {
        fired.extend(world.fire(second * 1_000));
    }
    // The process is away, or the clock jumps: all the rest at once.
    fired.extend(world.fire(3_600_000));
    assert!(
        fired.iter().eq(all.iter()),
        "every one, once, in the order of time"
    );
    assert!(world.store.is_empty());
    assert!(world.most <= MOST, "{} were held", world.most);
    println!(
        "timers: {count} due within an hour, {} held at most, {} pages read",
        world.most, world.pages
    );
}

#[test]
fn new_timers_before_and_behind_what_is_held() {
    let mut world = World::with((0..5_000).map(|number| timer(number * 10, 1)));
    world.load();
    assert_eq!(world.fire(0), [timer(0, 1)]);
    assert!(world.held.add(timer(5, 2)), "it is the first now");
    world.store.insert(timer(5, 2));
    world.add(timer(45_005, 2));
    assert!(world.held.len() < 1_100, "what is far away is only stored");
    assert_eq!(world.fire(10), [timer(5, 2), timer(10, 1)]);
    let rest = world.fire(50_000);
    assert_eq!(rest.len(), 4_999);
    assert!(rest.contains(&timer(45_005, 2)) && rest.is_sorted());
}

#[test]
fn what_is_stored_while_a_page_is_read_is_not_missed() {
    let mut world = World::with([timer(1_000, 1)]);
    let from = world.held.begin_load().unwrap();
    let page = world.read(&from);
    // Stored after the page was read, and told before the page is taken over.
    world.add(timer(500, 2));
    world.held.end_load(page, false);
    assert_eq!(world.fire(2_000), [timer(500, 2), timer(1_000, 1)]);
}

#[test]
fn so_many_new_ones_that_a_page_no_longer_fits() {
    let mut world = World::with((0..3_000).map(|number| timer(1_000_000 + number, 1)));
    world.load();
    let from = world.held.begin_load().unwrap();
    let page = world.read(&from);
    for number in 0..25_000 {
        world.add(timer(number, 2));
    }
    world.held.end_load(page, true);
    assert!(world.held.len() <= MOST);
    let all = world.store.clone();
    assert!(world.fire(2_000_000).iter().eq(all.iter()));
}

#[test]
fn a_clock_that_jumps() {
    let mut world = World::with([timer(1_000, 1), timer(60_000, 2)]);
    assert_eq!(world.fire(999), []);
    assert_eq!(world.held.next(at(999)), Next::At(at(1_000)));
    assert_eq!(world.fire(1_000), [timer(1_000, 1)]);
    // An hour back: nothing early, nothing twice.
    assert_eq!(world.fire(-3_600_000), []);
    assert_eq!(world.fire(59_999), []);
    // A year forward: what is due, in its order.
    world.add(timer(59_000, 3));
    let year = SignedDuration::from_hours(24 * 365).as_millis();
    assert_eq!(
        world.fire(i64::try_from(year).unwrap()),
        [timer(59_000, 3), timer(60_000, 2)]
    );
}

#[test]
fn a_read_that_fails_is_tried_again() {
    let mut world = World::with([timer(0, 1)]);
    assert_eq!(world.held.next(at(0)), Next::Load);
    world.held.begin_load();
    world.held.give_up_load();
    assert_eq!(world.fire(0), [timer(0, 1)]);
    assert_eq!(world.held.next(at(0)), Next::Nothing);
}

proptest! {
    /// Whatever comes when: what fires is what is due, in order, once.
    #[test]
    fn it_fires_what_a_plain_list_would(
        stored in proptest::collection::vec(0_i64..5_000, 0..3_000),
        steps in proptest::collection::vec((0_u8..10, -200_i64..5_000), 0..60),
    ) {
        let mut world = World::with(stored.iter().zip(0..).map(|(due, own)| timer(*due, own)));
        let mut list = world.store.clone();
        let mut now = 0;
        for (number, (what, amount)) in steps.into_iter().enumerate() {
            match what {
                0..6 => {
                    let key = timer(now + amount, 1_000_000 + number as u64);
                    list.insert(key.clone());
                    world.add(key);
                }
                6 => world.held.forget(),
                7 => world.load(),
                _ => {
                    now += amount / 4;
                    let mut due = list.clone();
                    let later = due.split_off(&timer(now + 1, 0));
                    list = later;
                    prop_assert!(world.fire(now).iter().eq(due.iter()));
                }
            }
            prop_assert!(world.held.len() <= MOST);
        }
    }
}
