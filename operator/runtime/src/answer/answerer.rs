//! What every answerer does.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use plan::{ObjectKey, Question};
use tokio_util::sync::CancellationToken;

/// Answers one kind of question.
pub trait Answerer: fmt::Debug + Send + Sync {
    /// Name for the log, should it end by itself.
    fn name(&self) -> &'static str;

    /// Takes in all questions of the last plan of `root`; those of other kinds are ignored. A question that was asked
    /// before and is missing now is dropped. Returns at once.
    fn want(&self, root: &ObjectKey, questions: &[Question]);

    /// Answers until `end`. Each answer goes to the store of the intake, and its root to the queue.
    fn run(self: Arc<Self>, end: CancellationToken) -> BoxFuture<'static, ()>;
}
