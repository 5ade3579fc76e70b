//! Whether the administrator of a namespace still gives what a service revision was frozen with.
//!
//! Fields of a document are asked about where they are translated. A frozen revision is not translated again: it may be of
//! a time when more was allowed, or of somebody who wrote it in the operator's place. So what it would make is looked at as
//! it stands, object by object, before a deployment starts from it and before anything is created for one.
//!
//! | looked at | asked for |
//! |---|---|
//! | pod template | namespaces, paths and profiles of the node, NFS exports, classes, labels of nodes |
//! | ServiceAccount | the role that it carries |
//! | ExternalSecret, SecretProviderClass | each secret that it fetches, and the store |
//! | PersistentVolume, VolumeSnapshotContent | the file system, share or snapshot behind it |
//! | StorageClass | whether the namespace has not too many already |
//! | capacity providers | whether services of the namespace may use them, and tolerate what they tolerate |
//!
//! What is not as the operator makes it is refused whatever the annotations say.

mod children;
mod classes;
mod nodes;
mod template;

use api::conditions::Reason;
use serde_json::Value;

use crate::capacity::CapacityPart;
use crate::core::policy::NamespacePolicy;
use crate::core::report::Refusal;
use crate::core::right::Right;
use crate::core::world::World;

/// A service revision as it was frozen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frozen<'a> {
    /// Pod template.
    pub(crate) template: &'a Value,
    /// Objects of the namespace.
    pub(crate) shared: &'a [Value],
    /// Objects outside of namespaces.
    pub(crate) cluster_scoped: &'a [Value],
    /// Where its tasks run.
    pub(crate) capacity: &'a [CapacityPart],
}

/// What a part of a revision comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    /// It needs this.
    Right(Right),
    /// The operator makes nothing like it.
    Foreign(String),
    /// It is somebody else's to say who has it, and he says no.
    Refused(String),
}

/// A part, by its path in the revision.
type Found = (String, Asked);

/// Why a deployment may not start from a revision in `namespace`; empty when it may.
pub(crate) fn refusals(world: &dyn World, namespace: &str, frozen: Frozen<'_>) -> Vec<Refusal> {
    let policy = NamespacePolicy::of(world, namespace);
    let mut found = template::of(frozen.template, namespace, frozen.shared);
    found.extend(children::of(frozen, namespace, &policy));
    found.extend(classes::of(world, namespace, frozen.cluster_scoped));
    found.extend(nodes::of(world, namespace, &policy, frozen.capacity));
    let refuse = |(path, asked): Found| {
        let message = match asked {
            Asked::Right(right) => policy.refusal(namespace, &right)?,
            Asked::Foreign(what) => format!("{what}: the operator makes nothing like it"),
            Asked::Refused(message) => message,
        };
        Some(Refusal { path, exception: Reason::AccessDeniedException, message: crate::core::text::line(&message) })
    };
    found.into_iter().filter_map(refuse).collect()
}

/// What the services of a namespace may not say, by the member of `spec` that says it. What it makes of the pods is asked
/// for with the revision.
pub(crate) fn refuse(policy: &NamespacePolicy, namespace: &str, asked: Vec<(String, Right)>) -> Vec<Refusal> {
    let refuse = |(path, right): (String, Right)| {
        let message = crate::core::text::line(&policy.refusal(namespace, &right)?);
        Some(Refusal { path: crate::core::text::line(&path), exception: Reason::AccessDeniedException, message })
    };
    asked.into_iter().filter_map(refuse).collect()
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Whether an object has no members but these.
fn has_only(object: Option<&Value>, members: &[&str]) -> bool {
    let object = object.and_then(Value::as_object);
    object.is_none_or(|object| object.keys().all(|name| members.contains(&name.as_str())))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use api::service::ServiceVolumeConfiguration;
    use api::task_definition::TaskDefinitionSpec;
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::core::facts::ClusterFeatures;
    use crate::core::kind::Kind;
    use crate::core::store::Stored;
    use crate::core::world::MemoryWorld;
    use crate::pod::{TaskInput, pod};

    /// What is read of the cases of the golden test.
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Case {
        #[serde(default)]
        is_fargate: bool,
        #[serde(default)]
        volume_configurations: Vec<ServiceVolumeConfiguration>,
        #[serde(default)]
        served: BTreeSet<String>,
        #[serde(default)]
        namespace_annotations: Value,
        task_definition: TaskDefinitionSpec,
    }

    #[test]
    fn what_is_made_of_a_definition_passes_with_the_same_annotations_and_needs_them() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/task");
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut looked_at = 0;
        for path in files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")) {
            let case: Case = serde_saphyr::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            let annotations = case.namespace_annotations;
            let policy = NamespacePolicy::from_annotations(Some(&annotations));
            let facts = ClusterFeatures { served: case.served, ..ClusterFeatures::default() };
            let Ok(pod) = pod(&TaskInput {
                task_definition: &case.task_definition,
                volume_configurations: &case.volume_configurations,
                is_fargate: case.is_fargate,
                deployment: "1",
                namespace: "shop",
                facts: &facts,
                policy: &policy,
            }) else {
                continue;
            };
            let template = json!({"metadata": {"annotations": pod.annotations}, "spec": pod.spec});
            let asked = |annotations: &Value| {
                let namespace = json!({"metadata": {"name": "shop", "annotations": annotations}});
                let mut world = MemoryWorld::default();
                world.insert(Stored::accept(Kind::Namespace, namespace).unwrap());
                let frozen = Frozen {
                    template: &template,
                    shared: &pod.shared,
                    cluster_scoped: &pod.cluster_scoped,
                    capacity: &[],
                };
                refusals(&world, "shop", frozen)
            };
            assert_eq!(asked(&annotations), [], "{}", path.display());
            let lists = annotations.as_object().into_iter().flatten();
            // Where nobody fetches them, secrets need no permission.
            let fetches = !path.ends_with("secrets-of-a-store-that-is-gone.yaml");
            let used = |list: &&String| fetches && list.contains("/allowed-");
            let used: Vec<&String> = lists.map(|(list, _)| list).filter(used).collect();
            for list in used {
                let mut fewer = annotations.clone();
                fewer.as_object_mut().unwrap().remove(list);
                assert_ne!(asked(&fewer), [], "{} without {list}", path.display());
            }
            looked_at += 1;
        }
        assert!(looked_at > 40);
    }
}
