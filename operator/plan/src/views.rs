//! Which views plans read of each kind: they are decoded when an object arrives, so that no plan has to.

use crate::cluster::ServiceCounts;
use crate::core::kind::Kind;
use crate::core::policy::NamespacePolicy;
use crate::core::store::{DecodeError, Stored};
use crate::nodes::instance::Instance;
use crate::pod::observe::PodView;
use crate::service::{CheckedSpec, DaemonSetView, Record, WorkloadView};
use crate::task_definition::Revision;

/// Decodes what plans will read of an object. It is kept with the object, an error as well: plans go without the object
/// then, so somebody should say it.
///
/// # Errors
/// [`DecodeError`] when the object does not have the form of its kind, in the words that plans get.
pub fn prepare(stored: &Stored) -> Result<(), DecodeError> {
    match stored.key.kind {
        Kind::Pod => stored.view::<PodView>().map(drop),
        Kind::Node => stored.view::<Instance>().map(drop),
        Kind::Deployment => stored.view::<WorkloadView>().map(drop),
        Kind::DaemonSet => stored.view::<DaemonSetView>().map(drop),
        Kind::ServiceDeployment => stored.view::<Record>().map(drop),
        Kind::TaskDefinitionRevision => stored.view::<Revision>().map(drop),
        Kind::Namespace => stored.view::<NamespacePolicy>().map(drop),
        // A service that cannot be decoded says so in its own status.
        Kind::Service => {
            let _ = (stored.view::<CheckedSpec>(), stored.view::<ServiceCounts>());
            Ok(())
        }
        // Read by few plans or seldom, and decoded there.
        Kind::Cluster
        | Kind::CapacityProvider
        | Kind::TaskDefinition
        | Kind::ScalableTarget
        | Kind::KubernetesService
        | Kind::PodDisruptionBudget
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
        | Kind::SecretProviderClass => Ok(()),
    }
}
