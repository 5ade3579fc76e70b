//! The Deployment of one service deployment on one capacity provider.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::core::labels;
use crate::core::object::{child, put};
use crate::launch::placement::is_gated;
use crate::nodes::constraint::all_of;
use crate::nodes::instance::NODE_TERMS;
use crate::service::counts::WantedWorkload;
use crate::service::snapshot::ServiceSnapshot;

/// The Deployment controller's own deadline is no circuit breaker: as good as never (its largest value).
const PROGRESS_DEADLINE_SECONDS: i64 = 2_147_483_647;

/// The whole Deployment.
pub(super) fn body(wanted: &WantedWorkload, snapshot: &ServiceSnapshot, owner: &Value) -> Value {
    let provider = wanted.part.label();
    let selected = BTreeMap::from([
        (labels::SERVICE, snapshot.label()),
        (labels::CAPACITY_PROVIDER, provider.clone()),
        (labels::DEPLOYMENT, wanted.record.digits().to_owned()),
    ]);
    let mut own_labels = snapshot.child_labels();
    own_labels.extend(selected.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let mut body = child(&wanted.key, std::slice::from_ref(owner), own_labels);
    if let Some(metadata) = body.get_mut("metadata") {
        put(metadata, "annotations", json!({ labels::DESIRED_COUNT: wanted.asked_for.to_string() }));
    }
    let spec = json!({
        "replicas": wanted.replicas,
        "selector": { "matchLabels": selected },
        "minReadySeconds": wanted.record.revision.min_ready_seconds,
        "revisionHistoryLimit": 0,
        "progressDeadlineSeconds": PROGRESS_DEADLINE_SECONDS,
        "strategy": { "type": "RollingUpdate", "rollingUpdate": {
            "maxSurge": wanted.budget.max_surge,
            "maxUnavailable": wanted.budget.max_unavailable,
        } },
        "template": template(wanted, &provider),
    });
    put(&mut body, "spec", spec);
    body
}

/// The frozen pod template with what differs per deployment and provider.
fn template(wanted: &WantedWorkload, provider: &str) -> Value {
    let mut template = wanted.record.revision.pod_template.clone();
    if let Some(labels) = template.pointer_mut("/metadata/labels") {
        put(labels, labels::DEPLOYMENT, Value::from(wanted.record.digits()));
        put(labels, labels::CAPACITY_PROVIDER, Value::from(provider));
    }
    if let Some((affinity, tolerations)) = &wanted.kept {
        if let Some(spec) = template.get_mut("spec") {
            for (name, value) in [("affinity", affinity), ("tolerations", tolerations)] {
                if let Some(value) = value {
                    put(spec, name, value.clone());
                }
            }
        }
        return template;
    }
    let placement = &wanted.part.placement;
    if let Some(spec) = template.get_mut("spec") {
        // What waits for a gate is told its nodes when it is placed.
        if !placement.node_selector_terms.is_empty() && !is_gated(spec) {
            let mut affinity = spec.get("affinity").cloned().unwrap_or_else(|| Value::Object(Map::new()));
            let constraint = affinity.pointer(NODE_TERMS).and_then(Value::as_array).map(Vec::as_slice);
            let terms = all_of(constraint.unwrap_or_default(), &placement.node_selector_terms);
            // Required, never preferred: ECS does not spill over to another provider.
            let required = json!({ "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": terms } });
            put(&mut affinity, "nodeAffinity", required);
            put(spec, "affinity", affinity);
        }
        if !placement.tolerations.is_empty() {
            put(spec, "tolerations", json!(placement.tolerations));
        }
    }
    template
}
