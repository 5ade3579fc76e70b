//! A real Kubernetes API for tests, demo and benches, and the project's task runner.
//!
//! [`cluster`] starts etcd, the API server, the controller manager, the scheduler, KWOK and metrics-server as plain
//! processes on loopback; no container engine is needed. [`xtask`] is what `cargo xtask` runs.

pub mod bench;
pub mod cluster;
pub mod histories;
pub mod http;
pub mod integrations;
pub mod oci;
pub mod operator;
pub mod progress;
pub mod registry;
pub mod rights;
pub mod scenario;
pub mod xtask;
