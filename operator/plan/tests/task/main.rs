//! Task definitions as pods: golden cases, properties, and pods read back as tasks.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::needless_pass_by_value)] // helpers of tests

mod ending;
mod firelens;
mod golden;
mod leaks;
mod observing;
mod properties;
mod walls;
