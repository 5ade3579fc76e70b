//! Waiting for something to become true, with a sentence when it does not.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How often it is looked at.
const INTERVAL: Duration = Duration::from_millis(100);

/// A process that must run has ended: waiting longer cannot help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessEnded(pub String);

impl std::fmt::Display for ProcessEnded {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for ProcessEnded {}

/// Asks `look` until it answers with a value. An error of `look` other than [`ProcessEnded`] counts as "not yet"; the last
/// one is part of the message when the time is over.
///
/// # Errors
/// When the time is over or a process has ended.
pub async fn until<T, F, Fut>(what: &str, limit: Duration, mut look: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Option<T>>>,
{
    let begun = Instant::now();
    loop {
        // One hanging request must not eat the whole time.
        let last = match tokio::time::timeout(Duration::from_secs(5), look()).await {
            Ok(Ok(Some(value))) => return Ok(value),
            Ok(Ok(None)) => None,
            Ok(Err(error)) if error.is::<ProcessEnded>() => return Err(error),
            Ok(Err(error)) => Some(format!("{error:#}")),
            Err(_) => Some("no answer within 5 s".to_owned()),
        };
        if begun.elapsed() > limit {
            match last {
                Some(error) => bail!("{what}: not within {} s; last error: {error}", limit.as_secs()),
                None => bail!("{what}: not within {} s", limit.as_secs()),
            }
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn when_the_time_is_over_then_the_last_error_is_told() {
        let error = until::<(), _, _>("it", Duration::ZERO, async || bail!("not there")).await.unwrap_err();
        assert_eq!(error.to_string(), "it: not within 0 s; last error: not there");
    }

    #[tokio::test]
    async fn when_a_process_has_ended_then_waiting_ends_at_once() {
        let look = async || Err::<Option<()>, _>(ProcessEnded("etcd ended".to_owned()).into());
        let error = until("it", Duration::from_mins(1), look).await.unwrap_err();
        assert_eq!(error.to_string(), "etcd ended");
    }
}
