//! For authors of plugins in Rust: the contract as traits and records, and the
//! small tools that every connector needs.
//!
//! A connector is a type that implements [`Connector`] and [`Texting`] or
//! [`Calling`], and one line: `ringback_guest::export!(MyPlugin: texting)`. The
//! same crate builds natively, where the host functions of [`host`] are answered
//! by what a test has put there, so that unit tests need no WebAssembly.
//!
//! What it must not do: know any provider, or reach anything but the host.

mod bindings;
pub mod form;
pub mod host;
pub mod message;
pub mod signature;

pub use bindings::{calling, connector, http, texting, types, webhook};

/// The functions of a plugin that takes settings and gets webhooks.
pub use bindings::connector::Guest as Connector;

/// The functions of a plugin that carries texts.
pub use bindings::texting::Guest as Texting;

/// The functions of a plugin that carries calls.
pub use bindings::calling::Guest as Calling;

#[doc(hidden)]
pub use bindings::{export_calling, export_connector, export_texting};

/// Makes a type the plugin: `export!(MyPlugin: texting, calling)`. The roles
/// after the colon are those the type implements; `Connector` always is one.
/// Expands to nothing on the author's own machine, so that the crate can be
/// tested there.
#[macro_export]
macro_rules! export {
    ($plugin:ident: $($role:ident),+ $(,)?) => {
        #[cfg(target_family = "wasm")]
        mod exported {
            use super::$plugin;
            $crate::export_connector!($plugin with_types_in $crate::bindings_connector);
            $($crate::export!(@$role $plugin);)+
        }
    };
    (@texting $plugin:ident) => {
        $crate::export_texting!($plugin with_types_in $crate::bindings_texting);
    };
    (@calling $plugin:ident) => {
        $crate::export_calling!($plugin with_types_in $crate::bindings_calling);
    };
}

#[doc(hidden)]
pub use bindings::{
    calling_world as bindings_calling, connector_world as bindings_connector,
    texting_world as bindings_texting,
};
