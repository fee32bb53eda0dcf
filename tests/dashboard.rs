//! The dashboard in a real browser: the pretend phone and the run beside it.

use std::process::Stdio;
use std::time::Duration;

use serde_json::json;

use crate::demo::{CALLER, arrives, started};
use crate::support::{OURS, skip};

/// The names Chromium goes by.
const BROWSERS: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// The page as the browser made it, after its scripts have run; none without a
/// browser.
async fn look(url: &str) -> Option<String> {
    let profile = tempfile::tempdir().expect("a folder");
    for browser in BROWSERS {
        let mut command = tokio::process::Command::new(browser);
        command
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--window-size=1440,1000",
                "--virtual-time-budget=8000",
                "--dump-dom",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(url)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let seen = tokio::time::timeout(Duration::from_secs(60), command.output())
            .await
            .expect("the browser ends by itself");
        if let Ok(seen) = seen {
            return Some(String::from_utf8_lossy(&seen.stdout).into_owned());
        }
    }
    None
}

#[tokio::test]
async fn the_page_shows_the_phone_and_the_run() {
    let host = started().await;
    let event = json!({ "type": "call.missed", "from": CALLER, "to": OURS });
    host.post("/api/v1/events", &event).await.expect(202);
    arrives(&host, 1).await;
    let answer = json!({ "from": CALLER, "to": OURS, "body": "<b>Friday</b>?" });
    host.post("/simulator/phone/text", &answer)
        .await
        .expect(200);
    arrives(&host, 2).await;
    host.run_becomes(CALLER, "finished").await;

    host.files()
        .write("workflows/demo/broken.yaml", b"name: Broken\n");
    host.logs("broken.yaml has errors: it is not in service")
        .await;

    let log = host.log();
    let link = log
        .split_whitespace()
        .find(|word| word.contains("/login?key="))
        .expect("the printed link");
    let Some(page) = look(link).await else {
        return skip("browser: the dashboard was not looked at");
    };
    for expected in [
        "The workflow file broken.yaml has an error in line 1: ",
        "Pretend phone",
        "sorry we missed your call",
        "Thanks! We have your message",
        // What a contact writes is shown, and is never part of the page.
        "&lt;b&gt;Friday&lt;/b&gt;?",
        "missed-call",
        "finished",
        "rules passed",
    ] {
        assert!(page.contains(expected), "{expected:?} is not in\n{page}");
    }
    assert!(!page.contains("<b>Friday"), "{page}");

    let stranger = link.replace("/login?key=", "/login?key=x");
    let Some(page) = look(&stranger).await else {
        return;
    };
    assert!(page.contains("not known here"), "{page}");
    assert!(!page.contains("sorry we missed"), "{page}");
}
