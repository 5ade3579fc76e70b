//! The commands as functions: over documents of many shapes, over what they write themselves, and over anything at all.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // helpers of tests

mod common;
mod documents;
mod properties;
mod round_trip;
