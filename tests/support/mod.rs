//! What the tests stand on: a host in a folder, a Twilio on the loopback address,
//! and waiting for something without waiting longer than needed.

mod chance;
mod host;
mod http;
mod specs;
pub(crate) mod twilio;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub(crate) use chance::{Chance, long, seed};
pub(crate) use host::{Host, Prepared};
pub(crate) use http::{Answer, ask};
pub(crate) use specs::Specs;
pub(crate) use twilio::{ACCOUNT, Asked, Behaviour, TOKEN, Taken, Twilio, sign};

/// Our number in all configurations here.
pub(crate) const OURS: &str = "+15125550100";
/// Where calls are forwarded to.
pub(crate) const OWNER: &str = "+15125550111";
/// The address that Twilio believes it calls. Signatures cover it.
pub(crate) const PUBLIC: &str = "https://followups.example.com";

/// The smallest useful workflow.
pub(crate) const TEXT_BACK: &str = r#"name: Missed-call text-back
on: call.missed
steps:
  - send: "Sorry we missed you! How can we help?"
"#;

/// The words of [`TEXT_BACK`].
pub(crate) const SORRY: &str = "Sorry we missed you! How can we help?";

/// A configuration for one agent at a Twilio; `rest` is added at its end, and
/// `agent` within the agent's section.
pub(crate) fn config(twilio: &Twilio, agent: &str, rest: &str) -> String {
    format!(
        r#"
[server]
listen     = "127.0.0.1:0"
public_url = "{PUBLIC}"
api_keys   = [{{ env = "RINGBACK_API_KEY" }}]

[business]
name = "Brightside Dental"
zone = "America/Chicago"

[connections.main]
connector   = "twilio"
account_sid = "{sid}"
auth_token  = {{ env = "TWILIO_AUTH_TOKEN" }}
base_url    = "{url}"
settle      = "1s"

[agents.front-desk]
name       = "Ava"
numbers    = ["{OURS}"]
connection = "main"
{agent}

{rest}
"#,
        sid = twilio::ACCOUNT,
        url = twilio.url(),
    )
}

/// Waits until `look` finds something, looking often; panics when it takes longer
/// than `patience`.
pub(crate) async fn within<T>(
    patience: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let end = Instant::now() + patience;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "not within {patience:?}: {what}");
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}

/// Waits as long as anything here may take. These machines are slow and busy; what
/// has to be quick says so with [`within`].
pub(crate) async fn eventually<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    within(Duration::from_secs(30), what, look).await
}

/// The workspace.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A file of the specifications and vectors that are too large for this
/// repository: in the folder that `RINGBACK_SHARED` names, or beside the
/// workspace. Without it a test says loudly that it skips, and fails where
/// everything must be tested (`RINGBACK_TEST_EVERYTHING=1`).
pub(crate) fn shared(path: &str) -> Option<String> {
    let folder = match std::env::var_os("RINGBACK_SHARED") {
        Some(folder) => PathBuf::from(folder),
        None => workspace().join("../shared"),
    };
    match std::fs::read_to_string(folder.join(path)) {
        Ok(text) => Some(text),
        Err(problem) => {
            skip(&format!("{path} of the shared data: {problem}"));
            None
        }
    }
}

/// Says that something is not tested here.
pub(crate) fn skip(why: &str) {
    let everything = std::env::var("RINGBACK_TEST_EVERYTHING").is_ok_and(|value| value == "1");
    assert!(
        !everything,
        "RINGBACK_TEST_EVERYTHING is set, and there is no {why}"
    );
    eprintln!("*** SKIPPED *** {why}");
}

/// A contact's number; each test has its own, so that no log confuses anybody.
pub(crate) fn contact(number: u32) -> String {
    format!("+1512555{number:04}")
}
