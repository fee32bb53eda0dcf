//! Builds the built-in plugins and puts them where the binary includes them.

use std::path::{Path, PathBuf};
use std::{env, fmt, fs};

#[path = "../sandbox/build/plugins.rs"]
mod plugins;

/// Every built-in plugin: the name users write, and its crate.
const BUILTIN: [(&str, &str); 2] = [
    ("simulator", "ringback-plugin-simulator"),
    ("twilio", "ringback-plugin-twilio"),
];

/// Shown by cargo as it is, with the line breaks of the plugin's own compiler.
struct Failed(String);

impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn main() -> Result<(), Failed> {
    let out = PathBuf::from(variable("OUT_DIR")?);
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let workspace = manifest.join("../..");
    let workspace = workspace
        .canonicalize()
        .map_err(|error| Failed(format!("could not find {}: {error}", workspace.display())))?;
    for path in [
        "plugins",
        "wit",
        "Cargo.lock",
        "Cargo.toml",
        "rust-toolchain.toml",
        "host/sandbox/build/plugins.rs",
        "host/server/build.rs",
    ] {
        println!("cargo::rerun-if-changed={}", workspace.join(path).display());
    }
    let packages: Vec<&str> = BUILTIN
        .iter()
        .flat_map(|(_, package)| ["-p", package])
        .collect();
    let built =
        plugins::build(&workspace, &plugins::target_dir(&out), &packages).map_err(Failed)?;
    for (name, package) in BUILTIN {
        let component = built.join(format!("{}.wasm", package.replace('-', "_")));
        copy(&component, &out.join(format!("{name}.wasm")))?;
    }
    write(&out.join("builtin.rs"), &list())
}

/// The Rust that the server includes.
fn list() -> String {
    let entries = BUILTIN.map(|(name, _)| {
        format!("    (\"{name}\", include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}.wasm\"))),\n")
    });
    format!(
        "/// The built-in plugins: name and component. Made by `build.rs`.\n\
         pub(crate) static BUILTIN: &[(&str, &[u8])] = &[\n{}];\n",
        entries.concat()
    )
}

fn variable(name: &str) -> Result<String, Failed> {
    env::var(name).map_err(|error| Failed(format!("{name}: {error}")))
}

fn copy(from: &Path, to: &Path) -> Result<(), Failed> {
    let copied = fs::copy(from, to);
    copied
        .map(|_| ())
        .map_err(|error| Failed(format!("could not copy {}: {error}", from.display())))
}

fn write(path: &Path, text: &str) -> Result<(), Failed> {
    fs::write(path, text)
        .map_err(|error| Failed(format!("could not write {}: {error}", path.display())))
}
