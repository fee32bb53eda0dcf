//! What `wit/` says, as Rust: generated, and the only place where it is.
//!
//! One world holds every role the host can call, so that the types exist once
//! and one state serves them all. A plugin exports some of the roles; which ones
//! it has is asked of the component and not of this world.

/// The generated code itself.
#[expect(missing_docs, reason = "generated; the documentation stands in wit/")]
pub(crate) mod generated {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "
            package ringback:sandbox;
            world everything {
                include ringback:plugin/texting-and-calling@0.1.0;
                export ringback:plugin/language-model@0.1.0;
                export ringback:plugin/prompt-builder@0.1.0;
            }
        ",
        world: "ringback:sandbox/everything",
        imports: { default: trappable },
        exports: { default: async },
        additional_derives: [Clone, PartialEq],
    });
}

/// The records of the plugin contract as plain Rust data. What each field means
/// stands in `wit/`; the names here are the names there.
pub mod contract {
    use super::generated::exports::ringback::plugin as exported;
    use super::generated::ringback::plugin as shared;

    pub use shared::types::{Attachment, Direction};

    /// HTTP as data: what a connector asks for, and what came back.
    pub mod http {
        pub use super::shared::http::{
            Answer, Ask, Body, Credential, Failure, Method, Reason, Request, Response,
        };
    }

    /// A provider's request to us, and our reply.
    pub mod webhook {
        pub use super::shared::webhook::{ParseError, Reply, Request};
    }

    /// What every connector says about itself.
    pub mod connector {
        pub use super::exported::connector::{Description, Kind, Setting};
    }

    /// Texts.
    pub mod texting {
        pub use super::exported::texting::{
            Delivery, DeliveryReport, FindStep, IncomingText, OptOutWord, OutgoingText, Receipt,
            SendStep,
        };
    }

    /// Calls.
    pub mod calling {
        pub use super::exported::calling::{
            CallPlan, CallReport, CallStep, Forwarding, Leg, Outcome, OutgoingCall, Receipt, Script,
        };
    }
}
