//! Everything a service's plan depends on, gathered once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::cluster::ContainerInstanceStatus;
use api::conditions::Reason;
use api::service::{ServiceSpec, ServiceStatus};
use ecs::arn::last_segment;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::places::Places;
use super::record::Record;
use super::workload::{self, DaemonSetView, Workload, is_task};
use crate::core::kind::{Kind, ObjectKey};
use crate::core::labels;
use crate::core::metadata::Metadata;
use crate::core::report::Refusal;
use crate::core::root::Root;
use crate::core::store::{DecodeError, Stored, View};
use crate::core::world::{DEFAULT_CLUSTER, Term, World};
use crate::nodes::instance;
use crate::pod::observe::{PodView, Task, observe};
use crate::validate;

/// A service and all that belongs to it. References to other objects are resolved in [`super::wanted`].
pub(super) struct ServiceSnapshot {
    pub(super) key: ObjectKey,
    pub(super) namespace: String,
    pub(super) metadata: Metadata,
    /// The spec as it was written, for hashes and for naming fields that do nothing.
    pub(super) document: Value,
    /// The typed spec, or every reason why there is none.
    pub(super) spec: Result<Arc<ServiceSpec>, Vec<Refusal>>,
    /// The status as it was read.
    pub(super) status: ServiceStatus,
    /// The same as JSON, to compare with.
    pub(super) previous_status: Value,
    /// The service's name as ECS knows it.
    pub(super) ecs_name: String,
    /// The cluster's name as ECS knows it.
    pub(super) cluster: String,
    /// Deployment records, oldest first; the last one is PRIMARY.
    pub(super) records: Vec<Record>,
    /// The service's Deployments by the digits of their service deployment and their capacity provider label.
    pub(super) workloads: BTreeMap<(String, String), Workload>,
    /// The DaemonSet of a DAEMON service.
    pub(super) daemon_set: Option<Arc<DaemonSetView>>,
    /// The service's tasks, oldest first.
    pub(super) tasks: Vec<Task>,
    /// The nodes for tasks that wait to be told.
    pub(super) places: Places,
    /// Names of the draining nodes that have tasks of the service. Empty for a DAEMON service: its tasks are not replaced
    /// elsewhere, and its DaemonSet leaves such nodes out.
    pub(super) draining: BTreeSet<String>,
    /// What fetches secrets for deployments of the service.
    pub(super) fetchers: Vec<Arc<Stored>>,
    /// An older service of the same ECS name in the same cluster, if there is one.
    pub(super) name_taken_by: Option<String>,
}

/// Kinds that fetch the secrets of one deployment. Unlike other shared children they belong to one service.
pub(super) const FETCHERS: [Kind; 2] = [Kind::ExternalSecret, Kind::SecretProviderClass];

/// The spec of a service, or everything that is wrong with it: checked once for each version of the service.
#[derive(Debug)]
pub(crate) struct CheckedSpec(Result<Arc<ServiceSpec>, Vec<Refusal>>);

impl View for CheckedSpec {
    fn read(stored: &Stored) -> Result<Self, DecodeError> {
        #[derive(Deserialize)]
        struct WithSpec {
            spec: ServiceSpec,
        }
        let refusals = validate::stored(stored, &stored.value());
        if refusals.is_empty() {
            return stored.decode().map(|WithSpec { spec }| Self(Ok(Arc::new(spec))));
        }
        Ok(Self(Err(refusals)))
    }
}

pub(super) fn gather(world: &dyn World, key: &ObjectKey, now: Timestamp) -> Option<ServiceSnapshot> {
    let root = Root::open(world, key)?;
    let mut spec = match root.stored.view::<CheckedSpec>() {
        Ok(checked) => checked.0.clone(),
        Err(error) => Err(vec![Refusal::invalid("spec", error.to_string())]),
    };
    let ecs_name = root.ecs_name("serviceName").to_owned();
    let cluster = root.document.get("cluster").and_then(Value::as_str).filter(|cluster| !cluster.is_empty());
    let cluster = cluster.map_or(DEFAULT_CLUSTER, last_segment).to_owned();
    let namespace = key.namespace.clone().unwrap_or_default();
    let label = ecs::name::label_value(&key.name);
    // Service names are unique per cluster.
    let name_taken_by = root.older_namesake(world, &[Term::EcsName(ecs_name.clone()), Term::Cluster(cluster.clone())]);
    let (mut records, unreadable) = records(world, &namespace, &root.metadata.uid);
    // Without it nobody knows what runs and why: nothing is touched before it can be read.
    if !unreadable.is_empty() {
        spec = Err(spec.err().unwrap_or_default().into_iter().chain(unreadable).collect());
    }
    records.sort_by(|one, other| one.created_at.cmp(&other.created_at).then_with(|| one.key.cmp(&other.key)));
    let workloads: BTreeMap<(String, String), Workload> = world
        .find(Kind::Deployment, Some(&namespace), &Term::Owner(root.metadata.uid.clone()))
        .into_iter()
        .filter_map(Workload::read)
        .map(|workload| ((workload.deployment.clone(), workload.provider.clone()), workload))
        .collect();
    let names = workload_names(key, &records, &workloads);
    let daemon_set_name = daemon_set_name(&key.name);
    let mut tasks: Vec<Task> = world
        .find(Kind::Pod, Some(&namespace), &Term::Service(label))
        .iter()
        .filter_map(|stored| stored.view::<PodView>().ok())
        .filter(|pod| is_task(pod, &names, &daemon_set_name))
        .map(|pod| observe(&pod, now))
        .collect();
    let places = Places::find(world, &records, &tasks);
    for task in &mut tasks {
        task.trouble = places.trouble(task).or(task.trouble.take());
    }
    let owner = Term::Owner(root.metadata.uid.clone());
    let fetchers = FETCHERS.into_iter().flat_map(|kind| world.find(kind, Some(&namespace), &owner)).collect();
    let daemon_sets = world.find(Kind::DaemonSet, Some(&namespace), &owner);
    let is_daemon = root.document.get("schedulingStrategy").and_then(Value::as_str) == Some(labels::DAEMON);
    let daemon_set = daemon_sets.iter().filter(|_| is_daemon).find_map(|stored| DaemonSetView::current(stored));
    tasks.sort_by(|one, other| one.created_at.cmp(&other.created_at).then_with(|| one.uid.cmp(&other.uid)));
    Some(ServiceSnapshot {
        key: key.clone(),
        namespace,
        status: root.previous_status(),
        previous_status: root.object.get("status").cloned().unwrap_or_default(),
        metadata: root.metadata,
        document: root.document,
        spec,
        ecs_name,
        cluster,
        records,
        workloads,
        draining: if is_daemon { BTreeSet::new() } else { draining(world, &tasks) },
        daemon_set,
        tasks,
        places,
        fetchers,
        name_taken_by,
    })
}

