//! Requests of one user, from the API server's audit log.

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
    name: String,
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

    /// HTTP status of the answer; 0 when there was none.
    #[must_use]
    pub fn code(&self) -> u16 {
        self.response_status.code
    }

    /// Whether the server did it.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.code() < 400
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

    /// `patch ecsservices/status`
    #[must_use]
    pub fn kind(&self) -> String {
        let ObjectRef { resource, subresource, .. } = &self.object_ref;
        let slash = if subresource.is_empty() { "" } else { "/" };
        format!("{} {resource}{slash}{subresource}", self.verb)
    }

    /// `patch ecsservices/status web`
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {}", self.kind(), self.object_ref.name)
    }
}

/// A place in the audit log; requests are read from there on.
#[derive(Clone, Debug)]
pub struct Mark {
    log: PathBuf,
    offset: u64,
    time: Timestamp,
}

impl Mark {
    /// The end of the log as it is now. A request that the server has answered and not logged yet is before it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn now(log: &Path) -> Result<Self> {
        let time = Timestamp::now();
        let offset = std::fs::metadata(log).with_context(|| format!("cannot read {}", log.display()))?.len();
        Ok(Self { log: log.to_owned(), offset, time })
    }

    /// Every request of a user since the mark, in the order in which the server received them; a watch counts when it is
    /// opened.
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
                && request.request_received_timestamp >= self.time
            {
                requests.push(request);
            }
        }
        requests.sort_by_key(|request| request.request_received_timestamp);
        Ok(requests)
    }

    /// Successful writes of a user since the mark, without leases: how often each was made.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn writes(&self, user: &str, namespace: Option<&str>) -> Result<BTreeMap<String, usize>> {
        let mut writes = BTreeMap::new();
        for request in self.requests(user)? {
            let is_here = namespace.is_none_or(|namespace| request.namespace() == namespace);
            if is_here && request.is_write() && request.succeeded() && request.resource() != "leases" {
                *writes.entry(request.line()).or_insert(0) += 1;
            }
        }
        Ok(writes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_the_log_grows_then_only_later_writes_of_the_user_count() {
        let log = std::env::temp_dir().join(format!("ecs-operator-audit-{}.log", std::process::id()));
        let line = |verb: &str, user: &str, resource: &str| {
            format!(
                r#"{{"verb":"{verb}","user":{{"username":"{user}"}},"objectRef":{{"resource":"{resource}","namespace":"n","name":"web","subresource":"status"}},"responseStatus":{{"code":200}},"stage":"ResponseComplete","requestReceivedTimestamp":"2126-01-01T00:00:00.000001Z"}}"#
            ) + "\n"
        };
        std::fs::write(&log, line("patch", "us", "early")).unwrap();
        let mark = Mark::now(&log).unwrap();
        let more = [
            line("patch", "us", "ecsservices"),
            line("get", "us", "pods"),
            line("update", "us", "leases"),
            line("patch", "them", "pods"),
        ];
        let mut all = std::fs::read_to_string(&log).unwrap();
        all.push_str(&more.concat());
        std::fs::write(&log, all).unwrap();
        let writes = mark.writes("us", Some("n")).unwrap();
        assert_eq!(writes, BTreeMap::from([("patch ecsservices/status web".to_owned(), 1)]));
        assert!(mark.writes("us", Some("elsewhere")).unwrap().is_empty());
        std::fs::remove_file(log).unwrap();
    }
}
