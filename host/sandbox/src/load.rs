//! Bytes become a plugin, or a sentence that its author understands.
//!
//! A component is accepted only after it compiled, linked and started once:
//! linking alone does not notice a record with another field, which would then
//! fail at its first call.

use std::collections::BTreeSet;
use std::sync::Arc;

use wasmtime::component::{Component, InstancePre};

use crate::call::{self, Frame, invoke};
use crate::engine::{Host, Sandbox};
use crate::explain::{self, Header, Mismatch, Surface};
use crate::plugin::{Exports, Plugin, Role};
use crate::state::State;

/// Why a file is not a plugin of this host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No bytes.
    #[error("the file is empty")]
    Empty,
    /// Something else altogether.
    #[error("this is not WebAssembly: it begins with {0}")]
    NotWasm(String),
    /// WebAssembly without the component around it.
    #[error(
        "this is a core WebAssembly module and not a component; build it for the target \
         wasm32-wasip2 (Rust) or run your language's componentize step"
    )]
    CoreModule,
    /// A file of a compile cache.
    #[error("this is machine code that was compiled before; hand over the .wasm it was made from")]
    Precompiled,
    /// The file is damaged or cut off.
    #[error("the component is damaged or incomplete: {0}")]
    Broken(String),
    /// Made for another version of `wit/`.
    #[error(
        "`{interface}` is of plugin API {built_for}, this host speaks {speaks}; rebuild the plugin \
         with the wit folder of this release"
    )]
    Version {
        /// The interface with the other version.
        interface: String,
        /// Its version.
        built_for: String,
        /// This host's version.
        speaks: &'static str,
    },
    /// It imports what this kind of plugin does not get.
    #[error("it asks for {}, which {who} cannot have", .wants.join(", "))]
    Denied {
        /// The interfaces.
        wants: Vec<String>,
        /// The kind of plugin, in words.
        who: &'static str,
    },
    /// It exports nothing the host can use.
    #[error("it exports {}; a plugin exports at least one of: {}", list(.exports), explain::role_list())]
    NoRole {
        /// What it exports.
        exports: Vec<String>,
    },
    /// Texting, calling and language models need `connector` beside them.
    #[error("it exports `{0}` but not `connector`, which says what settings it needs")]
    NoConnector(Role),
    /// A role that is part of the contract and not of this host yet.
    #[error("this release cannot run plugins with the role `{0}` yet")]
    NotYet(Role),
    /// A function or record is not as in this host's `wit/`.
    #[error(
        "`{interface}` differs from plugin API {speaks}: {detail}; rebuild the plugin with the wit \
         folder of this release"
    )]
    Mismatch {
        /// The interface that differs.
        interface: String,
        /// This host's version.
        speaks: &'static str,
        /// Which field or parameter, as the linker says it.
        detail: String,
    },
    /// It crashed or hit a limit when it was started to see whether it works.
    #[error("it failed when it was first started: {0}")]
    Start(call::Error),
}

fn list(names: &[String]) -> String {
    match names {
        [] => "nothing".to_owned(),
        names => names.join(", "),
    }
}

impl Sandbox {
    /// Compiles a component, or takes it from the cache, links it, starts it
    /// once and asks it to describe itself. `name` stands in logs and errors.
    /// Compiling takes a core for 30 ms to some seconds, on a blocking thread.
    pub async fn load(&self, name: &str, wasm: &[u8]) -> Result<Arc<Plugin>, Error> {
        explain::header(wasm).map_err(|header| match header {
            Header::Empty => Error::Empty,
            Header::CoreModule => Error::CoreModule,
            Header::Precompiled => Error::Precompiled,
            Header::Other(first) => Error::NotWasm(first),
        })?;
        let hash = blake3::hash(wasm);
        let component = self.compiled(hash, wasm.to_vec()).await?;
        let surface = explain::surface(&component, &self.host.engine);
        let roles = self.check(&surface)?;
        let mut plugin = self.link(name, hash, &component, roles)?;
        plugin.trial().await?;
        Ok(Arc::new(plugin))
    }

    async fn compiled(&self, hash: blake3::Hash, wasm: Vec<u8>) -> Result<Component, Error> {
        let host = self.host.clone();
        let work = tokio::task::spawn_blocking(move || compile(&host, hash, &wasm));
        work.await
            .unwrap_or_else(|stopped| Err(Error::Broken(stopped.to_string())))
    }

