//! DAEMON services: one task on each eligible container instance, as a DaemonSet.
//!
//! The DaemonSet controller starts a task on each node that the template's affinity, node selector and tolerations allow,
//! also on one that joins later, and stops it on a node that ceases to be allowed. The operator only says how many may be
//! missing at once: with n eligible instances and minimumHealthyPercent m that is n - ceil(n * m / 100), as a whole number,
//! because a DaemonSet rounds percentages up. Of 10 instances with 75 % two may be missing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::capacity_provider::NodeSelectorTerm;
use api::cluster::ContainerInstanceStatus;
use ecs::rolling::daemon_max_unavailable;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::context::Context;
use super::record::Record;
use super::snapshot::{ServiceSnapshot, daemon_set_name};
use crate::capacity::{CapacityPart, NO_PROVIDER};
use crate::core::kind::{Kind, ObjectKey};
use crate::core::labels;
use crate::core::object::{child, put};
use crate::nodes::constraint::all_of;
use crate::nodes::instance::{Instance, NODE_TERMS, Taint, Toleration, instances};
use crate::pod::observe::Task;

/// Tasks of earlier deployments are found by their records; ControllerRevisions are not needed for going back.
const REVISION_HISTORY_LIMIT: i64 = 2;

/// The instances of a DAEMON service and the tasks on them.
pub(super) struct Fleet {
    instances: Vec<Arc<Instance>>,
    /// Instances that should have a task.
    eligible: BTreeSet<String>,
    minimum_healthy_percent: i64,
    /// Whether the DaemonSet has the template of the PRIMARY deployment, or there is none yet.
    is_current: bool,
    /// Every eligible instance has a healthy task of the PRIMARY deployment, and no older task is left.
    has_only_newest: bool,
}

impl Fleet {
    /// The desired count of the service.
    pub(super) fn desired(&self) -> i64 {
        i64::try_from(self.eligible.len()).unwrap_or(i64::MAX)
    }

    /// Whether every eligible instance runs a healthy task of the PRIMARY deployment, and no other task is left.
    pub(super) fn is_covered(&self) -> bool {
        self.has_only_newest && !self.update(false).1
    }

    /// How tasks are replaced, and whether the DaemonSet has to keep the template it has. `is_frozen` when the newest
    /// deployment has failed and nothing may move.
    fn update(&self, is_frozen: bool) -> (Update, bool) {
        update(self.desired(), self.minimum_healthy_percent, self.is_current, is_frozen)
    }
}

/// Looks at the instances that the newest deployment may be on.
pub(super) fn observe(context: Context<'_>, primary: &Record, minimum_healthy_percent: i64) -> Fleet {
    let snapshot = context.snapshot;
    let instances = instances(context.world);
    let eligible = eligible(&instances, &template(primary));
    let live = snapshot.daemon_set.as_ref();
    Fleet {
        has_only_newest: is_covered(&eligible, &snapshot.tasks, primary.digits()),
        is_current: live.is_none_or(|live| live.deployment == primary.digits()),
        minimum_healthy_percent,
        instances,
        eligible,
    }
}

/// What should be running.
pub(super) struct Daemon {
    /// Instances that do not meet the placement constraints. The DaemonSet controller stops the tasks on them.
    unfit: BTreeSet<String>,
    /// How the DaemonSet replaces tasks.
    pub(super) update: Update,
    /// The deployment whose template the DaemonSet has. `None` when that is an older one whose record is gone: the
    /// DaemonSet is left alone.
    pub(super) record: Option<Record>,
    /// No task may be missing, so that none can be replaced.
    pub(super) is_stuck: bool,
}

impl Daemon {
    /// Whether a task runs where the placement constraints do not want it any more.
    pub(super) fn is_misplaced(&self, task: &Task) -> bool {
        task.node.as_ref().is_some_and(|node| self.unfit.contains(node))
    }
}

/// `updateStrategy` of the DaemonSet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Update {
    /// Tasks of older deployments are replaced, at most so many missing at once.
    Rolling(i64),
    /// Nothing that runs is replaced.
    OnDelete,
}

/// What the DaemonSet should be, given the newest deployment.
pub(super) fn decide(snapshot: &ServiceSnapshot, fleet: &Fleet, primary: &Record, is_frozen: bool) -> Daemon {
    let (update, holds) = fleet.update(is_frozen);
    let record = match &snapshot.daemon_set {
        Some(live) if holds => snapshot.record(&live.deployment).cloned(),
        // What failed is started on no further instance: a new one gets what worked before, if anything did. Nothing that runs
        // is replaced.
        Some(_) if is_frozen => snapshot.last_completed().or(Some(primary)).cloned(),
        _ => Some(primary.clone()),
    };
    let unfit =
        record.as_ref().map(|record| unfit(&fleet.instances, &record.revision.pod_template)).unwrap_or_default();
    Daemon { unfit, update, record, is_stuck: holds && !is_frozen }
}

