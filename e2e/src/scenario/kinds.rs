//! The kinds that scenarios apply and look at, with what is needed to ask for them without discovery.

use anyhow::{Context, Result};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};

/// Kind, `apiVersion`, plural, and whether its objects live in a namespace.
pub struct Known {
    /// Kind.
    pub kind: &'static str,
    api_version: &'static str,
    plural: &'static str,
    is_namespaced: bool,
}

const fn namespaced(kind: &'static str, api_version: &'static str, plural: &'static str) -> Known {
    Known { kind, api_version, plural, is_namespaced: true }
}

const fn cluster_scoped(kind: &'static str, api_version: &'static str, plural: &'static str) -> Known {
    Known { kind, api_version, plural, is_namespaced: false }
}

const OURS: &str = "ecs-operator.dev/v1alpha1";

/// Everything that a scenario may name.
pub const ALL: [Known; 28] = [
    namespaced("ECSCluster", OURS, "ecsclusters"),
    namespaced("ECSTaskDefinition", OURS, "ecstaskdefinitions"),
    namespaced("ECSTaskDefinitionRevision", OURS, "ecstaskdefinitionrevisions"),
    namespaced("ECSService", OURS, "ecsservices"),
    namespaced("ECSServiceDeployment", OURS, "ecsservicedeployments"),
    namespaced("ECSScalableTarget", OURS, "ecsscalabletargets"),
    namespaced("Deployment", "apps/v1", "deployments"),
    namespaced("DaemonSet", "apps/v1", "daemonsets"),
    namespaced("Pod", "v1", "pods"),
    namespaced("Service", "v1", "services"),
    namespaced("ServiceAccount", "v1", "serviceaccounts"),
    namespaced("PersistentVolumeClaim", "v1", "persistentvolumeclaims"),
    namespaced("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies"),
    namespaced("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets"),
    namespaced("HorizontalPodAutoscaler", "autoscaling/v2", "horizontalpodautoscalers"),
    // From here on, not watched unless asked for.
    namespaced("ReplicaSet", "apps/v1", "replicasets"),
    namespaced("Secret", "v1", "secrets"),
    namespaced("ExternalSecret", "external-secrets.io/v1", "externalsecrets"),
    namespaced("SecretProviderClass", "secrets-store.csi.x-k8s.io/v1", "secretproviderclasses"),
    namespaced("Event", "events.k8s.io/v1", "events"),
    namespaced("ConfigMap", "v1", "configmaps"),
    namespaced("VolumeSnapshot", "snapshot.storage.k8s.io/v1", "volumesnapshots"),
    cluster_scoped("VolumeSnapshotContent", "snapshot.storage.k8s.io/v1", "volumesnapshotcontents"),
    cluster_scoped("StorageClass", "storage.k8s.io/v1", "storageclasses"),
    cluster_scoped("Namespace", "v1", "namespaces"),
    cluster_scoped("ECSCapacityProvider", OURS, "ecscapacityproviders"),
    cluster_scoped("PersistentVolume", "v1", "persistentvolumes"),
    cluster_scoped("Node", "v1", "nodes"),
];

/// How many of [`ALL`] every scenario watches.
const WATCHED: usize = 15;

/// The kinds that every scenario watches in its namespace.
pub fn watched() -> impl Iterator<Item = &'static Known> {
    ALL.iter().take(WATCHED)
}

/// The kinds that the operator makes as children of what users write; revisions and service deployments included.
pub const CHILDREN: [&str; 11] = [
    "ECSTaskDefinitionRevision",
    "ECSServiceDeployment",
    "Deployment",
    "DaemonSet",
    "Pod",
    "Service",
    "ServiceAccount",
    "PersistentVolumeClaim",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "HorizontalPodAutoscaler",
];

impl Known {
    /// The entry of a kind.
    ///
    /// # Errors
    /// When it is not in the table.
    pub fn find(kind: &str) -> Result<&'static Self> {
        ALL.iter().find(|known| known.kind == kind).with_context(|| format!("{kind} is not in the table of kinds"))
    }

    /// What kube needs to ask for it.
    #[must_use]
    pub fn resource(&self) -> ApiResource {
        let (group, version) = self.api_version.split_once('/').unwrap_or(("", self.api_version));
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, self.kind), self.plural)
    }

    /// The objects of this kind: in the namespace if the kind has namespaces.
    #[must_use]
    pub fn api(&self, client: &Client, namespace: &str) -> Api<DynamicObject> {
        if self.is_namespaced {
            Api::namespaced_with(client.clone(), namespace, &self.resource())
        } else {
            Api::all_with(client.clone(), &self.resource())
        }
    }

    /// Whether objects live in a namespace.
    #[must_use]
    pub const fn is_namespaced(&self) -> bool {
        self.is_namespaced
    }
}
