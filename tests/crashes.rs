//! Killing the process, a hundred times, at moments that nobody chose: what was
//! acknowledged is texted exactly once, and nothing is texted twice.

use std::time::{Duration, Instant};

use crate::support::{Host, TEXT_BACK, Twilio, config, contact, within};
use crate::texts::call;

/// How many hosts are killed side by side, and how often each.
const LANES: u32 = 4;
const KILLS: u32 = 25;
/// The longest time between the webhook and the kill, in microseconds.
const LATEST: u64 = 60_000;

/// A small generator (splitmix64): the moments must be repeatable, not good.
struct Moments(u64);

impl Moments {
    fn next(&mut self) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Duration::from_micros((z ^ (z >> 31)) % LATEST)
    }
}

fn seed() -> u64 {
    match std::env::var("RINGBACK_TEST_SEED") {
        Ok(text) => text.parse().expect("RINGBACK_TEST_SEED is a number"),
        Err(_) => u64::from(std::process::id()),
    }
}

/// What is known of the kills of one lane.
#[derive(Debug, Default)]
struct Tally {
    /// The webhook was acknowledged before the kill.
    acknowledged: u32,
    /// The provider had the text before the kill.
    sent: u32,
}

#[tokio::test]
async fn a_hundred_kills_lose_nothing_and_repeat_nothing() {
    let (seed, begun) = (seed(), Instant::now());
    eprintln!("a hundred kills: RINGBACK_TEST_SEED={seed}");
    let lanes = (0..LANES).map(|lane| {
        let moments = Moments(seed.wrapping_add(u64::from(lane) << 32));
        kills(lane, moments)
    });
    let mut tally = Tally::default();
    for one in futures_util::future::join_all(lanes).await {
        tally.acknowledged += one.acknowledged;
        tally.sent += one.sent;
    }
    eprintln!(
        "{} kills in {:?}: {tally:?}",
        LANES * KILLS,
        begun.elapsed()
    );
    // Otherwise the moments are all on one side, and nothing was tested.
    assert!(
        tally.acknowledged > 0 && tally.sent < LANES * KILLS,
        "{tally:?}"
    );
}

async fn kills(lane: u32, mut moments: Moments) -> Tally {
    let twilio = Twilio::start().await;
    let config = config(&twilio, "", "");
    let mut host = Host::start(&config, &[("workflows/text-back.yaml", TEXT_BACK)]).await;
    let mut tally = Tally::default();
    for number in 0..KILLS {
        let (caller, sid) = (contact(1000 + lane * 100 + number), twilio.sid("CA"));
        let form = call(&sid, &caller, "no-answer");
        let moment = moments.next();
        let acknowledged = {
            let webhook = twilio.tell(&host, "call", &form);
            tokio::pin!(webhook);
            let end = tokio::time::Instant::now() + moment;
            let mut answered = None;
            // The answer counts when it came before the kill.
            while answered.is_none() {
                tokio::select! {
                    answer = &mut webhook => answered = Some(answer),
                    () = tokio::time::sleep_until(end) => break,
                }
            }
            tokio::time::sleep_until(end).await;
            answered
                .flatten()
                .is_some_and(|answer| (200..300).contains(&answer.status))
        };
        host.kill9();
        tally.acknowledged += u32::from(acknowledged);
        tally.sent += u32::from(!twilio.texts_to(&caller).is_empty());
        host.restart().await;
        if !acknowledged {
            let again = twilio.tell(&host, "call", &form).await.expect("an answer");
            assert!((200..300).contains(&again.status), "{again:?}");
        }
        let what = format!("{caller} after a kill at {moment:?} is settled");
        within(Duration::from_secs(20), &what, async || {
            let runs = host.runs_for(&caller).await;
            let [run] = runs.as_slice() else {
                assert!(runs.len() < 2, "two runs: {runs:?}");
                assert!(
                    !acknowledged,
                    "an acknowledged event is lost ({caller}, {moment:?})"
                );
                return None;
            };
            let texts = host.texts_to(&caller).await;
            let held = texts.iter().any(|one| one["status"] == "needs_review");
            assert!(
                !held,
                "{caller} after a kill at {moment:?} is held: {texts:?}"
            );
            (run["status"] == "finished").then_some(())
        })
        .await;
        let requests = twilio.texts_to(&caller).len();
        assert_eq!(
            requests, 1,
            "requests for {caller} after a kill at {moment:?}"
        );
    }
    assert!(host.stop().await.success());
    for number in 0..KILLS {
        assert_eq!(
            twilio.texts_to(&contact(1000 + lane * 100 + number)).len(),
            1
        );
    }
    tally
}

/// A host that is down for longer than the settle time still looks for what it had
/// in flight when it comes back, in both possible worlds.
#[tokio::test]
async fn a_long_downtime_does_not_leave_texts_for_a_person_to_settle() {
    let twilio = Twilio::start().await;
    let mut host = Host::with_text_back(&twilio).await;
    let (listed, absent) = (contact(1900), contact(1901));
    for (caller, taken) in [(&listed, true), (&absent, false)] {
        twilio.next(crate::support::Behaviour::Silence(taken));
        host.miss(caller).await.expect(202);
        twilio.texted(caller, 1).await;
    }
    host.kill9();
    // Time itself is what is waited for: more than twice the settle time of a second.
    tokio::time::sleep(Duration::from_secs(4)).await;
    host.restart().await;
    for (caller, requests) in [(&listed, 1), (&absent, 2)] {
        host.text_becomes(caller, "accepted").await;
        assert_eq!(twilio.texts_to(caller).len(), requests, "to {caller}");
    }
}
