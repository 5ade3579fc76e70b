//! Requests of one user, from the API server's audit log, with their times.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Deserialize;

/// One request. A watch is in the log twice: when it was opened and when it ended.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// `create`, `patch`, `watch`, …
    pub verb: String,
    /// When the server received it.
    pub request_received_timestamp: Timestamp,
    stage: String,
    user: User,
    #[serde(default)]
    object_ref: ObjectRef,
    #[serde(default)]
    response_status: ResponseStatus,
}

#[derive(Clone, Debug, Deserialize)]
struct User {
    username: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ObjectRef {
    resource: String,
    subresource: String,
    namespace: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ResponseStatus {
    code: u16,
}

impl Request {
    /// Whether it was to change something.
    #[must_use]
    pub fn is_write(&self) -> bool {
        matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection")
    }

    /// Whether the server did it.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.response_status.code < 400
    }

    /// Plural of the kind.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.object_ref.resource
    }

    /// Namespace of the object.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.object_ref.namespace
    }

    /// Whether it is about the status of an object.
    #[must_use]
    pub fn is_status(&self) -> bool {
        self.object_ref.subresource == "status"
    }

    /// `patch ecsservices/status`, with the code when it failed.
    #[must_use]
    pub fn line(&self) -> String {
        let ObjectRef { resource, subresource, .. } = &self.object_ref;
        let slash = if subresource.is_empty() { "" } else { "/" };
        let code = if self.succeeded() { String::new() } else { format!(" ({})", self.response_status.code) };
        format!("{} {resource}{slash}{subresource}{code}", self.verb)
    }
}

/// A place in the log.
#[derive(Clone, Debug)]
pub struct Mark {
    log: PathBuf,
    offset: u64,
}

impl Mark {
    /// The end of the log as it is now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn now(log: &Path) -> Result<Self> {
        let offset = std::fs::metadata(log).with_context(|| format!("cannot read {}", log.display()))?.len();
        Ok(Self { log: log.to_owned(), offset })
    }

    /// Everything a user asked for since, in the order in which the server received it; a watch counts when it is opened.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn requests(&self, user: &str) -> Result<Vec<Request>> {
        let mut file = File::open(&self.log).with_context(|| format!("cannot read {}", self.log.display()))?;
        file.seek(SeekFrom::Start(self.offset))?;
        let mut requests = Vec::new();
        for line in BufReader::new(file).lines() {
            let line = line?;
            // The last line may be half written.
            if line.contains(user)
                && let Ok(request) = serde_json::from_str::<Request>(&line)
                && request.user.username == user
                && (request.verb == "watch") == (request.stage == "ResponseStarted")
            {
                requests.push(request);
            }
        }
        requests.sort_by_key(|request| request.request_received_timestamp);
        Ok(requests)
    }
}

/// How often each line occurs.
#[must_use]
pub fn count<'a>(requests: impl IntoIterator<Item = &'a Request>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for request in requests {
        *counts.entry(request.line()).or_insert(0) += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_watch_was_opened_and_closed_then_it_counts_once() {
        let log = std::env::temp_dir().join(format!("ecs-operator-bench-audit-{}.log", std::process::id()));
        let line = |verb: &str, stage: &str, code: u16| {
            format!(
                r#"{{"verb":"{verb}","stage":"{stage}","user":{{"username":"us"}},"objectRef":{{"resource":"pods"}},"responseStatus":{{"code":{code}}},"requestReceivedTimestamp":"2025-01-01T00:00:00.000001Z"}}"#
            ) + "\n"
        };
        std::fs::write(&log, "").unwrap();
        let mark = Mark::now(&log).unwrap();
        let text = [
            line("watch", "ResponseStarted", 200),
            line("watch", "ResponseComplete", 200),
            line("patch", "ResponseComplete", 200),
            line("create", "ResponseComplete", 409),
        ];
        std::fs::write(&log, text.concat()).unwrap();
        let expected = [("create pods (409)", 1), ("patch pods", 1), ("watch pods", 1)];
        let expected: BTreeMap<_, _> = expected.into_iter().map(|(line, count)| (line.to_owned(), count)).collect();
        assert_eq!(count(&mark.requests("us").unwrap()), expected);
        std::fs::remove_file(log).unwrap();
    }
}
