//! The deployments of a service: what DescribeServices and DescribeServiceDeployments would tell of them.

use anyhow::Result;
use serde_json::{Value, json};

use super::Scenario;
use super::json::{find, text};
use super::sampler::{SERVICE, label};
use super::then::ServiceThen;
use super::view::Objects;

/// One ECSServiceDeployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Name of the object.
    pub name: String,
    /// `ecs-svc/` and 19 digits.
    pub id: String,
    /// When it was made; texts of equal length, so that they sort by time.
    pub created_at: String,
    /// Revision, `family:N`.
    pub task_definition: String,
    /// `IN_PROGRESS`, `SUCCESSFUL`, …
    pub status: String,
    /// `statusReason`.
    pub reason: String,
    /// `IN_PROGRESS`, `COMPLETED`, `FAILED`.
    pub rollout_state: String,
    /// Failed tasks, all together.
    pub failed_tasks: i64,
    /// `DISABLED`, `MONITORING`, `TRIGGERED`, `MONITORING_COMPLETE`.
    pub breaker: String,
    /// Failures that the circuit breaker counts.
    pub failures: i64,
    /// Failures that fail the deployment.
    pub threshold: i64,
    /// `DISABLED`, `MONITORING`, `TRIGGERED`, `MONITORING_COMPLETE`; empty when none are watched.
    pub alarms: String,
    /// Names of the alarms that failed it.
    pub triggered_alarms: Vec<String>,
}

impl Record {
    fn of(object: &Value) -> Self {
        let owned = |pointer: &str| text(object, pointer).to_owned();
        let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or_default();
        let names = |pointer: &str| {
            let names = object.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
            names.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        Self {
            name: owned("/metadata/name"),
            id: owned("/spec/deploymentId"),
            created_at: owned("/spec/createdAt"),
            task_definition: owned("/spec/taskDefinition"),
            status: owned("/status/status"),
            reason: owned("/status/statusReason"),
            rollout_state: owned("/status/rolloutState"),
            failed_tasks: number("/status/failedTasks"),
            breaker: owned("/status/deploymentCircuitBreaker/status"),
            failures: number("/status/deploymentCircuitBreaker/failureCount"),
            threshold: number("/status/deploymentCircuitBreaker/threshold"),
            alarms: owned("/status/alarms/status"),
            triggered_alarms: names("/status/alarms/triggeredAlarmNames"),
        }
    }

    /// The 19 digits of its id.
    #[must_use]
    pub fn digits(&self) -> &str {
        self.id.rsplit('/').next().unwrap_or_default()
    }

    /// `web:2 STOPPED/FAILED 3 failed, TRIGGERED 3 of 3 (reason)`, with the alarms where some are watched.
    #[must_use]
    pub fn line(&self) -> String {
        let Self { task_definition, status, rollout_state, failed_tasks, breaker, failures, threshold, reason, .. } =
            self;
        let alarms = match (self.alarms.as_str(), self.triggered_alarms.join(" and ")) {
            ("", _) => String::new(),
            (alarms, names) => format!(" alarms {alarms} {names}"),
        };
        format!(
            "{task_definition} {status}/{rollout_state} {failed_tasks} failed, {breaker} {failures} of \
             {threshold}{alarms} ({reason})"
        )
    }
}

/// The deployments of a service, oldest first.
#[must_use]
pub fn records(objects: &Objects, service: &str) -> Vec<Record> {
    let all = objects.iter().filter(|((kind, _), _)| *kind == "ECSServiceDeployment").map(|(_, object)| object);
    let its = all.filter(|object| text(object, "/spec/service") == service);
    let mut records: Vec<_> = its.map(Record::of).collect();
    records.sort_by(|one, other| (&one.created_at, &one.id).cmp(&(&other.created_at, &other.id)));
    records
}

/// The Kubernetes Deployments of a service.
#[must_use]
pub fn workloads<'o>(objects: &'o Objects, service: &str) -> Vec<&'o Value> {
    let wanted = label(objects, service);
    let its = |object: &&Value| {
        let is = object.pointer("/metadata/labels").and_then(|labels| labels.get(SERVICE));
        is.and_then(Value::as_str) == Some(wanted)
    };
    objects.iter().filter(|((kind, _), _)| *kind == "Deployment").map(|(_, object)| object).filter(its).collect()
}