    /// Versions, imports and roles, before anything is linked.
    fn check(&self, surface: &Surface) -> Result<BTreeSet<Role>, Error> {
        if let Some((interface, built_for)) = surface.other_version() {
            return Err(Error::Version {
                interface,
                built_for,
                speaks: explain::VERSION,
            });
        }
        let roles = surface.roles();
        if roles.is_empty() {
            return Err(Error::NoRole {
                exports: surface.exports.clone(),
            });
        }
        for role in [Role::Handler, Role::Step] {
            if roles.contains(&role) {
                return Err(Error::NotYet(role));
            }
        }
        for role in [Role::Texting, Role::Calling, Role::Model] {
            if roles.contains(&role) && !surface.has("connector") {
                return Err(Error::NoConnector(role));
            }
        }
        let connects = surface.has("connector");
        let wants = surface.denied(connects);
        if !wants.is_empty() {
            let who = if connects {
                "a connector"
            } else {
                "a prompt builder"
            };
            return Err(Error::Denied { wants, who });
        }
        Ok(roles)
    }

    fn link(
        &self,
        name: &str,
        hash: blake3::Hash,
        component: &Component,
        roles: BTreeSet<Role>,
    ) -> Result<Plugin, Error> {
        let pre = self
            .host
            .linker
            .instantiate_pre(component)
            .map_err(|error| mismatch("an import", &error))?;
        let exports = exports(&pre, &roles)?;
        Ok(Plugin {
            name: name.to_owned(),
            digest: hash.to_hex().to_string(),
            roles,
            description: None,
            host: self.host.clone(),
            pre,
            exports,
        })
    }
}

fn compile(host: &Host, hash: blake3::Hash, wasm: &[u8]) -> Result<Component, Error> {
    let cached = host
        .cache
        .as_ref()
        .and_then(|cache| cache.load(&host.engine, hash));
    if let Some(component) = cached {
        return Ok(component);
    }
    let component = Component::from_binary(&host.engine, wasm)
        .map_err(|error| Error::Broken(error.root_cause().to_string()))?;
    if let Some(cache) = &host.cache {
        cache.save(hash, &component);
    }
    Ok(component)
}

/// Looks up the functions of every role the component has.
fn exports(pre: &InstancePre<State>, roles: &BTreeSet<Role>) -> Result<Exports, Error> {
    use crate::bindings::generated::exports::ringback::plugin as exported;
    let mut found = Exports::default();
    let connects = roles.iter().any(|role| *role != Role::Prompt);
    if connects {
        let place = exported::connector::GuestIndices::new(pre);
        found.connector = Some(place.map_err(|error| mismatch("connector", &error))?);
    }
    for role in roles {
        let failed = |error: wasmtime::Error| mismatch(role.interface(), &error);
        match role {
            Role::Texting => {
                let place = exported::texting::GuestIndices::new(pre);
                found.texting = Some(place.map_err(failed)?);
            }
            Role::Calling => {
                let place = exported::calling::GuestIndices::new(pre);
                found.calling = Some(place.map_err(failed)?);
            }
            Role::Model => {
                let place = exported::language_model::GuestIndices::new(pre);
                found.model = Some(place.map_err(failed)?);
            }
            Role::Prompt => {
                let place = exported::prompt_builder::GuestIndices::new(pre);
                found.prompt = Some(place.map_err(failed)?);
            }
            Role::Handler | Role::Step => return Err(Error::NotYet(*role)),
        }
    }
    Ok(found)
}

fn mismatch(interface: &str, error: &wasmtime::Error) -> Error {
    Error::Mismatch {
        interface: interface.to_owned(),
        speaks: explain::VERSION,
        detail: error.root_cause().to_string(),
    }
}

impl Plugin {
    /// Starts the component once, checks every signature, and asks a connector
    /// to describe itself.
    async fn trial(&mut self) -> Result<(), Error> {
        let frame = Frame {
            host: &self.host,
            plugin: &self.name,
            function: "start",
        };
        let limits = &frame.host.limits;
        let mut store = frame.store(None, None);
        let start = async {
            let _ticking = frame.host.tick();
            let instance = self.pre.instantiate_async(&mut store).await?;
            self.exports.check(&mut store, &instance)
        };
        let started = tokio::time::timeout(limits.wall_time, start).await;
        match started {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                return Err(match error.downcast_ref::<Mismatch>() {
                    Some(found) => Error::Mismatch {
                        interface: found.interface.to_owned(),
                        speaks: explain::VERSION,
                        detail: found.detail.clone(),
                    },
                    None => {
                        let cause = call::cause(&error, limits);
                        Error::Start(frame.failed(store.data(), cause))
                    }
                });
            }
            Err(_) => {
                let cause = call::Cause::WallTime(limits.wall_time);
                return Err(Error::Start(frame.failed(store.data(), cause)));
            }
        }
        if self.exports.connector.is_some() {
            let frame = Frame {
                function: "connector.describe",
                ..frame
            };
            let description = invoke!(
                frame,
                self.pre,
                &self.exports.connector,
                None,
                None,
                None,
                call_describe()
            );
            let (description, _) = description.map_err(Error::Start)?;
            self.description = Some(description);
        }
        Ok(())
    }
}
