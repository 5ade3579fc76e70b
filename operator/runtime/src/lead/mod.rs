//! Which of several processes writes.
//!
//! [`lease`] takes part in the election and extends or ends [`leadership`], which everything that writes asks before
//! each write.

pub mod leadership;
pub mod lease;
