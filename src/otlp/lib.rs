//! Receives traces by OTLP over HTTP, as protobuf or JSON: for `opentelemetry-injector doctor --spans`
//! and for the sink of the tests.
#![forbid(unsafe_code)]

mod json;
mod receiver;
mod spans;

pub use receiver::{Receiver, ReceiverError};
pub use spans::Span;
