//! Every way to misbehave ends in a sentence that names the limit.

use std::time::Instant;

use insta::assert_snapshot;
use ringback_sandbox::contract::texting::SendStep;
use ringback_sandbox::{CallError, Cause, VerifyError};

use crate::{context, hostile, load, text, webhook};

/// What comes of a deed: the result's text, or the error.
async fn check(deed: &str) -> Result<String, CallError> {
    let plugin = load("hostile", &hostile()).await;
    let step = plugin
        .send(
            &context(&[], &[("auth_token", "s3cret")]),
            &text(deed),
            None,
        )
        .await?;
    match step.expect("no failure") {
        SendStep::Done(receipt) => Ok(receipt.provider_id),
        SendStep::Ask(_) => panic!("no request expected"),
    }
}

async fn error(deed: &str) -> CallError {
    check(deed).await.expect_err(deed)
}

#[tokio::test]
async fn a_loop_is_stopped() {
    let begun = Instant::now();
    assert_snapshot!(error("spin").await, @"plugin `hostile`, texting.send: its code ran for more than 500 ms (limit `guest_time`)");
    assert!(begun.elapsed().as_secs() < 30);
}

/// While one plugin spins, others are served, also on a single thread.
#[tokio::test(flavor = "current_thread")]
async fn a_loop_lets_others_run() {
    let plugin = load("hostile", &hostile()).await;
    let (context, spin, quick) = (context(&[], &[]), text("spin"), text("hello"));
    let spinning = plugin.send(&context, &spin, None);
    let others = async {
        for _ in 0..20 {
            plugin
                .send(&context, &quick, None)
                .await
                .expect("served")
                .expect("done");
        }
        Instant::now()
    };
    let spun = async {
        spinning.await.expect_err("stopped");
        Instant::now()
    };
    let (spun, served) = tokio::join!(spun, others);
    assert!(served < spun, "the others waited for the loop");
}

#[tokio::test]
async fn a_sleep_is_stopped() {
    assert_snapshot!(error("sleep").await, @"plugin `hostile`, texting.send: it took longer than 2000 ms (limit `wall_time`)");
}

#[tokio::test]
async fn a_hoard_is_stopped() {
    assert_snapshot!(error("hoard").await, @"plugin `hostile`, texting.send: it wanted more than 64 MiB of memory (limit `memory`)");
}

#[tokio::test]
async fn a_panic_is_told_in_its_own_words() {
    let error = error("panic").await;
    assert_eq!(error.cause, Cause::Panicked);
    assert!(error.stderr.contains("nobody is home"), "{}", error.stderr);
    assert!(error.to_string().contains("nobody is home"), "{error}");
}

#[tokio::test]
async fn a_recursion_is_stopped() {
    assert_snapshot!(error("recurse").await, @"plugin `hostile`, texting.send: it crashed: it left its memory (a wrong pointer, or endless recursion)");
}

#[tokio::test]
async fn an_exit_is_told() {
    assert_snapshot!(error("exit").await, @"plugin `hostile`, texting.send: it ended itself (exit code 1)");
}

#[tokio::test]
async fn a_giant_result_is_refused() {
    assert_snapshot!(error("giant").await, @"plugin `hostile`, texting.send: more than 4096 KiB were to be copied between it and the host (limit `copied`)");
}

#[tokio::test]
async fn a_flood_of_lines_is_stopped() {
    let error = error("flood").await;
    assert_snapshot!(error, @"plugin `hostile`, texting.send: it logged more than 200 lines in one call (limit `log_lines`)");
    assert_eq!(error.log, ["flood"; 10]);
}

#[tokio::test]
async fn a_big_state_is_refused() {
    assert_snapshot!(error("state").await, @"plugin `hostile`, texting.send: its result breaks the contract: the state of a request holds 65537 bytes, more than 65536");
}

#[tokio::test]
async fn nothing_of_the_machine_is_seen() {
    assert_snapshot!(check("snoop").await.expect("a result"), @"no file, no socket, 0 variables, no secret");
}

#[tokio::test]
async fn a_failure_of_the_plugin_is_no_error_of_the_call() {
    let plugin = load("hostile", &hostile()).await;
    let step = plugin.send(&context(&[], &[]), &text("fail"), None).await;
    assert!(step.expect("a result").is_err());
}

#[tokio::test]
async fn a_role_it_lacks_is_named() {
    let plugin = load("hostile", &hostile()).await;
    let call = ringback_sandbox::contract::calling::OutgoingCall {
        id: String::new(),
        from: String::new(),
        to: String::new(),
        script: ringback_sandbox::contract::calling::Script::Say(String::new()),
        variables: String::new(),
        ring_for: 1,
        detect_machine: false,
        status_url: String::new(),
    };
    let error = plugin.place(&context(&[], &[]), &call, None).await;
    assert_snapshot!(error.expect_err("no such role"), @"plugin `hostile`, calling.place: it has no such role");
}

#[tokio::test]
async fn a_webhook_is_refused_or_unchecked() {
    let plugin = load("hostile", &hostile()).await;
    let main = context(&[], &[]);
    let verify = async |body: &[u8]| {
        plugin
            .verify(&main, webhook("https://h/t", &[], body))
            .await
    };
    let genuine = verify(b"genuine").await.expect("genuine");
    assert_eq!(genuine.request().body, b"genuine");
    assert_eq!(
        verify(b"forged").await.expect_err("forged"),
        VerifyError::Refused
    );
    let unchecked = VerifyError::Unchecked("no key".to_owned());
    assert_eq!(verify(b"no key").await.expect_err("no key"), unchecked);
    // Genuine for one connection says nothing about another.
    let mut other = (*main.connection).clone();
    other.name = "other".to_owned();
    let other = ringback_sandbox::Context::new(other.into(), "");
    let error = plugin
        .read_text(&other, &genuine)
        .await
        .expect_err("of another");
    assert_eq!(error.cause, Cause::NotVerified);
    assert!(
        plugin
            .read_text(&main, &genuine)
            .await
            .expect("a result")
            .is_err()
    );
}
