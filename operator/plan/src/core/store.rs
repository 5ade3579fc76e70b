//! What is kept of an object: a compact copy without what nobody reads, and the terms it can be found by.
//!
//! Bodies are kept as JSON text. A Deployment is about 2 KB that way; as a tree of values it would be five times that, for
//! each of many thousand objects. What plans read again and again is kept decoded beside it, see [`view`].

pub mod view;

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::core::json::length;
use crate::core::kind::{Kind, ObjectKey};
use crate::core::labels;
use crate::core::relation::terms;
use crate::core::term::Term;
use view::Views;

pub use view::View;

/// Bytes of a spec that users write, as JSON: four times what ECS takes for a task definition.
pub const MOST_SPEC_BYTES: usize = 256 * 1024;

/// Of a spec that is longer, members of at most so many bytes are kept: names, and what other objects are found by.
const SHORT_MEMBER_BYTES: usize = 1024;

/// One object as the operator remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Kind, namespace and name.
    pub key: ObjectKey,
    /// `metadata.uid`
    pub uid: String,
    /// `metadata.resourceVersion`
    pub resource_version: String,
    /// What [`crate::World::find`] finds it by.
    pub terms: Vec<Term>,
    /// Bytes of its spec, if that is longer than [`MOST_SPEC_BYTES`]: then it is refused, and only its short members are kept.
    pub too_long: Option<usize>,
    /// JSON with sorted members, the status last, and without the version: two copies of the same content are the same
    /// bytes.
    body: Box<[u8]>,
    /// Where in `body` the status begins; its end where there is none.
    status_at: usize,
    views: Views,
}

/// Why an object could not be read.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum DecodeError {
    /// A value has the wrong form. The path is relative to the object, such as `spec.containerDefinitions[0].cpu`.
    #[error("{path}: {message}")]
    Form {
        /// Where.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// There is no name, uid or namespace where there must be one.
    #[error("{0} has no {1}")]
    Identity(Kind, &'static str),
}

impl Stored {
    /// Takes in an object of `kind` as a watch or a file delivers it.
    ///
    /// # Errors
    /// [`DecodeError::Identity`] when the object has no name, or no namespace where its kind needs one.
    pub fn accept(kind: Kind, object: Value) -> Result<Self, DecodeError> {
        Self::take(kind, object, |_| None)
    }

    /// The same for objects of which there may be many, and whoever wrote them: of a spec that is longer than
    /// [`MOST_SPEC_BYTES`] only the short members are kept.
    ///
    /// # Errors
    /// As [`Self::accept`].
    pub fn accept_shortened(kind: Kind, object: Value) -> Result<Self, DecodeError> {
        Self::take(kind, object, |object| shorten(kind, object))
    }

    fn take(
        kind: Kind,
        mut object: Value,
        shorten: impl FnOnce(&mut Value) -> Option<usize>,
    ) -> Result<Self, DecodeError> {
        strip(kind, &mut object);
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(ToOwned::to_owned);
        let name = text("/metadata/name").ok_or(DecodeError::Identity(kind, "name"))?;
        let namespace = match text("/metadata/namespace") {
            Some(namespace) if kind.is_namespaced() => Some(namespace),
            None if kind.is_namespaced() => return Err(DecodeError::Identity(kind, "namespace")),
            _ => None,
        };
        let uid = text("/metadata/uid").unwrap_or_default();
        let resource_version = text("/metadata/resourceVersion").unwrap_or_default();
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("resourceVersion");
        }
        let terms = terms(kind, &object);
        let too_long = shorten(&mut object);
        let (body, status_at) =
            body(object).map_err(|error| DecodeError::Form { path: String::new(), message: error.to_string() })?;
        let key = ObjectKey { kind, namespace, name };
        Ok(Self { key, uid, resource_version, terms, too_long, body, status_at, views: Views::default() })
    }

    /// The object as a typed value: one of ours, or a view of a foreign one. Its version is [`Self::resource_version`].
    ///
    /// # Errors
    /// [`DecodeError::Form`] with the path of the first value that does not fit.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        // Keeping track of the path costs more than reading; only who cannot be read needs one.
        if let Ok(value) = serde_json::from_slice(&self.body) {
            return Ok(value);
        }
        let mut reader = serde_json::Deserializer::from_slice(&self.body);
        serde_path_to_error::deserialize(&mut reader).map_err(|error| DecodeError::Form {
            path: error.path().to_string(),
            message: error.into_inner().to_string(),
        })
    }

    /// The object as plain JSON, without its version.
    #[must_use]
    pub fn value(&self) -> Value {
        // The text was written by `accept`, so this never falls back.
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// What plans read of the object, decoded once however often it is asked for.
    ///
    /// # Errors
    /// [`DecodeError`] when the object does not have the form of its kind.
    pub fn view<V: View>(&self) -> Result<Arc<V>, DecodeError> {
        self.views.get(self)
    }

    /// Whether both are copies of one object that differ in nothing but their version: then nothing has to be reconciled.
    #[must_use]
    pub fn same_content(&self, other: &Self) -> bool {
        self.uid == other.uid && self.body == other.body
    }

    /// Whether both are copies of one object that differ in nothing but version and status.
    #[must_use]
    pub fn same_except_status(&self, other: &Self) -> bool {
        self.uid == other.uid && self.body.get(..self.status_at) == other.body.get(..other.status_at)
    }

    /// Bytes of the kept text.
    #[must_use]
    pub fn size(&self) -> usize {
        self.body.len()
    }
}

