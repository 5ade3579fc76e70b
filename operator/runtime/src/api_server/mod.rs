//! How this process talks to the API server: the shared [`client`], what it asks at the start ([`discover`]), URLs and
//! bodies ([`request`]), and what a failed write means ([`execute_error`]).

pub mod client;
pub mod discover;
pub mod execute_error;
pub mod metadata;
pub mod request;
pub mod throttle;
