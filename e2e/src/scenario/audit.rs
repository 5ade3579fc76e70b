//! What the operator wrote, from the API server's audit log.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

/// One finished request.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// `create`, `patch`, …
    pub verb: String,
    user: User,
    object_ref: Option<ObjectRef>,
    response_status: Option<ResponseStatus>,
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

#[derive(Clone, Debug, Deserialize)]
struct ResponseStatus {
    code: Option<u16>,
}

impl Request {
    /// Whether it changes something.
    #[must_use]
    pub fn is_write(&self) -> bool {
        matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection")
    }

    /// Whether the server did it.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.response_status.as_ref().and_then(|status| status.code).is_none_or(|code| code < 400)
    }

    /// Namespace of the object.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.object_ref.as_ref().map(|object| object.namespace.as_str()).unwrap_or_default()
    }

    /// Whether it is about leader election.
    #[must_use]
    pub fn is_lease(&self) -> bool {
        self.object_ref.as_ref().is_some_and(|object| object.resource == "leases")
    }

    /// `patch ecsservices/status web`
    #[must_use]
    pub fn line(&self) -> String {
        let object = self.object_ref.clone().unwrap_or_default();
        let slash = if object.subresource.is_empty() { "" } else { "/" };
        format!("{} {}{slash}{} {}", self.verb, object.resource, object.subresource, object.name)
    }
}

/// A place in the audit log; requests are read from there on.
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

    /// Every finished request of a user since the mark.
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
            {
                requests.push(request);
            }
        }
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
            if is_here && request.is_write() && request.succeeded() && !request.is_lease() {
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
                r#"{{"verb":"{verb}","user":{{"username":"{user}"}},"objectRef":{{"resource":"{resource}","namespace":"n","name":"web","subresource":"status"}},"responseStatus":{{"code":200}}}}"#
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
