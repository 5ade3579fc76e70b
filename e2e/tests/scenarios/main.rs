//! What a user of the operator sees, on a real Kubernetes API. Run with `cargo xtask test`.

mod steady;
