//! What is known of the cluster, and how it gets here.
//!
//! ```text
//! API server ──list, watch──> feed (one task per kind and namespace) ──> intake ──> store: one world of all kinds
//!                                                                          ├──────> queue: roots to plan again
//!                                                                          └──────> gate: objects that are gone
//! ```
//!
//! [`feed`] recovers by itself and reports to its health; [`store`] says what a change means for roots; [`intake`]
//! passes that on, to [`crate::act::queue`] and [`crate::act::gate`], once this process reconciles.

pub mod events;
pub mod feed;
pub mod intake;
pub mod read;
pub mod store;
