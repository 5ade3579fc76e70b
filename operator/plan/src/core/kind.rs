//! The Kubernetes kinds the operator reads or writes, and the key that names one object.

use std::fmt;

use api::names::{GROUP, VERSION};

/// Where objects of a kind live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Namespace,
    Cluster,
}

/// What the operator does with objects of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Each is reconciled on its own.
    Root,
    /// They are made for a root, or read for one.
    Part,
}

/// Which objects of a kind a watch selects on the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Selection {
    Everything,
    /// Those that carry [`crate::core::labels::MANAGED_BY`].
    Managed,
}

/// Whether every API server serves a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    Always,
    /// Only where somebody installed it.
    WhereInstalled,
}

/// Whether objects of a kind change after they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Changing,
    WrittenOnce,
}

/// What is true of all objects of a kind: one row of the table below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    scope: Scope,
    role: Role,
    selection: Selection,
    presence: Presence,
    content: Content,
}

/// A custom resource of this project.
const fn custom(kind: &'static str, plural: &'static str) -> Row {
    Row { selection: Selection::Everything, ..builtin(GROUP, VERSION, kind, plural) }
}

/// A kind of somebody else's: in a namespace, a part, and watched where the operator made it.
const fn builtin(group: &'static str, version: &'static str, kind: &'static str, plural: &'static str) -> Row {
    Row {
        group,
        version,
        kind,
        plural,
        scope: Scope::Namespace,
        role: Role::Part,
        selection: Selection::Managed,
        presence: Presence::Always,
        content: Content::Changing,
    }
}

impl Row {
    const fn cluster_scoped(self) -> Self {
        Self { scope: Scope::Cluster, ..self }
    }

    const fn root(self) -> Self {
        Self { role: Role::Root, ..self }
    }

    const fn watched_whole(self) -> Self {
        Self { selection: Selection::Everything, ..self }
    }

    const fn where_installed(self) -> Self {
        Self { presence: Presence::WhereInstalled, ..self }
    }

    const fn written_once(self) -> Self {
        Self { content: Content::WrittenOnce, ..self }
    }
}

/// Makes the enum, the list of all kinds and the row of each from one table.
macro_rules! kinds {
    ($($(#[$documentation:meta])* $name:ident = $row:expr;)*) => {
        /// Every kind that is watched, in the order in which a plan usually touches them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[$documentation])* $name,)*
        }

        impl Kind {
            /// All kinds, each once.
            pub const ALL: [Self; [$(stringify!($name)),*].len()] = [$(Self::$name),*];

            const fn row(self) -> &'static Row {
                match self {
                    $(Self::$name => const { &$row },)*
                }
            }
        }
    };
}