/// How tasks are replaced, and whether the DaemonSet has to keep the template it has.
///
/// A DaemonSet of which nothing may be missing would be refused, so it replaces nothing by itself instead.
fn update(nodes: i64, minimum_healthy_percent: i64, is_current: bool, is_frozen: bool) -> (Update, bool) {
    if is_frozen {
        return (Update::OnDelete, !is_current);
    }
    match daemon_max_unavailable(nodes, minimum_healthy_percent) {
        // Without instances nothing runs that a new template could replace.
        0 if nodes == 0 && minimum_healthy_percent < 100 => (Update::Rolling(1), false),
        0 => (Update::OnDelete, nodes > 0 && !is_current),
        most => (Update::Rolling(most), false),
    }
}

/// Whether every eligible instance runs a healthy task of the deployment, and no task of another one is left.
fn is_covered(eligible: &BTreeSet<String>, tasks: &[Task], deployment: &str) -> bool {
    let mut here = tasks.iter().filter(|task| !task.is_stopping);
    let healthy: BTreeSet<&str> = tasks
        .iter()
        .filter(|task| !task.is_stopping && task.is_healthy_for_deployment)
        .filter_map(|task| task.node.as_deref())
        .collect();
    here.all(|task| task.deployment_id.as_deref() == Some(deployment))
        && eligible.iter().all(|node| healthy.contains(node.as_str()))
}

/// Instances in ACTIVE that the template's pods may be on, whether they are Ready or not.
fn eligible(instances: &[Arc<Instance>], template: &Value) -> BTreeSet<String> {
    let spec = template.get("spec");
    let read = |pointer: &str| spec.and_then(|spec| spec.pointer(pointer));
    let selector: BTreeMap<String, String> =
        read("/nodeSelector").and_then(|value| BTreeMap::deserialize(value).ok()).unwrap_or_default();
    let terms: Option<Vec<NodeSelectorTerm>> =
        read(&format!("/affinity{NODE_TERMS}")).and_then(|value| Vec::deserialize(value).ok());
    let mut tolerations: Vec<Toleration> =
        read("/tolerations").and_then(|value| Vec::deserialize(value).ok()).unwrap_or_default();
    tolerations.extend(own_tolerations());
    instances
        .iter()
        .filter(|instance| instance.status() == ContainerInstanceStatus::Active)
        .filter(|instance| selector.iter().all(|(key, value)| instance.labels.get(key) == Some(value)))
        .filter(|instance| terms.as_ref().is_none_or(|terms| instance.matches_any(terms)))
        .filter(|instance| instance.admits(&tolerations))
        .map(|instance| instance.name.clone())
        .collect()
}

/// Instances that do not meet the placement constraints, which are all that a frozen template says about nodes beside keeping
/// off DRAINING ones.
fn unfit(instances: &[Arc<Instance>], pod_template: &Value) -> BTreeSet<String> {
    let terms = pod_template.pointer(&format!("/spec/affinity{NODE_TERMS}"));
    let terms: Vec<NodeSelectorTerm> = terms.and_then(|value| Vec::deserialize(value).ok()).unwrap_or_default();
    let mut constraints: Vec<NodeSelectorTerm> = Vec::with_capacity(terms.len());
    for NodeSelectorTerm { mut match_expressions } in terms {
        // A term without requirements matches no node and has to stay so; one that only keeps off DRAINING nodes is no
        // constraint.
        let is_nothing = match_expressions.is_empty();
        match_expressions.retain(|one| one.key != labels::CONTAINER_INSTANCE_STATUS);
        if match_expressions.is_empty() && !is_nothing {
            return BTreeSet::new();
        }
        constraints.push(NodeSelectorTerm { match_expressions });
    }
    if constraints.is_empty() {
        return BTreeSet::new();
    }
    let unfit = instances.iter().filter(|instance| !instance.matches_any(&constraints));
    unfit.map(|instance| instance.name.clone()).collect()
}

/// What the DaemonSet controller lets its pods tolerate in any case: a node's troubles do not end its daemons.
fn own_tolerations() -> impl Iterator<Item = Toleration> {
    let troubles = [
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
    ];
    troubles.into_iter().map(|(trouble, effect)| {
        let Taint { key, effect, .. } =
            Taint { key: format!("node.kubernetes.io/{trouble}"), value: String::new(), effect: effect.to_owned() };
        Toleration { key, operator: "Exists".to_owned(), value: String::new(), effect }
    })
}

