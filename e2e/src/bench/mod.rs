//! What is measured, and how: one file per question.
//!
//! Times of one run on one machine are never compared with times of another. What is reported is how the operator does
//! beside a raw client that writes the same objects to the same API server in the same run, or beside a plain Deployment.

pub mod audit;
pub mod converge;
mod load;
pub mod neighbours;
mod processor;
mod progress;
mod recipe;
mod report;
pub mod scale_out;
