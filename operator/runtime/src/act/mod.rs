//! What this process does about a root: wait for its turn, plan, write.
//!
//! ```text
//! queue ──job──> reconcile: gate ──> plan ──> questions to crate::answer
//!                                     └──> execute ──> status ──> notices
//!                                             └──> gate: versions the cache has to show before the next plan
//! ```
//!
//! [`queue`] says when, [`gate`] whether the cache is fresh enough, [`execute`] writes; [`reconcile`] joins them. The
//! decisions are those of the `plan` crate.

pub mod execute;
pub mod gate;
pub mod queue;
mod ready;
pub mod reconcile;
