//! Leader election on a `coordination.k8s.io/v1` Lease.
//!
//! Every write replaces the Lease with the version that was read, so that of two candidates one fails. Nobody compares
//! the wall clocks of two machines: a candidate takes over when it has watched the record stand still, on its own
//! monotonic clock, for as long as the record says. A leader counts its time from before it sent the renewal, and stops
//! earlier than anybody can take over: with the defaults it may write for 10 s after its last renewal, and
//! others wait 15 s.

use std::time::Duration;

use http::Method;
use kube::Client;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::api_server::execute_error::ExecuteError;
use crate::api_server::request::{self, micro_time};
use crate::clock::Clock;
use crate::lead::leadership::Leadership;

/// Which Lease, who we are, and the times.
#[derive(Clone, Debug)]
pub struct Election {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// This process, unlike any other that ever was.
    pub identity: String,
    /// Others may take over when the record stood still for this long.
    pub lease: Duration,
    /// The leader stops when it could not renew for this long. Shorter than [`Self::lease`].
    pub renew_deadline: Duration,
    /// Time between two tries.
    pub retry: Duration,
}

/// What the Lease says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Who holds it; empty when released.
    pub holder: String,
    /// For how long after a renewal.
    pub lease: Duration,
    /// Its version, the precondition of the next write.
    pub resource_version: String,
    /// How often the holder changed.
    pub transitions: i64,
    /// When the holder acquired it, as the holder wrote it.
    pub acquired: Option<String>,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Try to take it.
    Acquire,
    /// Try to extend it.
    Renew,
    /// Somebody else holds it, until then at least.
    Wait(Instant),
    /// It was ours and is not any more.
    Lost,
}

/// Decides from the record as last read (`None`: there is none), the time at which it was first seen to be like that,
/// and, if this process leads, the time until which it may.
#[must_use]
pub fn decide(
    record: Option<&Record>,
    me: &str,
    held_until: Option<Instant>,
    observed_at: Instant,
    now: Instant,
) -> Decision {
    if held_until.is_some_and(|until| now >= until) {
        return Decision::Lost;
    }
    let leads = held_until.is_some();
    match record {
        Some(record) if record.holder == me => {
            if leads {
                Decision::Renew
            } else {
                Decision::Acquire
            }
        }
        _ if leads => Decision::Lost,
        Some(record) if !record.holder.is_empty() && now < observed_at + record.lease => {
            Decision::Wait(observed_at + record.lease)
        }
        _ => Decision::Acquire,
    }
}

/// Why this process does not lead any more. Each ends the process.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Lost {
    /// Another process took the Lease.
    #[error("the lease is held by {0}")]
    Taken(String),
    /// The Lease could not be renewed in time.
    #[error("the lease could not be renewed in time")]
    Expired,
}

/// One candidate.
pub struct Elector {
    client: Client,
    election: Election,
    leadership: Leadership,
    clock: Clock,
    record: Option<Record>,
    observed_at: Instant,
    held_until: Option<Instant>,
}

impl std::fmt::Debug for Elector {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Elector")
            .field("election", &self.election)
            .field("record", &self.record)
            .finish_non_exhaustive()
    }
}

impl Elector {
    /// A candidate that has not looked yet.
    #[must_use]
    pub fn new(client: Client, election: Election, leadership: Leadership, clock: Clock) -> Self {
        let observed_at = Instant::now();
        Self { client, election, leadership, clock, record: None, observed_at, held_until: None }
    }