kinds! {
    /// `ECSCluster`
    Cluster = custom("ECSCluster", "ecsclusters").root();
    /// `ECSCapacityProvider`
    CapacityProvider = custom("ECSCapacityProvider", "ecscapacityproviders").root().cluster_scoped();
    /// `ECSTaskDefinition`, the family
    TaskDefinition = custom("ECSTaskDefinition", "ecstaskdefinitions").root();
    /// `ECSTaskDefinitionRevision`, the immutable `family:N`
    TaskDefinitionRevision = custom("ECSTaskDefinitionRevision", "ecstaskdefinitionrevisions").written_once();
    /// `ECSService`
    Service = custom("ECSService", "ecsservices").root();
    /// `ECSServiceDeployment`, one per rollout
    ServiceDeployment = custom("ECSServiceDeployment", "ecsservicedeployments").written_once();
    /// `ECSScalableTarget`
    ScalableTarget = custom("ECSScalableTarget", "ecsscalabletargets").root();
    /// `apps/v1 Deployment`
    Deployment = builtin("apps", "v1", "Deployment", "deployments");
    /// `apps/v1 DaemonSet`: the tasks of a DAEMON service
    DaemonSet = builtin("apps", "v1", "DaemonSet", "daemonsets");
    /// `v1 Pod`: a task
    Pod = builtin("", "v1", "Pod", "pods");
    /// `v1 Service`; named so because `Service` is the ECS one here
    KubernetesService = builtin("", "v1", "Service", "services");
    /// `policy/v1 PodDisruptionBudget`
    PodDisruptionBudget = builtin("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets");
    /// `v1 ServiceAccount`: the identity of a task role
    ServiceAccount = builtin("", "v1", "ServiceAccount", "serviceaccounts");
    /// `networking.k8s.io/v1 NetworkPolicy`: what network mode `none` means
    NetworkPolicy = builtin("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies");
    /// `v1 PersistentVolumeClaim`
    PersistentVolumeClaim = builtin("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims");
    /// `v1 PersistentVolume`
    PersistentVolume =
        builtin("", "v1", "PersistentVolume", "persistentvolumes").root().cluster_scoped().written_once();
    /// `v1 ConfigMap`: the configuration of a log router
    ConfigMap = builtin("", "v1", "ConfigMap", "configmaps");
    /// `storage.k8s.io/v1 StorageClass`: one set of parameters of a managed volume
    StorageClass =
        builtin("storage.k8s.io", "v1", "StorageClass", "storageclasses").root().cluster_scoped().written_once();
    /// `snapshot.storage.k8s.io/v1 VolumeSnapshot`
    VolumeSnapshot =
        builtin("snapshot.storage.k8s.io", "v1", "VolumeSnapshot", "volumesnapshots").where_installed();
    /// `snapshot.storage.k8s.io/v1 VolumeSnapshotContent`
    VolumeSnapshotContent =
        builtin("snapshot.storage.k8s.io", "v1", "VolumeSnapshotContent", "volumesnapshotcontents")
            .root()
            .cluster_scoped()
            .written_once()
            .where_installed();
    /// `autoscaling/v2 HorizontalPodAutoscaler`
    HorizontalPodAutoscaler = builtin("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers");
    /// `v1 Node`: a container instance
    Node = builtin("", "v1", "Node", "nodes").root().cluster_scoped().watched_whole();
    /// `external-secrets.io/v1 ExternalSecret`: fetches the secrets of a deployment
    ExternalSecret =
        builtin("external-secrets.io", "v1", "ExternalSecret", "externalsecrets").where_installed();
    /// `secrets-store.csi.x-k8s.io/v1 SecretProviderClass`: what a container mounts to have its secrets
    SecretProviderClass =
        builtin("secrets-store.csi.x-k8s.io", "v1", "SecretProviderClass", "secretproviderclasses")
            .where_installed();
    /// `v1 Namespace`: its annotations hold what its administrator allows
    Namespace = builtin("", "v1", "Namespace", "namespaces").cluster_scoped().watched_whole();
}

impl Kind {
    /// API group; empty for the core group.
    #[must_use]
    pub const fn group(self) -> &'static str {
        self.row().group
    }

    /// API version inside the group.
    #[must_use]
    pub const fn version(self) -> &'static str {
        self.row().version
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
        self.row().kind
    }

    /// Lower-case plural as URLs and RBAC spell it.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        self.row().plural
    }

    /// Whether objects of this kind live in a namespace.
    #[must_use]
    pub const fn is_namespaced(self) -> bool {
        matches!(self.row().scope, Scope::Namespace)
    }

    /// Whether the kind is one of this project's custom resources.
    #[must_use]
    pub fn is_ours(self) -> bool {
        self.group() == GROUP
    }

    /// Whether objects of this kind are reconciled on their own. A `PersistentVolume` is one because it cannot be owned
    /// by anything in a namespace: somebody has to remove it after its claim. So is a `VolumeSnapshotContent`, and a
    /// `StorageClass`, after the services that made it. A `Node` is one because daemons have to leave it when it is drained.
    #[must_use]
    pub const fn is_root(self) -> bool {
        matches!(self.row().role, Role::Root)
    }

    /// Whether only objects that carry [`crate::core::labels::MANAGED_BY`] are of interest, so that a watch can select them on
    /// the server.
    #[must_use]
    pub const fn is_labelled(self) -> bool {
        matches!(self.row().selection, Selection::Managed)
    }

    /// Whether objects of this kind stay as they were made: records, and volumes and classes that are named by their
    /// content or that the server lets nobody change.
    #[must_use]
    pub const fn is_written_once(self) -> bool {
        matches!(self.row().content, Content::WrittenOnce)
    }

    /// Whether objects of this kind may be kept from going by [`FINALIZER`](crate::core::labels::FINALIZER): those that
    /// others name, and without which they would mean something else.
    #[must_use]
    pub const fn has_finalizer(self) -> bool {
        matches!(self, Self::Cluster | Self::CapacityProvider)
    }

    /// Whether the API server serves the kind only where somebody installed it. The operator watches it where it is
    /// served ([`crate::ClusterFeatures::serves`]), and does without it elsewhere.
    #[must_use]
    pub const fn is_optional(self) -> bool {
        matches!(self.row().presence, Presence::WhereInstalled)
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
