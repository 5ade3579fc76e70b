//! What Helm, Flux and Argo CD think of objects.
//!
//! `UPDATE=1 cargo test -p plan --test deploy_tools` writes the tests' files and the ConfigMap of `integrations/argo-cd`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests report by panicking

mod argo_cd;
#[path = "../common/mod.rs"]
mod common;
mod kstatus;
