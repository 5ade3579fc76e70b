//! The Kubernetes kinds the operator reads or writes, and the key that names one object.

use std::fmt;

use api::names::{GROUP, VERSION};

/// Every kind that is watched, in the order in which a plan usually touches them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `ECSCluster`
    Cluster,
    /// `ECSCapacityProvider`
    CapacityProvider,
    /// `ECSTaskDefinition`, the family
    TaskDefinition,
    /// `ECSTaskDefinitionRevision`, the immutable `family:N`
    TaskDefinitionRevision,
    /// `ECSService`
    Service,
    /// `ECSServiceDeployment`, one per rollout
    ServiceDeployment,
    /// `ECSScalableTarget`
    ScalableTarget,
    /// `apps/v1 Deployment`
    Deployment,
    /// `apps/v1 DaemonSet`: the tasks of a DAEMON service
    DaemonSet,
    /// `v1 Pod`: a task
    Pod,
    /// `v1 Service`; named so because `Service` is the ECS one here
    KubernetesService,
    /// `policy/v1 PodDisruptionBudget`
    PodDisruptionBudget,
    /// `v1 ServiceAccount`: the identity of a task role
    ServiceAccount,
    /// `networking.k8s.io/v1 NetworkPolicy`: what network mode `none` means
    NetworkPolicy,
    /// `v1 PersistentVolumeClaim`
    PersistentVolumeClaim,
    /// `v1 PersistentVolume`
    PersistentVolume,
    /// `v1 ConfigMap`: the configuration of a log router
    ConfigMap,
    /// `storage.k8s.io/v1 StorageClass`: one set of parameters of a managed volume
    StorageClass,
    /// `snapshot.storage.k8s.io/v1 VolumeSnapshot`
    VolumeSnapshot,
    /// `snapshot.storage.k8s.io/v1 VolumeSnapshotContent`
    VolumeSnapshotContent,
    /// `autoscaling/v2 HorizontalPodAutoscaler`
    HorizontalPodAutoscaler,
    /// `v1 Node`: a container instance
    Node,
    /// `external-secrets.io/v1 ExternalSecret`: fetches the secrets of a deployment
    ExternalSecret,
    /// `secrets-store.csi.x-k8s.io/v1 SecretProviderClass`: what a container mounts to have its secrets
    SecretProviderClass,
    /// `v1 Namespace`: its annotations hold what its administrator allows
    Namespace,
}

impl Kind {
    /// All kinds, each once.
    pub const ALL: [Self; 25] = [
        Self::Cluster,
        Self::CapacityProvider,
        Self::TaskDefinition,
        Self::TaskDefinitionRevision,
        Self::Service,
        Self::ServiceDeployment,
        Self::ScalableTarget,
        Self::Deployment,
        Self::DaemonSet,
        Self::Pod,
        Self::KubernetesService,
        Self::PodDisruptionBudget,
        Self::ServiceAccount,
        Self::NetworkPolicy,
        Self::PersistentVolumeClaim,
        Self::PersistentVolume,
        Self::ConfigMap,
        Self::StorageClass,
        Self::VolumeSnapshot,
        Self::VolumeSnapshotContent,
        Self::HorizontalPodAutoscaler,
        Self::Node,
        Self::ExternalSecret,
        Self::SecretProviderClass,
        Self::Namespace,
    ];