/// The text of an object, and where in it the status begins.
fn body(mut object: Value) -> Result<(Box<[u8]>, usize), serde_json::Error> {
    let status = object.as_object_mut().and_then(|object| object.remove("status"));
    let mut body = serde_json::to_vec(&object)?;
    // The closing brace comes after the status, if there is one.
    body.pop();
    let status_at = body.len();
    if let Some(status) = status {
        body.extend_from_slice(if status_at > 1 { br#","status":"# } else { br#""status":"# });
        serde_json::to_writer(&mut body, &status)?;
    }
    body.push(b'}');
    Ok((body.into_boxed_slice(), status_at))
}

/// Leaves out what is long in a spec that is too long, and returns its length then: what is refused in any case must not
/// fill the memory.
fn shorten(kind: Kind, object: &mut Value) -> Option<usize> {
    let spec = object.get_mut("spec").filter(|_| kind.is_root() && kind.is_ours())?;
    let bytes = Some(length(spec)).filter(|bytes| *bytes > MOST_SPEC_BYTES)?;
    match spec.as_object_mut() {
        Some(members) => members.retain(|_, value| length(value) <= SHORT_MEMBER_BYTES),
        None => *spec = Value::Null,
    }
    Some(bytes)
}

/// Removes what no plan reads. `managedFields` alone is half of most objects' metadata.
fn strip(kind: Kind, object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        metadata.remove("selfLink");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    match kind {
        Kind::Pod => strip_pod(object),
        Kind::Node => {
            retain(object.get_mut("metadata"), &["name", "uid", "resourceVersion", "labels", "creationTimestamp"]);
            retain(object.get_mut("spec"), &["unschedulable", "providerID", "taints"]);
            if let Some(taints) = object.pointer_mut("/spec/taints").and_then(Value::as_array_mut) {
                for taint in taints {
                    retain(Some(taint), &["key", "value", "effect"]);
                }
            }
            retain(object.get_mut("status"), &["conditions"]);
            // Heartbeats change every few seconds and decide nothing.
            if let Some(conditions) = object.pointer_mut("/status/conditions").and_then(Value::as_array_mut) {
                conditions.retain(|condition| condition.get("type").and_then(Value::as_str) == Some("Ready"));
                for condition in conditions {
                    retain(Some(condition), &["type", "status"]);
                }
            }
        }
        Kind::Deployment => {
            retain(
                object.get_mut("status"),
                &[
                    "observedGeneration",
                    "replicas",
                    "updatedReplicas",
                    "readyReplicas",
                    "availableReplicas",
                    "conditions",
                ],
            );
            // The others repeat the counts in words.
            if let Some(conditions) = object.pointer_mut("/status/conditions").and_then(Value::as_array_mut) {
                conditions.retain(|condition| condition.get("type").and_then(Value::as_str) == Some("ReplicaFailure"));
            }
        }
        // What it says of nodes is seen from the nodes and the tasks.
        Kind::DaemonSet => retain(object.get_mut("status"), &["observedGeneration"]),
        Kind::Namespace => {
            retain(
                object.get_mut("metadata"),
                &["name", "uid", "resourceVersion", "annotations", "labels", "deletionTimestamp"],
            );
            retain(object.pointer_mut("/metadata/labels"), &[labels::POD_SECURITY]);
            if let Some(object) = object.as_object_mut() {
                object.retain(|name, _| name == "metadata");
            }
        }
        Kind::PodDisruptionBudget | Kind::KubernetesService => {
            if let Some(object) = object.as_object_mut() {
                object.remove("status");
            }
        }
        Kind::Cluster
        | Kind::CapacityProvider
        | Kind::TaskDefinition
        | Kind::TaskDefinitionRevision
        | Kind::Service
        | Kind::ServiceDeployment
        | Kind::ScalableTarget
        | Kind::ServiceAccount
        | Kind::NetworkPolicy
        | Kind::PersistentVolumeClaim
        | Kind::PersistentVolume
        | Kind::ConfigMap
        | Kind::StorageClass
        | Kind::VolumeSnapshot
        | Kind::VolumeSnapshotContent
        | Kind::HorizontalPodAutoscaler
        | Kind::ExternalSecret
        | Kind::SecretProviderClass => {}
    }
}

fn strip_pod(object: &mut Value) {
    retain(
        object.get_mut("metadata"),
        &[
            "name",
            "namespace",
            "uid",
            "resourceVersion",
            "labels",
            "annotations",
            "ownerReferences",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
        ],
    );
    // Users give their own to every task, up to 256 KiB of them.
    if let Some(labels) = object.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        let kept = [labels::MANAGED_BY, labels::TEMPLATE_HASH];
        labels.retain(|name, _| name.starts_with(labels::DOMAIN) || kept.contains(&name.as_str()));
    }
    retain(
        object.pointer_mut("/metadata/annotations"),
        &[labels::CONTAINERS, labels::PROTECTED_UNTIL, labels::POD_DELETION_COST, labels::PLACED_BY],
    );
    retain(object.get_mut("spec"), &["nodeName", "schedulingGates"]);
    retain(
        object.get_mut("status"),
        &["phase", "reason", "message", "conditions", "containerStatuses", "initContainerStatuses", "startTime"],
    );
}

fn retain(part: Option<&mut Value>, names: &[&str]) {
    if let Some(map) = part.and_then(Value::as_object_mut) {
        map.retain(|name, _| names.contains(&name.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn when_only_a_heartbeat_moved_then_a_node_says_the_same() {
        let node = |version: &str, beat: &str| {
            Stored::accept(
                Kind::Node,
                json!({"metadata": {"name": "n", "uid": "u", "resourceVersion": version},
                       "status": {"conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": beat}]}}),
            )
            .unwrap()
        };
        assert!(node("1", "10:00").same_content(&node("2", "10:05")));
    }

    #[test]
    fn when_a_spec_is_too_long_then_only_its_short_members_are_kept_and_it_is_found_as_before() {
        let service = |length: usize| {
            let metadata = json!({"name": "n", "namespace": "a", "uid": "u", "resourceVersion": "1"});
            let spec = json!({"serviceName": "web", "events": ["x".repeat(length)]});
            Stored::accept_shortened(Kind::Service, json!({"metadata": metadata, "spec": spec})).unwrap()
        };
        let (long, short) = (service(1_000_000), service(10));
        assert!(long.too_long.is_some_and(|bytes| bytes > 1_000_000) && long.size() < 300, "{}", long.size());
        assert_eq!(long.value()["spec"], json!({"serviceName": "web"}));
        assert_eq!((&long.terms, short.too_long), (&short.terms, None));
    }

    #[test]
    fn when_a_pod_carries_much_that_is_its_users_own_then_none_of_it_is_kept() {
        let pod = |annotation: &str| {
            let labels = json!({"ecs-operator.dev/service": "web", "app.kubernetes.io/managed-by": "ecs-operator",
                "team": "a"});
            let annotations = json!({"note": annotation, "ecs-operator.dev/containers": "[]",
                "ecs-operator.dev/protected-until": "2026-03-01T12:00:00Z", "ecs-operator.dev/tags": annotation,
                "controller.kubernetes.io/pod-deletion-cost": "-1000"});
            let metadata = json!({"name": "n", "namespace": "a", "uid": "u", "generateName": "n-", "labels": labels,
                "annotations": annotations});
            Stored::accept(Kind::Pod, json!({"metadata": metadata, "spec": {"nodeName": "one"}})).unwrap()
        };
        let kept = pod(&"x".repeat(100_000));
        assert!(kept.same_content(&pod("y")) && kept.size() < 500, "{}", kept.size());
        let metadata = &kept.value()["metadata"];
        assert_eq!(metadata["annotations"].as_object().map(serde_json::Map::len), Some(3));
        assert_eq!(metadata["labels"].as_object().map(serde_json::Map::len), Some(2));
    }

    #[test]
    fn when_only_counts_in_words_moved_then_a_deployment_says_the_same() {
        let deployment = |version: &str, reason: &str, failure: &str| {
            let conditions = json!([{"type": "Progressing", "status": "True", "reason": reason},
                {"type": "ReplicaFailure", "status": failure, "message": "quota"}]);
            let metadata = json!({"name": "n", "namespace": "a", "uid": "u", "resourceVersion": version});
            let status = json!({"observedGeneration": 1, "readyReplicas": 1, "conditions": conditions});
            Stored::accept(Kind::Deployment, json!({"metadata": metadata, "status": status})).unwrap()
        };
        let one = deployment("1", "NewReplicaSetCreated", "False");
        assert!(one.same_content(&deployment("2", "NewReplicaSetAvailable", "False")));
        assert!(!one.same_content(&deployment("2", "NewReplicaSetCreated", "True")));
    }

    #[test]
    fn when_only_the_status_moved_then_an_object_asks_the_same() {
        let cluster = |version: &str, tags: &str, count: i64| {
            let metadata = json!({"name": "n", "namespace": "a", "uid": "u", "resourceVersion": version});
            let spec = json!({"tags": [{"key": tags}]});
            let status = json!({"activeServicesCount": count});
            Stored::accept(Kind::Cluster, json!({"metadata": metadata, "spec": spec, "status": status})).unwrap()
        };
        assert!(cluster("1", "a", 1).same_except_status(&cluster("2", "a", 2)));
        assert!(!cluster("1", "a", 1).same_except_status(&cluster("2", "b", 1)));
    }

    #[test]
    fn when_a_value_has_the_wrong_form_then_the_error_names_its_path() {
        #[derive(Debug, serde::Deserialize)]
        #[allow(dead_code)] // only the form matters here
        struct View {
            spec: Spec,
        }
        #[derive(Debug, serde::Deserialize)]
        #[allow(dead_code)] // only the form matters here
        struct Spec {
            replicas: i64,
        }
        let stored = Stored::accept(
            Kind::Deployment,
            json!({"metadata": {"name": "n", "namespace": "a"}, "spec": {"replicas": "two"}}),
        )
        .unwrap();
        let error = stored.decode::<View>().unwrap_err().to_string();
        assert!(error.starts_with("spec.replicas: invalid type"), "{error}");
    }
}
