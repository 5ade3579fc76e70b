//! What Helm and Flux think of objects.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests report by panicking

#[path = "../common/mod.rs"]
mod common;
mod kstatus;
