//! One notice on its way from a reconcile to the API server.

use jiff::Timestamp;
use plan::{Notice, ObjectKey};
use tokio::time::Instant;

/// The object that a notice is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Regarding {
    /// Which object.
    pub key: ObjectKey,
    /// Which incarnation.
    pub uid: String,
}

/// A notice that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) notice: Notice,
    /// When it was said first.
    pub(super) first: Timestamp,
    /// When it was said last.
    pub(super) last: Timestamp,
    /// How often it was said.
    pub(super) count: u32,
    /// Since when it waits.
    pub(super) since: Instant,
    /// What is to be written; decided when its turn comes for the first time.
    pub(super) write: Option<Write>,
}

impl Waiting {
    pub(super) const fn new(notice: Notice, time: Timestamp, now: Instant) -> Self {
        Self { notice, first: time, last: time, count: 1, since: now, write: None }
    }
}

/// What is to be written about a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Write {
    /// A new Event of this name.
    New(String),
    /// The Event of this name happened so many times.
    Repeat(String, u32),
}
