//! A host that is away for long. Kills under load are in `proof`.

use std::time::Duration;

use crate::support::{Host, Twilio, contact};

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