/// The DaemonSet of the service.
pub(super) fn key(snapshot: &ServiceSnapshot) -> ObjectKey {
    ObjectKey::namespaced(Kind::DaemonSet, &snapshot.namespace, daemon_set_name(&snapshot.key.name))
}

/// The whole DaemonSet.
pub(super) fn body(snapshot: &ServiceSnapshot, record: &Record, update: Update, owner: &Value) -> Value {
    let mut body = child(&key(snapshot), std::slice::from_ref(owner), snapshot.child_labels());
    let strategy = match update {
        Update::Rolling(most) => {
            json!({ "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": most, "maxSurge": 0 } })
        }
        Update::OnDelete => json!({ "type": "OnDelete" }),
    };
    put(
        &mut body,
        "spec",
        json!({
            "selector": { "matchLabels": { labels::SERVICE: snapshot.label() } },
            "minReadySeconds": record.revision.min_ready_seconds,
            "revisionHistoryLimit": REVISION_HISTORY_LIMIT,
            "updateStrategy": strategy,
            "template": template(record),
        }),
    );
    body
}

/// The frozen pod template on the nodes of all providers of the strategy.
fn template(record: &Record) -> Value {
    let parts = &record.revision.capacity;
    let mut template = record.revision.pod_template.clone();
    if let Some(labels) = template.pointer_mut("/metadata/labels") {
        put(labels, labels::DEPLOYMENT, Value::from(record.digits()));
        put(labels, labels::CAPACITY_PROVIDER, Value::from(provider_label(parts)));
        put(labels, labels::SCHEDULING_STRATEGY, Value::from(labels::DAEMON));
    }
    let Some(spec) = template.get_mut("spec") else { return template };
    if let Some(spec) = spec.as_object_mut() {
        // Each task has its node; there is nothing to spread.
        spec.remove("topologySpreadConstraints");
    }
    let mut affinity = spec.get("affinity").cloned().unwrap_or_else(|| Value::Object(Map::new()));
    let constraint = affinity.pointer(NODE_TERMS).and_then(Value::as_array).cloned().unwrap_or_default();
    let terms = node_terms(&constraint, parts);
    let required = json!({ "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": terms } });
    put(&mut affinity, "nodeAffinity", required);
    put(spec, "affinity", affinity);
    let mut tolerations: Vec<Value> = Vec::new();
    for toleration in parts.iter().flat_map(|part| &part.placement.tolerations) {
        if !tolerations.contains(toleration) {
            tolerations.push(toleration.clone());
        }
    }
    if !tolerations.is_empty() {
        put(spec, "tolerations", Value::Array(tolerations));
    }
    template
}

/// The provider of all tasks, if it is one.
fn provider_label(parts: &[CapacityPart]) -> String {
    match parts {
        [only] => only.label(),
        _ => NO_PROVIDER.to_owned(),
    }
}

/// The nodes of any of the providers that meet the constraint. Weights mean nothing where each node has one task. Instead of
/// what keeps new tasks from draining nodes, the operator's own mark counts, which it sets when no other task is left:
/// daemons stop last.
fn node_terms(constraint: &[Value], parts: &[CapacityPart]) -> Vec<Value> {
    let stays = json!({ "key": labels::DAEMON_TASKS, "operator": "NotIn", "values": [labels::STOPPED] });
    let is_anywhere = parts.iter().any(|part| part.placement.node_selector_terms.is_empty());
    let providers: Vec<Value> = parts
        .iter()
        .filter(|_| !is_anywhere)
        .flat_map(|part| part.placement.node_selector_terms.iter().cloned())
        .collect();
    let mut terms: Vec<Value> = Vec::new();
    for mut term in all_of(constraint, &providers) {
        if let Some(expressions) = term.get_mut("matchExpressions").and_then(Value::as_array_mut)
            // A term without requirements matches no node and has to stay so.
            && !expressions.is_empty()
        {
            expressions.retain(|one| one.get("key").and_then(Value::as_str) != Some(labels::CONTAINER_INSTANCE_STATUS));
            expressions.push(stays.clone());
        }
        if !terms.contains(&term) {
            terms.push(term);
        }
    }
    if terms.is_empty() { vec![json!({ "matchExpressions": [stays] })] } else { terms }
}

#[cfg(test)]
#[path = "daemon_tests.rs"]
mod tests;
