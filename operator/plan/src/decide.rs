//! The one entry to planning.

use jiff::Timestamp;

use crate::core::kind::{Kind, ObjectKey};
use crate::core::op::Plan;
use crate::core::settings::Settings;
use crate::core::world::World;

/// What to do about one root now. A root that is not there any more needs nothing: its children have owner references.
#[must_use]
pub fn plan(world: &dyn World, root: &ObjectKey, settings: &Settings, now: Timestamp) -> Plan {
    match root.kind {
        Kind::Cluster => crate::cluster::plan(world, root, settings, now),
        Kind::CapacityProvider => crate::capacity_provider::plan(world, root, settings, now),
        Kind::TaskDefinition => crate::task_definition::plan(world, root, settings, now),
        Kind::Service => crate::service::plan(world, root, settings, now),
        Kind::ScalableTarget => crate::scalable_target::plan(world, root, settings, now),
        Kind::PersistentVolume | Kind::VolumeSnapshotContent => crate::persistent_volume::plan(world, root, now),
        Kind::StorageClass => crate::storage_class::plan(world, root, now),
        Kind::Node => crate::nodes::drain::plan(world, root),
        // Parts of a root: they are not planned by themselves.
        Kind::TaskDefinitionRevision
        | Kind::ServiceDeployment
        | Kind::Deployment
        | Kind::DaemonSet
        | Kind::Pod
        | Kind::KubernetesService
        | Kind::PodDisruptionBudget
        | Kind::ServiceAccount
        | Kind::NetworkPolicy
        | Kind::PersistentVolumeClaim
        | Kind::ConfigMap
        | Kind::VolumeSnapshot
        | Kind::HorizontalPodAutoscaler
        | Kind::ExternalSecret
        | Kind::SecretProviderClass
        | Kind::Namespace => Plan::default(),
    }
}