    /// Takes part until `stop` (then the Lease is released, if held) or until leadership is lost.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), Lost> {
        let mut must_read = true;
        let mut was_refused = false;
        loop {
            if must_read || self.held_until.is_none() {
                // Errors leave the record as it was; the leader's time runs out by itself.
                must_read = self.look().await.is_err();
            }
            let now = Instant::now();
            match decide(self.record.as_ref(), &self.election.identity, self.held_until, self.observed_at, now) {
                _ if must_read => {}
                Decision::Acquire | Decision::Renew => match self.hold().await {
                    Ok(()) => was_refused = false,
                    Err(error) => {
                        // Lost against another candidate, or the answer got lost: look before the next try.
                        must_read = true;
                        info!(
                            step = "lease",
                            category = error.category(),
                            error = error.to_string(),
                            "lease not written"
                        );
                        // A leader that was refused has probably been replaced, and must know at once; but only once.
                        let is_refused = self.held_until.is_some() && matches!(error, ExecuteError::Conflict(_));
                        if is_refused && !std::mem::replace(&mut was_refused, true) {
                            continue;
                        }
                    }
                },
                Decision::Wait(_) => {}
                Decision::Lost => return Err(self.lose()),
            }
            if self.held_until.is_some_and(|until| Instant::now() >= until) {
                return Err(self.lose());
            }
            tokio::select! {
                () = tokio::time::sleep(self.pause()) => {}
                () = stop.cancelled() => {
                    self.release().await;
                    return Ok(());
                }
            }
        }
    }

    /// Until the next try: never beyond the end of our own time.
    fn pause(&self) -> Duration {
        let retry = self.election.retry;
        self.held_until.map_or(retry, |until| retry.min(until.saturating_duration_since(Instant::now())))
    }

    fn lose(&mut self) -> Lost {
        self.leadership.end();
        self.held_until = None;
        match &self.record {
            Some(record) if record.holder != self.election.identity && !record.holder.is_empty() => {
                Lost::Taken(record.holder.clone())
            }
            _ => Lost::Expired,
        }
    }

    /// Reads the Lease; notes when it changed.
    async fn look(&mut self) -> Result<(), ExecuteError> {
        let answer = self.send::<LeaseView>(request::get(&self.item())?).await;
        let seen = match answer {
            Ok(view) => Some(view.record()),
            Err(ExecuteError::NotFound(_)) => None,
            Err(error) => {
                warn!(step = "lease", category = error.category(), error = error.to_string(), "lease not read");
                return Err(error);
            }
        };
        if seen != self.record {
            self.observed_at = Instant::now();
            if let Some(record) = &seen
                && record.holder != self.election.identity
                && self.record.as_ref().is_none_or(|old| old.holder != record.holder)
            {
                info!(step = "lease", holder = record.holder.as_str(), "another process leads");
            }
            self.record = seen;
        }
        Ok(())
    }

    /// Writes our name into the Lease, if it still is what was read.
    async fn hold(&mut self) -> Result<(), ExecuteError> {
        // Our time counts from before the request: the server may have stored it long before the answer arrives.
        let sent = Instant::now();
        let now = micro_time(self.clock.now());
        let me = self.election.identity.clone();
        let old = self.record.clone().unwrap_or_default();
        let is_mine = old.holder == me;
        let acquired = old.acquired.filter(|_| is_mine).unwrap_or_else(|| now.clone());
        let transitions = if is_mine || self.record.is_none() { old.transitions } else { old.transitions + 1 };
        let spec = json!({
            "holderIdentity": me,
            "leaseDurationSeconds": self.election.lease.as_secs().max(1),
            "acquireTime": acquired,
            "renewTime": now,
            "leaseTransitions": transitions,
        });
        let view = self.write(spec).await?;
        let until = sent + self.election.renew_deadline;
        if self.held_until.is_none() {
            info!(step = "lease", lease = self.election.name.as_str(), identity = me.as_str(), "leading");
        }
        self.record = Some(view.record());
        self.observed_at = sent;
        self.held_until = Some(until);
        self.leadership.extend(until);
        Ok(())
    }

    /// Gives the Lease back, so that another process need not wait for it to expire.
    async fn release(&mut self) {
        let was_held = self.held_until.take().is_some();
        self.leadership.end();
        if !was_held {
            return;
        }
        let transitions = self.record.as_ref().map_or(0, |record| record.transitions);
        let now = micro_time(self.clock.now());
        let spec = json!({
            "holderIdentity": "",
            "leaseDurationSeconds": 1,
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": transitions,
        });
        match self.write(spec).await {
            Ok(_) => info!(step = "lease", "released"),
            Err(error) => warn!(step = "lease", category = error.category(), error = error.to_string(), "not released"),
        }
    }

    /// Creates the Lease, or replaces the version that was read.
    async fn write(&self, spec: Value) -> Result<LeaseView, ExecuteError> {
        let mut metadata = json!({"name": self.election.name, "namespace": self.election.namespace});
        let (method, path) = match &self.record {
            Some(record) => {
                if let Some(metadata) = metadata.as_object_mut() {
                    metadata.insert("resourceVersion".to_owned(), json!(record.resource_version));
                }
                (Method::PUT, self.item())
            }
            None => (Method::POST, self.collection()),
        };
        let body = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec});
        self.send(request::send(method, &path, "application/json", &body)?).await
    }

    async fn send<T: serde::de::DeserializeOwned>(&self, request: http::Request<Vec<u8>>) -> Result<T, ExecuteError> {
        // Half the deadline at most, so that a hung request leaves time for another.
        let limit = self.election.renew_deadline / 2;
        match timeout(limit, self.client.request::<T>(request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(ExecuteError::read(error)),
            Err(_) => Err(ExecuteError::Deadline(limit)),
        }
    }

    fn collection(&self) -> String {
        format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases", self.election.namespace)
    }

    fn item(&self) -> String {
        format!("{}/{}", self.collection(), self.election.name)
    }
}

/// The parts of a Lease that are read.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct LeaseView {
    metadata: MetadataView,
    spec: SpecView,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
struct MetadataView {
    resource_version: String,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
struct SpecView {
    holder_identity: Option<String>,
    lease_duration_seconds: Option<u64>,
    acquire_time: Option<String>,
    lease_transitions: Option<i64>,
}

impl LeaseView {
    fn record(self) -> Record {
        Record {
            holder: self.spec.holder_identity.unwrap_or_default(),
            lease: Duration::from_secs(self.spec.lease_duration_seconds.unwrap_or_default()),
            resource_version: self.metadata.resource_version,
            transitions: self.spec.lease_transitions.unwrap_or_default(),
            acquired: self.spec.acquire_time,
        }
    }
}

/// A name unlike any other: the host's (in a cluster: the pod's) and a random part.
#[must_use]
pub fn identity(host: &str) -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};
    format!("{host}_{:016x}", RandomState::new().build_hasher().finish())
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
