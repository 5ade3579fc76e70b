//! What a user of the operator sees, on a real Kubernetes API. Run with `cargo xtask test`.

mod capacity;
mod deletion;
mod revisions;
mod rolling;
mod scaling;
mod steady;
mod trouble;
mod volumes;
