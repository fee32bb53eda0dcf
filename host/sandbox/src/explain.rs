//! What a file is and what a component imports and exports, in words.

use std::collections::BTreeSet;

use wasmtime::Engine;
use wasmtime::component::{Component, Instance};

use crate::plugin::{Exports, Role};
use crate::state::State;

/// The version of `wit/` that this host speaks.
pub(crate) const VERSION: &str = "0.1.0";

/// The package whose interfaces make a plugin.
const PACKAGE: &str = "ringback:plugin/";

/// WASI packages that are linked. An empty context denies what they reach for.
const LINKED: [&str; 6] = [
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
    "wasi:io/",
    "wasi:random/",
    "wasi:sockets/",
];

/// What a file is when it is not a component.
pub(crate) enum Header {
    Empty,
    CoreModule,
    Precompiled,
    Other(String),
}

/// Looks at the first eight bytes: the magic number, then version and layer
/// (component-model Binary.md: 0x0d and layer 1; core: version 1).
pub(crate) fn header(bytes: &[u8]) -> Result<(), Header> {
    match bytes {
        [] => Err(Header::Empty),
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => Err(Header::CoreModule),
        [0, b'a', b's', b'm', _, 0, 1, 0, ..] => Ok(()),
        [0x7f, b'E', b'L', b'F', ..] => Err(Header::Precompiled),
        other => {
            let first = other.get(..8).unwrap_or(other);
            Err(Header::Other(format!("\"{}\"", first.escape_ascii())))
        }
    }
}

/// The names a component imports and exports.
pub(crate) struct Surface {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
}

pub(crate) fn surface(component: &Component, engine: &Engine) -> Surface {
    let kind = component.component_type();
    Surface {
        imports: kind
            .imports(engine)
            .map(|(name, _)| name.to_owned())
            .collect(),
        exports: kind
            .exports(engine)
            .map(|(name, _)| name.to_owned())
            .collect(),
    }
}

impl Surface {
    /// True when the component exports this interface of ours.
    pub(crate) fn has(&self, interface: &str) -> bool {
        self.exports
            .iter()
            .any(|name| ours(name).is_some_and(|(found, _)| found == interface))
    }

    pub(crate) fn roles(&self) -> BTreeSet<Role> {
        Role::ALL
            .iter()
            .filter(|(_, interface)| self.has(interface))
            .map(|(role, _)| *role)
            .collect()
    }

    /// The first of our interfaces that is of an incompatible version, and that
    /// version. Before 1.0 the second number must agree; the third may not.
    pub(crate) fn other_version(&self) -> Option<(String, String)> {
        self.imports.iter().chain(&self.exports).find_map(|name| {
            let (interface, version) = ours(name)?;
            (series(version) != series(VERSION)).then(|| (interface.to_owned(), version.to_owned()))
        })
    }

    /// Imports that this host does not give to a plugin of this kind.
    pub(crate) fn denied(&self, connects: bool) -> Vec<String> {
        let given: &[&str] = if connects {
            &[
                "types", "http", "webhook", "prompts", "log", "settings", "keys",
            ]
        } else {
            &["types", "prompts", "log"]
        };
        self.imports
            .iter()
            .filter(|name| match ours(name) {
                Some((interface, _)) => !given.contains(&interface),
                None => !LINKED.iter().any(|package| name.starts_with(package)),
            })
            .cloned()
            .collect()
    }
}

/// Interface and version of a name of ours ("ringback:plugin/log@0.1.0").
fn ours(name: &str) -> Option<(&str, &str)> {
    let name = name.strip_prefix(PACKAGE)?;
    Some(name.split_once('@').unwrap_or((name, "")))
}

fn series(version: &str) -> Option<(&str, &str)> {
    let (major, rest) = version.split_once('.')?;
    let (minor, _) = rest.split_once('.')?;
    Some((major, minor))
}

/// The interfaces that make a role, for a message.
pub(crate) fn role_list() -> String {
    Role::ALL.map(|(_, interface)| interface).join(", ")
}

/// An interface whose functions are not as in this host's `wit/`.
#[derive(Debug, thiserror::Error)]
#[error("{interface}: {detail}")]
pub(crate) struct Mismatch {
    pub(crate) interface: &'static str,
    pub(crate) detail: String,
}

impl Exports {
    /// Compares every function of every role with the host's own types.
    pub(crate) fn check(
        &self,
        store: &mut wasmtime::Store<State>,
        instance: &Instance,
    ) -> wasmtime::Result<()> {
        let differs = |interface: &'static str| {
            move |error: wasmtime::Error| Mismatch {
                interface,
                detail: error.root_cause().to_string(),
            }
        };
        if let Some(place) = &self.connector {
            place
                .load(&mut *store, instance)
                .map_err(differs("connector"))?;
        }
        if let Some(place) = &self.texting {
            place
                .load(&mut *store, instance)
                .map_err(differs("texting"))?;
        }
        if let Some(place) = &self.calling {
            place
                .load(&mut *store, instance)
                .map_err(differs("calling"))?;
        }
        if let Some(place) = &self.model {
            place
                .load(&mut *store, instance)
                .map_err(differs("language-model"))?;
        }
        if let Some(place) = &self.prompt {
            place
                .load(&mut *store, instance)
                .map_err(differs("prompt-builder"))?;
        }
        Ok(())
    }
}