    /// API group; empty for the core group.
    #[must_use]
    pub const fn group(self) -> &'static str {
        match self {
            Self::Deployment | Self::DaemonSet => "apps",
            Self::PodDisruptionBudget => "policy",
            Self::HorizontalPodAutoscaler => "autoscaling",
            Self::ExternalSecret => "external-secrets.io",
            Self::SecretProviderClass => "secrets-store.csi.x-k8s.io",
            Self::NetworkPolicy => "networking.k8s.io",
            Self::StorageClass => "storage.k8s.io",
            Self::VolumeSnapshot | Self::VolumeSnapshotContent => "snapshot.storage.k8s.io",
            Self::Pod
            | Self::KubernetesService
            | Self::ServiceAccount
            | Self::PersistentVolumeClaim
            | Self::PersistentVolume
            | Self::ConfigMap
            | Self::Node
            | Self::Namespace => "",
            _ => GROUP,
        }
    }

    /// API version inside the group.
    #[must_use]
    pub const fn version(self) -> &'static str {
        match self {
            Self::HorizontalPodAutoscaler => "v2",
            kind if kind.is_ours() => VERSION,
            _ => "v1",
        }
    }

    /// `apiVersion` as manifests spell it.
    #[must_use]
    pub fn api_version(self) -> String {
        match self.group() {
            "" => self.version().to_owned(),
            group => format!("{group}/{}", self.version()),
        }
    }

    /// `kind` as manifests spell it.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Cluster => "ECSCluster",
            Self::CapacityProvider => "ECSCapacityProvider",
            Self::TaskDefinition => "ECSTaskDefinition",
            Self::TaskDefinitionRevision => "ECSTaskDefinitionRevision",
            Self::Service => "ECSService",
            Self::ServiceDeployment => "ECSServiceDeployment",
            Self::ScalableTarget => "ECSScalableTarget",
            Self::Deployment => "Deployment",
            Self::DaemonSet => "DaemonSet",
            Self::Pod => "Pod",
            Self::KubernetesService => "Service",
            Self::PodDisruptionBudget => "PodDisruptionBudget",
            Self::ServiceAccount => "ServiceAccount",
            Self::NetworkPolicy => "NetworkPolicy",
            Self::PersistentVolumeClaim => "PersistentVolumeClaim",
            Self::PersistentVolume => "PersistentVolume",
            Self::ConfigMap => "ConfigMap",
            Self::StorageClass => "StorageClass",
            Self::VolumeSnapshot => "VolumeSnapshot",
            Self::VolumeSnapshotContent => "VolumeSnapshotContent",
            Self::HorizontalPodAutoscaler => "HorizontalPodAutoscaler",
            Self::Node => "Node",
            Self::ExternalSecret => "ExternalSecret",
            Self::SecretProviderClass => "SecretProviderClass",
            Self::Namespace => "Namespace",
        }
    }

    /// Lower-case plural as URLs and RBAC spell it.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Cluster => "ecsclusters",
            Self::CapacityProvider => "ecscapacityproviders",
            Self::TaskDefinition => "ecstaskdefinitions",
            Self::TaskDefinitionRevision => "ecstaskdefinitionrevisions",
            Self::Service => "ecsservices",
            Self::ServiceDeployment => "ecsservicedeployments",
            Self::ScalableTarget => "ecsscalabletargets",
            Self::Deployment => "deployments",
            Self::DaemonSet => "daemonsets",
            Self::Pod => "pods",
            Self::KubernetesService => "services",
            Self::PodDisruptionBudget => "poddisruptionbudgets",
            Self::ServiceAccount => "serviceaccounts",
            Self::NetworkPolicy => "networkpolicies",
            Self::PersistentVolumeClaim => "persistentvolumeclaims",
            Self::PersistentVolume => "persistentvolumes",
            Self::ConfigMap => "configmaps",
            Self::StorageClass => "storageclasses",
            Self::VolumeSnapshot => "volumesnapshots",
            Self::VolumeSnapshotContent => "volumesnapshotcontents",
            Self::HorizontalPodAutoscaler => "horizontalpodautoscalers",
            Self::Node => "nodes",
            Self::ExternalSecret => "externalsecrets",
            Self::SecretProviderClass => "secretproviderclasses",
            Self::Namespace => "namespaces",
        }
    }

    /// Whether objects of this kind live in a namespace.
    #[must_use]
    pub const fn is_namespaced(self) -> bool {
        !matches!(
            self,
            Self::CapacityProvider
                | Self::PersistentVolume
                | Self::StorageClass
                | Self::VolumeSnapshotContent
                | Self::Node
                | Self::Namespace
        )
    }

    /// Whether the kind is one of this project's custom resources.
    #[must_use]
    pub const fn is_ours(self) -> bool {
        matches!(
            self,
            Self::Cluster
                | Self::CapacityProvider
                | Self::TaskDefinition
                | Self::TaskDefinitionRevision
                | Self::Service
                | Self::ServiceDeployment
                | Self::ScalableTarget
        )
    }

    /// Whether objects of this kind are reconciled on their own. A `PersistentVolume` is one because it cannot be owned
    /// by anything in a namespace: somebody has to remove it after its claim. So is a `VolumeSnapshotContent`. A `Node` is
    /// one because daemons have to leave it when it is drained.
    #[must_use]
    pub const fn is_root(self) -> bool {
        matches!(
            self,
            Self::Cluster
                | Self::CapacityProvider
                | Self::TaskDefinition
                | Self::Service
                | Self::ScalableTarget
                | Self::PersistentVolume
                | Self::VolumeSnapshotContent
                | Self::Node
        )
    }

    /// Whether only objects that carry [`crate::core::labels::MANAGED_BY`] are of interest, so that a watch can select them on
    /// the server.
    #[must_use]
    pub const fn is_labelled(self) -> bool {
        !self.is_ours() && !matches!(self, Self::Node | Self::Namespace)
    }

    /// Whether objects of this kind stay as they were made: records, and volumes and classes that are named by their
    /// content or that the server lets nobody change.
    #[must_use]
    pub const fn is_written_once(self) -> bool {
        matches!(
            self,
            Self::TaskDefinitionRevision
                | Self::ServiceDeployment
                | Self::PersistentVolume
                | Self::StorageClass
                | Self::VolumeSnapshotContent
        )
    }

    /// Whether the API server serves the kind only where somebody installed it. The operator watches it where it is
    /// served ([`crate::Facts::serves`]), and does without it elsewhere.
    #[must_use]
    pub const fn is_optional(self) -> bool {
        matches!(
            self,
            Self::ExternalSecret | Self::SecretProviderClass | Self::VolumeSnapshot | Self::VolumeSnapshotContent
        )
    }

    /// The kind with this `apiVersion` and `kind`, if the operator knows it.
    #[must_use]
    pub fn from_type(api_version: &str, kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.kind() == kind && known.api_version() == api_version)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.kind())
    }
}

/// Names one object of one kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// The kind.
    pub kind: Kind,
    /// The namespace; `None` exactly for cluster-scoped kinds.
    pub namespace: Option<String>,
    /// `metadata.name`
    pub name: String,
}

impl ObjectKey {
    /// A key in a namespace.
    #[must_use]
    pub fn namespaced(kind: Kind, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind, namespace: Some(namespace.into()), name: name.into() }
    }

    /// A key of a cluster-scoped kind.
    #[must_use]
    pub fn cluster_scoped(kind: Kind, name: impl Into<String>) -> Self {
        Self { kind, namespace: None, name: name.into() }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(formatter, "{} {namespace}/{}", self.kind, self.name),
            None => write!(formatter, "{} {}", self.kind, self.name),
        }
    }
}
