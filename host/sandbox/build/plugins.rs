//! Builds plugins of this workspace with cargo, for the server's build script
//! and for the tests of this crate, which share one target folder so that
//! nothing is built twice.
//!
//! Standard library only: a build script should not wait for a dependency.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The target that plugins are built for.
const TARGET: &str = "wasm32-wasip2";

/// What a nested cargo may keep of the outer one's environment: where its files
/// are and how it reaches the registry. Anything else (flags, wrappers, the
/// features and profile of the crate being built) belongs to the outer build.
const KEPT: [&str; 6] = [
    "CARGO_HOME",
    "CARGO_NET_",
    "CARGO_HTTP_",
    "CARGO_REGISTRIES_",
    "CARGO_REGISTRY_",
    "CARGO_SOURCE_",
];

/// Variables beyond `CARGO_*` that the outer build sets.
const DROPPED: [&str; 13] = [
    "DEBUG",
    "HOST",
    "MAKEFLAGS",
    "MFLAGS",
    "NUM_JOBS",
    "OPT_LEVEL",
    "OUT_DIR",
    "PROFILE",
    "RUSTC",
    "RUSTDOC",
    "RUSTFLAGS",
    "RUSTDOCFLAGS",
    "TARGET",
];

/// The folder beside the profiles of a target folder, given anything inside it:
/// `target/debug/build/x/out` and `target/tmp` both give `target/plugins`.
pub(crate) fn target_dir(inside: &Path) -> PathBuf {
    let profile = inside
        .ancestors()
        .find(|dir| dir.ends_with("build") || dir.ends_with("tmp"));
    let target = profile.and_then(|dir| match dir.ends_with("build") {
        true => dir.parent()?.parent(),
        false => dir.parent(),
    });
    target.unwrap_or(inside).join("plugins")
}

/// Runs `cargo build` for these packages or examples (`-p name`, `--example
/// name`) and returns the folder with the components. The error is what cargo
/// said, or what to type.
pub(crate) fn build(workspace: &Path, target_dir: &Path, what: &[&str]) -> Result<PathBuf, String> {
    ensure_target(workspace)?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(workspace)
        .args([
            "build",
            "--locked",
            "--profile",
            "plugin",
            "--target",
            TARGET,
        ])
        .arg("--target-dir")
        .arg(target_dir)
        .args(what)
        .stdin(Stdio::null());
    for (name, _) in env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        let of_cargo = name.starts_with("CARGO") && !KEPT.iter().any(|kept| name.starts_with(kept));
        let of_rustc = name.starts_with("RUSTC_") || DROPPED.contains(&name);
        if of_cargo || of_rustc {
            command.env_remove(name);
        }
    }
    let output = command
        .output()
        .map_err(|error| format!("could not run cargo for the plugins: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("a plugin did not build:\n\n{said}"));
    }
    Ok(target_dir.join(TARGET).join("plugin"))
}

/// Installs the target when the compiler lacks it. `rust-toolchain.toml` asks
/// for it, but rustup does not always look there by itself.
fn ensure_target(workspace: &Path) -> Result<(), String> {
    if has_target(workspace) {
        return Ok(());
    }
    let added = Command::new("rustup")
        .current_dir(workspace)
        .args(["target", "add", TARGET])
        .output();
    if has_target(workspace) {
        return Ok(());
    }
    let why = match added {
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => format!("rustup did not run: {error}"),
    };
    Err(format!(
        "the plugins are built for {TARGET}, which this compiler lacks. Type:\n\n    \
         rustup target add {TARGET}\n\n(without rustup, install your system's package of the Rust \
         standard library for that target)\n\n{why}"
    ))
}

fn has_target(workspace: &Path) -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .current_dir(workspace)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output();
    output.is_ok_and(|output| {
        let dir = String::from_utf8_lossy(&output.stdout);
        output.status.success() && Path::new(dir.trim()).is_dir()
    })
}
