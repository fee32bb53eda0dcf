//! What `wit/` says, as Rust for guests.
//!
//! One small world per role, so that a plugin takes the roles it wants and the
//! linker joins them. The imports and the shared records are generated once and
//! are the same types in every role.

/// Imports and shared records.
#[expect(missing_docs, reason = "generated; the documentation stands in wit/")]
pub(crate) mod shared_world {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package ringback:guest;
            world shared {
                import ringback:plugin/types@0.1.0;
                import ringback:plugin/http@0.1.0;
                import ringback:plugin/webhook@0.1.0;
                import ringback:plugin/log@0.1.0;
                import ringback:plugin/settings@0.1.0;
                import ringback:plugin/keys@0.1.0;
            }
        ",
        world: "ringback:guest/shared",
        additional_derives: [Clone, PartialEq],
        generate_all,
        generate_unused_types: true,
    });
}

/// The role every connector has.
#[doc(hidden)]
pub mod connector_world {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package ringback:guest;
            world connector-only { export ringback:plugin/connector@0.1.0; }
        ",
        world: "ringback:guest/connector-only",
        with: {
            "ringback:plugin/webhook@0.1.0": crate::bindings::shared_world::ringback::plugin::webhook,
        },
        additional_derives: [Clone, PartialEq],
        generate_all,
        export_macro_name: "export_connector",
        pub_export_macro: true,
    });
}

/// Texts.
#[doc(hidden)]
pub mod texting_world {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package ringback:guest;
            world texting-only { export ringback:plugin/texting@0.1.0; }
        ",
        world: "ringback:guest/texting-only",
        with: {
            "ringback:plugin/types@0.1.0": crate::bindings::shared_world::ringback::plugin::types,
            "ringback:plugin/http@0.1.0": crate::bindings::shared_world::ringback::plugin::http,
            "ringback:plugin/webhook@0.1.0": crate::bindings::shared_world::ringback::plugin::webhook,
        },
        additional_derives: [Clone, PartialEq],
        generate_all,
        export_macro_name: "export_texting",
        pub_export_macro: true,
    });
}

/// Calls.
#[doc(hidden)]
pub mod calling_world {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package ringback:guest;
            world calling-only { export ringback:plugin/calling@0.1.0; }
        ",
        world: "ringback:guest/calling-only",
        with: {
            "ringback:plugin/types@0.1.0": crate::bindings::shared_world::ringback::plugin::types,
            "ringback:plugin/http@0.1.0": crate::bindings::shared_world::ringback::plugin::http,
            "ringback:plugin/webhook@0.1.0": crate::bindings::shared_world::ringback::plugin::webhook,
        },
        additional_derives: [Clone, PartialEq],
        generate_all,
        export_macro_name: "export_calling",
        pub_export_macro: true,
    });
}

pub use calling_world::export_calling;
pub use calling_world::exports::ringback::plugin::calling;
pub use connector_world::export_connector;
pub use connector_world::exports::ringback::plugin::connector;
pub use shared_world::ringback::plugin::{http, types, webhook};
pub use texting_world::export_texting;
pub use texting_world::exports::ringback::plugin::texting;
