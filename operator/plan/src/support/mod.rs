//! The registry of every input field and how it acts today: honoured, approximated, without effect, refused, ignored.
//!
//! One list per document, in the order of the ECS API model. The planner reports from it ([`findings`], [`refusals`]), and
//! `docs/reference/support.md` and the last sentence of each description in the CRDs are generated from it, so that what is
//! documented is what is reported.
//!
//! # Paths
//! A path is relative to `spec`. `[]` stands for every item of a list: `containerDefinitions[].ulimits`. The keys of a map
//! of strings are data, so a map is one field.
//!
//! # Values
//! Where the level depends on the value, a field has [`Case`]s: `deploymentController.type` is honoured as `ECS` and
//! refused as `EXTERNAL`. A value that asks for what happens anyway (`assignPublicIp: DISABLED`) is a case at
//! [`Level::Honoured`], so that nobody gets a warning about nothing.

mod capacity_provider;
mod cluster;
mod container_definition;
mod container_linux;
mod explained;
mod field;
mod kubernetes;
mod predictive_scaling;
mod present;
mod reference;
mod scalable_target;
mod scaling_policy;
mod service;
mod service_connect;
mod service_deployment;
mod service_traffic;
mod service_volume;
mod task_definition;
mod volume;

use serde_json::Value;

pub use explained::{definitions, sentence};
pub use field::{Case, Field, Level};
pub use reference::reference;

use crate::core::kind::Kind;
use crate::core::report::{Finding, Refusal};
use present::Verdict;

/// A kind of input: the shape of one `spec`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Document {
    /// `ECSTaskDefinition`: RegisterTaskDefinition
    TaskDefinition,
    /// `ECSService`: CreateService and UpdateService
    Service,
    /// `ECSCluster`: CreateCluster and PutClusterCapacityProviders
    Cluster,
    /// `ECSCapacityProvider`: CreateCapacityProvider
    CapacityProvider,
    /// `ECSScalableTarget`: RegisterScalableTarget, PutScalingPolicy and PutScheduledAction
    ScalableTarget,
}

impl Document {
    /// Every document, each once.
    pub const ALL: [Self; 5] =
        [Self::TaskDefinition, Self::Service, Self::Cluster, Self::CapacityProvider, Self::ScalableTarget];

    /// The document of a kind; `None` for kinds that users do not write.
    #[must_use]
    pub const fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::TaskDefinition => Some(Self::TaskDefinition),
            Kind::Service => Some(Self::Service),
            Kind::Cluster => Some(Self::Cluster),
            Kind::CapacityProvider => Some(Self::CapacityProvider),
            Kind::ScalableTarget => Some(Self::ScalableTarget),
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
            | Kind::PersistentVolume
            | Kind::ConfigMap
            | Kind::StorageClass
            | Kind::VolumeSnapshot
            | Kind::VolumeSnapshotContent
            | Kind::HorizontalPodAutoscaler
            | Kind::Node
            | Kind::ExternalSecret
            | Kind::SecretProviderClass
            | Kind::Namespace => None,
        }
    }

    /// The member of `spec` that holds the ECS name; `None` for scalable targets, which are named by what they scale.
    #[must_use]
    pub const fn name_member(self) -> Option<&'static str> {
        match self {
            Self::TaskDefinition => Some("family"),
            Self::Service => Some("serviceName"),
            Self::Cluster => Some("clusterName"),
            Self::CapacityProvider => Some("name"),
            Self::ScalableTarget => None,
        }
    }

    fn parts(self) -> &'static [&'static [Field]] {
        match self {
            Self::TaskDefinition => task_definition::PARTS,
            Self::Service => service::PARTS,
            Self::Cluster => cluster::PARTS,
            Self::CapacityProvider => capacity_provider::PARTS,
            Self::ScalableTarget => scalable_target::PARTS,
        }
    }
}

/// Every input field of `document`, parents before their members.
pub fn fields(document: Document) -> impl Iterator<Item = &'static Field> {
    document.parts().iter().copied().flatten()
}

/// The registered field at `path`, which has `[]` for list items.
#[must_use]
pub fn field(document: Document, path: &str) -> Option<&'static Field> {
    present::index(document).get(path).copied()
}

/// What is set in `spec` and acts differently here, or not at all. Members are left out when their parent says the same.
#[must_use]
pub fn findings(document: Document, spec: &Value) -> Vec<Finding> {
    present::walk(document, spec, &[Level::Approximated, Level::NoEffect])
        .into_iter()
        .map(|Verdict { path, level, why }| Finding {
            path,
            is_approximated: level == Level::Approximated,
            why: why.to_owned(),
        })
        .collect()
}

/// `general` with what the values themselves brought to light. Of two findings on one field the `specific` one stays.
#[must_use]
pub fn merge(general: Vec<Finding>, specific: Vec<Finding>) -> Vec<Finding> {
    let is_specific = |finding: &Finding| specific.iter().any(|other| other.path == finding.path);
    let mut findings: Vec<_> = general.into_iter().filter(|finding| !is_specific(finding)).collect();
    findings.extend(specific);
    findings
}

/// What is set in `spec` and cannot be ignored without changing what the user relies on.
#[must_use]
pub fn refusals(document: Document, spec: &Value) -> Vec<Refusal> {
    present::walk(document, spec, &[Level::Refused])
        .into_iter()
        .map(|Verdict { path, why, .. }| Refusal {
            path: format!("spec.{path}"),
            exception: api::conditions::Reason::UnsupportedFeatureException,
            message: why.to_owned(),
        })
        .collect()
}
