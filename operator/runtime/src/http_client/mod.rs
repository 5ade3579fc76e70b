//! Requests to servers other than the API server: registries, the servers of their tokens, an Alertmanager.
//!
//! Host names come from users, the network is the operator's: [`guard`] says which addresses are never asked,
//! [`transport`] sends one request with a bounded answer, and follows no redirect.

mod guard;
mod transport;

pub use guard::{AddressRange, NoRange};
pub(crate) use transport::{Answer, Hosts, Transport, TransportError};
