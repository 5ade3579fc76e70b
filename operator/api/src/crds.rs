//! Generated below.
