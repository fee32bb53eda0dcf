//! Facts about texts and phone numbers: how many segments a body costs, which
//! words opt a person out, where a number lives and when it may be texted.
//!
//! Everything here is a pure function of its arguments and of tables that are
//! compiled in. It does not decide whether a text is sent (that is the send
//! gate's work) and it knows no contact, no store and no provider.

pub mod keyword;
pub mod phone;
pub mod quiet;
pub mod segments;
pub mod smart;
pub mod zones;

pub use keyword::{Keyword, keyword};
pub use segments::{Encoding, Segments, segments};
pub use smart::smart_encode;
