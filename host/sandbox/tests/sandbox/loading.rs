//! Loading: what an author reads when a file is no plugin, and the cache.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use ringback_sandbox::{LoadError, Options, Role, Sandbox};

use crate::{hostile, sandbox, simulator, twilio};

async fn error(wasm: &[u8]) -> LoadError {
    sandbox().load("bad", wasm).await.expect_err("no plugin")
}

/// The component with one name replaced everywhere by another as long.
fn renamed(wasm: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "lengths are written before names");
    let mut wasm = wasm.to_vec();
    let mut found = 0;
    let mut at = 0;
    while at + from.len() <= wasm.len() {
        if &wasm[at..at + from.len()] == from.as_bytes() {
            wasm[at..at + from.len()].copy_from_slice(to.as_bytes());
            found += 1;
        }
        at += 1;
    }
    assert!(found > 0, "{from} does not occur");
    wasm
}

#[tokio::test]
async fn says_what_a_file_is_instead() {
    assert_snapshot!(error(b"").await, @"the file is empty");
    assert_snapshot!(error(b"begin\n{}").await, @"this is not WebAssembly: it begins with \"begin\\n{}\"");
    assert_snapshot!(error(b"\0asm\x01\0\0\0rest").await, @"this is a core WebAssembly module and not a component; build it for the target wasm32-wasip2 (Rust) or run your language's componentize step");
    assert_snapshot!(error(b"\x7fELF\x02\x01\x01\0").await, @"this is machine code that was compiled before; hand over the .wasm it was made from");
}

#[tokio::test]
async fn says_when_a_file_is_damaged() {
    let whole = hostile();
    assert!(matches!(
        error(&whole[..whole.len() / 2]).await,
        LoadError::Broken(_)
    ));
    assert_snapshot!(error(&whole[..8]).await, @"it exports nothing; a plugin exports at least one of: texting, calling, language-model, prompt-builder, text-handler, step");
}

#[tokio::test]
async fn says_when_the_version_differs() {
    let other = renamed(
        &hostile(),
        "ringback:plugin/log@0.1.0",
        "ringback:plugin/log@0.2.0",
    );
    assert_snapshot!(error(&other).await, @"`log` is of plugin API 0.2.0, this host speaks 0.1.0; rebuild the plugin with the wit folder of this release");
    // A later patch of the same series is fine while it needs nothing new.
    let later = renamed(
        &hostile(),
        "ringback:plugin/log@0.1.0",
        "ringback:plugin/log@0.1.7",
    );
    sandbox().load("later", &later).await.expect("compatible");
}

#[tokio::test]
async fn says_what_it_may_not_ask_for() {
    let greedy = renamed(&hostile(), "ringback:plugin/log@", "ringback:plugin/net@");
    assert_snapshot!(error(&greedy).await, @"it asks for ringback:plugin/net@0.1.0, which a connector cannot have");
    let greedy = renamed(&hostile(), "wasi:cli/environment", "wasi:web/environment");
    assert!(matches!(error(&greedy).await, LoadError::Denied { .. }));
}

#[tokio::test]
async fn says_when_nothing_of_use_is_exported() {
    let idle = renamed(
        &hostile(),
        "ringback:plugin/texting@",
        "ringback:plugin/testing@",
    );
    assert_snapshot!(error(&idle).await, @"it exports ringback:plugin/testing@0.1.0, ringback:plugin/connector@0.1.0; a plugin exports at least one of: texting, calling, language-model, prompt-builder, text-handler, step");
    let mute = renamed(
        &hostile(),
        "ringback:plugin/connector@",
        "ringback:plugin/collector@",
    );
    assert_snapshot!(error(&mute).await, @"it exports `texting` but not `connector`, which says what settings it needs");
}

#[tokio::test]
async fn says_which_field_differs() {
    let changed = renamed(&hostile(), "idempotent", "idempotant");
    assert_snapshot!(error(&changed).await, @"`connector` differs from plugin API 0.1.0: expected record field named idempotent, found idempotant; rebuild the plugin with the wit folder of this release");
}

#[tokio::test]
async fn tells_what_it_loaded() {
    let plugin = sandbox()
        .load("simulator", &simulator())
        .await
        .expect("a plugin");
    assert_eq!(plugin.digest, blake3::hash(&simulator()).to_hex().as_str());
    assert_eq!(plugin.roles, [Role::Texting, Role::Calling].into());
    let description = plugin.description.as_ref().expect("a connector");
    assert_eq!(description.title, "Simulator");
    assert!(description.idempotent);
    let plugin = sandbox().load("twilio", &twilio()).await.expect("a plugin");
    assert!(
        plugin
            .description
            .as_ref()
            .is_some_and(|d| d.handles_opt_out)
    );
}

fn cached(dir: &Path) -> Sandbox {
    let options = Options {
        cache_dir: Some(dir.to_owned()),
        ..Options::default()
    };
    Sandbox::new(options).expect("a sandbox")
}

/// Damage anywhere in a cached file is noticed and the component compiled again.
#[tokio::test]
async fn a_damaged_cache_is_compiled_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = dir.path().join("cache");
    let wasm = hostile();
    cached(&cache)
        .load("hostile", &wasm)
        .await
        .expect("compiled");
    let files: Vec<_> = fs::read_dir(&cache).expect("a folder").collect();
    assert_eq!(files.len(), 1, "one file and no leftovers");
    let path = files[0].as_ref().expect("a file").path();
    let whole = fs::read(&path).expect("a file");
    let used = fs::metadata(&path)
        .and_then(|m| m.modified())
        .expect("a time");
    cached(&cache)
        .load("hostile", &wasm)
        .await
        .expect("from the cache");
    let now = fs::metadata(&path)
        .and_then(|m| m.modified())
        .expect("a time");
    assert_eq!(now, used, "a sound file is not written again");
    for damage in [0, whole.len() / 2, whole.len() - 1] {
        let mut broken = whole.clone();
        broken[damage] ^= 1;
        fs::write(&path, &broken).expect("written");
        cached(&cache)
            .load("hostile", &wasm)
            .await
            .expect("compiled again");
        assert_ne!(fs::read(&path).expect("a file"), broken, "byte {damage}");
    }
    fs::write(&path, &whole[..whole.len() / 3]).expect("written");
    cached(&cache)
        .load("hostile", &wasm)
        .await
        .expect("compiled again");
}