impl Scenario {
    /// The deployments of a service, oldest first.
    #[must_use]
    pub fn records(&self, service: &str) -> Vec<Record> {
        self.view().read(|objects| records(objects, service))
    }
}

impl ServiceThen<'_> {
    /// Expects something of the deployments of the service, oldest first, and answers with what `look` found.
    ///
    /// # Errors
    /// When it is not so in time; says what the deployments are instead.
    pub async fn has_records<T>(self, what: &str, mut look: impl FnMut(&[Record]) -> Option<T>) -> Result<T> {
        let name = self.name();
        self.then()
            .until(&format!("service {name}: {what}"), |objects| {
                let records = records(objects, name);
                look(&records).ok_or_else(|| records.iter().map(Record::line).collect::<Vec<_>>().join("; "))
            })
            .await
    }

    /// Expects the newest deployment to be on a revision and in a state, and answers with it.
    ///
    /// # Errors
    /// When it is not so in time.
    pub async fn is_deployed(self, revision: &str, status: &str) -> Result<Record> {
        self.has_records(&format!("its newest deployment, of {revision}, is {status}"), |records| {
            records.last().filter(|newest| newest.task_definition == revision && newest.status == status).cloned()
        })
        .await
    }

    /// Expects a deployment of a revision in a state, and answers with the newest of them.
    ///
    /// # Errors
    /// When it is not so in time.
    pub async fn has_deployment(self, revision: &str, status: &str) -> Result<Record> {
        self.has_records(&format!("a deployment of {revision} is {status}"), |records| {
            let of_revision = records.iter().rev().find(|record| record.task_definition == revision);
            of_revision.filter(|record| record.status == status).cloned()
        })
        .await
    }

    /// Expects what the service's status says of its deployments, PRIMARY first: `(status, rolloutState)`.
    ///
    /// # Errors
    /// When it says something else until the time is over.
    pub async fn shows_deployments(self, wanted: &[(&str, &str)]) -> Result<Vec<Value>> {
        let name = self.name();
        self.then()
            .until(&format!("service {name} shows deployments {wanted:?}"), |objects| {
                let service = find(objects, "ECSService", name).ok_or("there is no such service")?;
                let list = service.pointer("/status/deployments").and_then(Value::as_array);
                let list = list.cloned().unwrap_or_default();
                let is: Vec<_> = list.iter().map(|one| (text(one, "/status"), text(one, "/rolloutState"))).collect();
                if is == wanted { Ok(list.clone()) } else { Err(format!("it shows {is:?}")) }
            })
            .await
    }
}

/// A circuit breaker for [`super::manifest::with`]: rollback, and `type` with `value` of its threshold.
#[must_use]
pub fn breaker(rollback: bool, (type_, value): (&str, i64)) -> Value {
    json!({ "deploymentConfiguration": { "deploymentCircuitBreaker": {
        "enable": true, "rollback": rollback, "thresholdConfiguration": { "type": type_, "value": value },
    } } })
}

/// Alarms for [`super::manifest::with`]: rollback, and their names. Without a bake time, or each deployment would wait three
/// minutes.
#[must_use]
pub fn alarms(rollback: bool, names: &[&str]) -> Value {
    let alarms = json!({ "enable": true, "rollback": rollback, "alarmNames": names });
    json!({ "deploymentConfiguration": { "alarms": alarms, "bakeTimeInMinutes": 0 } })
}

/// Every failure counts, also after a task became healthy.
#[must_use]
pub fn cumulative() -> Value {
    json!({ "deploymentConfiguration": { "deploymentCircuitBreaker": { "resetOnHealthyTask": false } } })
}
