//! Network mode `none`: a Pod always has an address, so all traffic to and from it is denied instead.

use serde_json::{Value, json};

use crate::core::kind::Kind;
use crate::core::labels;

/// Value of [`labels::NETWORK`] on such Pods.
pub(super) const LABEL_VALUE: &str = "none";
/// Name of the NetworkPolicy: one for all such tasks of a namespace.
const NAME: &str = "ecs-network-none";

/// The policy: it selects such Pods and allows nothing in either direction. Enforcing it is up to the network plugin.
pub(crate) fn policy(namespace: &str) -> Value {
    json!({
        "apiVersion": Kind::NetworkPolicy.api_version(),
        "kind": Kind::NetworkPolicy.kind(),
        "metadata": {
            "name": NAME,
            "namespace": namespace,
            "labels": {labels::MANAGED_BY: labels::OPERATOR},
        },
        "spec": {
            "podSelector": {"matchLabels": {labels::NETWORK: LABEL_VALUE}},
            "policyTypes": ["Ingress", "Egress"],
        },
    })
}
