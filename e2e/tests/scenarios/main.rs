//! What a user of the operator sees, on a real Kubernetes API. Run with `cargo xtask test`.

// What is not there fails the test, as it should.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

mod alarms;
mod argo_cd;
mod bad_input;
mod bounds;
mod breaker;
mod capacity;
mod cases;
mod chart;
mod children;
mod cluster;
mod command;
mod contained;
mod daemon;
mod definitions;
mod deletion;
mod failures;
mod golden_tasks;
mod hostile;
mod images;
mod life;
mod logs;
mod names;
mod parameters;
mod permissions;
mod placement;
mod pool;
mod protection;
mod rebalancing;
mod revisions;
mod rights;
mod rolling;
mod rollouts;
mod scaling;
mod secrets;
mod steady;
mod stops;
mod trouble;
mod unnamed_count;
mod updates;
mod upkeep;
mod volumes;
mod waiting;
