//! What this process shows of itself over HTTP: `/livez`, `/readyz`, `/metrics`.
//!
//! The other rooms report to [`health`] and [`metrics`]; [`endpoints`] reads them.

pub mod endpoints;
pub mod health;
pub mod metrics;