/// Records of deployments, and which of them cannot be read.
fn records(world: &dyn World, namespace: &str, service: &str) -> (Vec<Record>, Vec<Refusal>) {
    let (mut records, mut unreadable) = (Vec::new(), Vec::new());
    for stored in world.find(Kind::ServiceDeployment, Some(namespace), &Term::Owner(service.to_owned())) {
        match stored.view::<Record>() {
            Ok(record) => records.push(record.as_ref().clone()),
            Err(error) => unreadable.push(Refusal {
                path: stored.key.to_string(),
                exception: Reason::DeploymentUnreadable,
                message: format!("{error}: run the version of the operator that wrote it, or a newer one"),
            }),
        }
    }
    (records, unreadable)
}

/// The DaemonSet of a service is named like the service.
pub(super) fn daemon_set_name(service: &str) -> String {
    ecs::name::dns_label(service, 63)
}

/// Names of the Deployments that the service has, and of those that its records stand for.
fn workload_names(
    key: &ObjectKey,
    records: &[Record],
    workloads: &BTreeMap<(String, String), Workload>,
) -> BTreeSet<String> {
    let of_record = |record: &Record| {
        let parts = record.revision.capacity.iter();
        parts.map(|part| workload::key(key, record.digits(), part.provider.as_deref()).name).collect::<Vec<_>>()
    };
    let live = workloads.values().map(|workload| workload.stored.key.name.clone());
    live.chain(records.iter().flat_map(of_record)).collect()
}

/// Of the nodes that tasks are on, those that are DRAINING.
fn draining(world: &dyn World, tasks: &[Task]) -> BTreeSet<String> {
    let nodes: BTreeSet<&str> = tasks.iter().filter_map(|task| task.node.as_deref()).collect();
    let is_draining = |name: &&str| {
        let node = instance::instance(world, name);
        node.is_some_and(|node| node.status() == ContainerInstanceStatus::Draining)
    };
    nodes.into_iter().filter(is_draining).map(ToOwned::to_owned).collect()
}

impl ServiceSnapshot {
    /// The deployment that new tasks belong to.
    pub(super) fn primary(&self) -> Option<&Record> {
        self.records.last()
    }

    /// The record of a deployment id.
    pub(super) fn record(&self, digits: &str) -> Option<&Record> {
        self.records.iter().find(|record| record.digits() == digits)
    }

    /// The Deployment of a service deployment on a capacity provider.
    pub(super) fn workload(&self, digits: &str, provider: &str) -> Option<&Workload> {
        self.workloads.get(&(digits.to_owned(), provider.to_owned()))
    }

    /// The newest deployment that reached its end well.
    pub(super) fn last_completed(&self) -> Option<&Record> {
        self.records.iter().rev().find(|record| record.is_successful())
    }

    /// Whether a task runs on an instance that is draining.
    pub(super) fn has_tasks_on_draining_instances(&self) -> bool {
        let nodes = self.tasks.iter().filter(|task| !task.is_stopping).filter_map(|task| task.node.as_ref());
        nodes.into_iter().any(|node| self.draining.contains(node))
    }

    /// Whether the service runs one task on each eligible instance.
    pub(super) fn is_daemon(&self) -> bool {
        self.document.get("schedulingStrategy").and_then(Value::as_str) == Some(labels::DAEMON)
    }

    /// Labels of every child.
    pub(super) fn child_labels(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            (labels::APP_NAME.to_owned(), ecs::name::label_value(&self.ecs_name)),
            (labels::SERVICE.to_owned(), self.label()),
            (labels::CLUSTER.to_owned(), ecs::name::label_value(&self.cluster)),
        ])
    }

    /// The service's object name as a label value.
    pub(super) fn label(&self) -> String {
        ecs::name::label_value(&self.key.name)
    }

    /// `spec.desiredCount`, also when the rest of the spec is refused. A service that does not name it keeps the count that
    /// it has and starts with 1. A DAEMON service has none.
    pub(super) fn desired_count(&self) -> i64 {
        let named = self.document.get("desiredCount").and_then(Value::as_i64);
        let unnamed = || if self.is_daemon() { 0 } else { self.status.desired_count.map_or(1, i64::from) };
        named.unwrap_or_else(unnamed).max(0)
    }
}
