//! What the operator works with where a cluster has it: one row for each, from which the chart's rights, the page
//! `docs/reference/integrations.md` and the report at the start are made.
//!
//! Nothing here is required. Without one of them something of ECS does not act, and the object that asks for it says so.

use std::fmt::Write as _;

use crate::core::facts::ClusterFeatures;
use crate::core::kind::Kind;
use crate::core::settings::{AlarmSource, ImageResolution, Settings};

/// Something outside of Kubernetes itself that the operator can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Integration {
    /// External Secrets Operator
    ExternalSecrets,
    /// Secrets Store CSI driver
    SecretsStoreCsi,
    /// The snapshot controller of Kubernetes CSI
    VolumeSnapshots,
    /// Group managed service accounts for Windows
    GroupManagedServiceAccounts,
    /// Image registries
    ImageRegistries,
    /// An Alertmanager
    Alertmanager,
    /// A scheduler with profiles that pack nodes
    BinpackScheduler,
}

/// What has to be there.
#[derive(Clone, Copy, Debug)]
pub enum Requirement {
    /// The API server serves these kinds, all of one group and version.
    Kinds(&'static [Kind]),
    /// The API server serves this `apiVersion`, of which the operator reads and writes nothing.
    ApiVersion(&'static str),
    /// A setting of the operator says so.
    Setting(fn(&Settings) -> bool),
}

/// What is true of an integration.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name, for people.
    pub name: &'static str,
    /// What has to be there.
    pub requires: Requirement,
    /// The value of the chart that turns it on; `None` where the operator uses it wherever it is served.
    pub chart_value: Option<&'static str>,
    /// What the operator makes of it.
    pub effect: &'static str,
    /// What is lost without it, and where that is said.
    pub without: &'static str,
    /// The words of the status of an object that asks for it in vain; where others say more, what they begin with.
    pub missing: &'static str,
}

/// What the operator does with objects of an optional kind.
const fn verbs(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::ExternalSecret | Kind::SecretProviderClass => &["get", "list", "watch", "create", "patch", "delete"],
        // Shared by services; the garbage collector removes them after their last owner.
        Kind::VolumeSnapshot => &["get", "list", "watch", "create", "patch"],
        Kind::VolumeSnapshotContent => &["get", "list", "watch", "create", "delete"],
        Kind::Cluster
        | Kind::CapacityProvider
        | Kind::TaskDefinition
        | Kind::TaskDefinitionRevision
        | Kind::Service
        | Kind::ServiceDeployment
        | Kind::ScalableTarget
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
        | Kind::HorizontalPodAutoscaler
        | Kind::Node
        | Kind::Namespace => &[],
    }
}

/// The API of GMSACredentialSpec objects.
const GMSA: &str = "windows.k8s.io/v1";

impl Integration {
    /// All of them, each once.
    pub const ALL: [Self; 7] = [
        Self::ExternalSecrets,
        Self::SecretsStoreCsi,
        Self::VolumeSnapshots,
        Self::GroupManagedServiceAccounts,
        Self::ImageRegistries,
        Self::Alertmanager,
        Self::BinpackScheduler,
    ];

    /// What is true of it.
    #[must_use]
    pub const fn row(self) -> &'static Row {
        match self {
            Self::ExternalSecrets => &Row {
                name: "External Secrets Operator",
                requires: Requirement::Kinds(&[Kind::ExternalSecret]),
                chart_value: Some("integrations.externalSecrets.enabled"),
                effect: "an ExternalSecret for each deployment fetches the `secrets` of its containers",
                without: "the Secrets that containers name must exist; `FieldsNotApplied` names each",
                missing: "the cluster does not serve external-secrets.io/v1",
            },
            Self::SecretsStoreCsi => &Row {
                name: "Secrets Store CSI driver",
                requires: Requirement::Kinds(&[Kind::SecretProviderClass]),
                chart_value: Some("integrations.secretsStoreCsi.enabled"),
                effect: "a SecretProviderClass for each deployment fetches the `secrets` of its containers",
                without: "the Secrets that containers name must exist; `FieldsNotApplied` names each",
                missing: "the cluster does not serve secrets-store.csi.x-k8s.io/v1",
            },
            Self::VolumeSnapshots => &Row {
                name: "CSI snapshot controller",
                requires: Requirement::Kinds(&[Kind::VolumeSnapshot, Kind::VolumeSnapshotContent]),
                chart_value: None,
                effect: "a VolumeSnapshot and its content fill volumes with `snapshotId`",
                without: "services with `snapshotId` are refused with `UnsupportedFeatureException`",
                missing: "the cluster does not serve snapshot.storage.k8s.io/v1: install the snapshot controller with its CRDs, \
                          or remove snapshotId for an empty volume",
            },
            Self::GroupManagedServiceAccounts => &Row {
                name: "Group managed service accounts for Windows",
                requires: Requirement::ApiVersion(GMSA),
                chart_value: None,
                effect: "Windows containers get the GMSACredentialSpec that stands for their `credentialSpecs`",
                without: "such containers have no identity in Active Directory; `FieldsNotApplied` says so",
                missing: "the cluster has no GMSACredentialSpec (windows.k8s.io/v1): the container has no identity in \
                          Active Directory",
            },
            Self::ImageRegistries => &Row {
                name: "Image registries",
                requires: Requirement::Setting(|settings| matches!(settings.images, ImageResolution::Registries(_))),
                chart_value: Some("imageResolution.enabled"),
                effect: "image tags are pinned to digests when a deployment starts (`versionConsistency`)",
                without: "tags are pulled at every start of a task; `FieldsNotApplied` says so",
                missing: "image resolution is off: tasks pull the tag at every start instead of one digest per deployment",
            },
            Self::Alertmanager => &Row {
                name: "Alertmanager",
                requires: Requirement::Setting(|settings| settings.alarms == AlarmSource::Configured),
                chart_value: Some("alarms.alertmanagerUrl"),
                effect: "firing alerts fail the deployments that name them (`deploymentConfiguration.alarms`)",
                without: "no alarm is watched; `FieldsNotApplied` says so",
                missing: "the operator has no Alertmanager (alarms.alertmanagerUrl of the chart): alarms are not monitored",
            },
            Self::BinpackScheduler => &Row {
                name: "Scheduler profiles that pack nodes",
                requires: Requirement::Setting(|settings| settings.has_binpack_profiles),
                chart_value: Some("scheduler.enabled"),
                effect: "tasks with placement strategy `binpack` fill one node before the next",
                without: "such tasks are only drawn together; `FieldsNotApplied` says so",
                missing: "no scheduler profile packs nodes: only the other strategies and constraints take effect",
            },
        }
    }

    /// Whether the cluster and the settings have what it requires.
    #[must_use]
    pub fn is_available(self, settings: &Settings) -> bool {
        match self.row().requires {
            Requirement::Kinds(_) | Requirement::ApiVersion(_) => self.is_served(&settings.facts),
            Requirement::Setting(is_set) => is_set(settings),
        }
    }

    /// Whether the API server serves what it requires; it requires nothing of it where a setting decides.
    #[must_use]
    pub fn is_served(self, features: &ClusterFeatures) -> bool {
        match self.row().requires {
            Requirement::Kinds(kinds) => kinds.iter().all(|kind| features.serves(&kind.api_version())),
            Requirement::ApiVersion(api_version) => features.serves(api_version),
            Requirement::Setting(_) => true,
        }
    }

    /// Whether any integration asks for this `apiVersion`: what else a cluster serves changes nothing for plans.
    #[must_use]
    pub fn asks_for(api_version: &str) -> bool {
        Self::ALL.into_iter().any(|integration| match integration.row().requires {
            Requirement::Kinds(kinds) => kinds.iter().any(|kind| kind.api_version() == api_version),
            Requirement::ApiVersion(asked) => asked == api_version,
            Requirement::Setting(_) => false,
        })
    }

    /// Whether the API server serves a kind: those that do not belong to an integration it always does.
    #[must_use]
    pub fn serves(features: &ClusterFeatures, kind: Kind) -> bool {
        Self::of(kind).is_none_or(|integration| integration.is_served(features))
    }

    /// The integration of an optional kind.
    #[must_use]
    pub fn of(kind: Kind) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.kinds().contains(&kind))
    }

    fn kinds(self) -> &'static [Kind] {
        match self.row().requires {
            Requirement::Kinds(kinds) => kinds,
            Requirement::ApiVersion(_) | Requirement::Setting(_) => &[],
        }
    }
}

/// The text of `docs/reference/integrations.md`.
#[must_use]
pub fn reference() -> String {
    let mut page = INTRODUCTION.to_owned();
    for integration in Integration::ALL {
        let row = integration.row();
        let requires = match row.requires {
            Requirement::Kinds(kinds) => {
                let kinds: Vec<String> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
                let version = integration.kinds().first().map(|kind| kind.api_version()).unwrap_or_default();
                format!("{} of `{version}`", kinds.join(" and "))
            }
            Requirement::ApiVersion(api_version) => format!("`{api_version}`"),
            Requirement::Setting(_) => "a setting".to_owned(),
        };
        let value = row.chart_value.map_or_else(|| "none: used where served".to_owned(), |value| format!("`{value}`"));
        // Writing to a string does not fail.
        let _ = writeln!(page, "| {} | {requires} | {value} | {} | {} |", row.name, row.effect, row.without);
    }
    page.push_str("\n## Rights\n\nThe chart gives the operator these rights beyond those that it needs anyway.\n\n");
    page.push_str("| kind | verbs | with |\n|---|---|---|\n");
    for integration in Integration::ALL {
        for kind in integration.kinds() {
            let with = integration.row().chart_value.map_or_else(|| "always".to_owned(), |value| format!("`{value}`"));
            let _ = writeln!(page, "| `{}.{}` | {} | {with} |", kind.plural(), kind.group(), verbs(*kind).join(", "));
        }
    }
    page
}

const INTRODUCTION: &str = "\
<!-- Generated by `UPDATE=1 cargo test -p plan --test integrations`; do not edit. -->

# Integrations

What the operator works with where a cluster has it. It looks every five minutes what the API server serves, and writes one
log line at the start with what it found. Objects that ask for something that is missing say so in their conditions.

| integration | requires | value of the chart | effect | without it |
|---|---|---|---|---|
";

/// The chart's template with the rights on optional kinds, and with the groups that are not used without a right to them.
#[must_use]
pub fn chart_rules() -> String {
    let mut text = String::from(
        "{{/* Generated by `UPDATE=1 cargo test -p plan --test integrations`; do not edit. */}}\n\n\
         {{/* Rules on kinds in namespaces that not every cluster has. */}}\n\
         {{- define \"ecs-operator.integrationNamespacedRules\" -}}\n",
    );
    rules(&mut text, true);
    text.push_str(
        "{{- end }}\n\n{{/* The same on kinds without a namespace. */}}\n\
         {{- define \"ecs-operator.integrationClusterRules\" -}}\n",
    );
    rules(&mut text, false);
    text.push_str(
        "{{- end }}\n\n\
         {{/* Groups that are not used even where the cluster serves them: the operator has no rights to them. */}}\n\
         {{- define \"ecs-operator.ignoredApiGroups\" -}}\n{{- $groups := list -}}\n",
    );
    for integration in Integration::ALL {
        if let (Some(value), Some(kind)) = (integration.row().chart_value, integration.kinds().first()) {
            let _ = writeln!(text, "{{{{- if not .Values.{value} -}}}}");
            let _ = writeln!(text, "{{{{- $groups = append $groups \"{}\" -}}}}\n{{{{- end -}}}}", kind.group());
        }
    }
    text.push_str("{{- join \",\" $groups -}}\n{{- end }}\n");
    text
}

fn rules(text: &mut String, is_namespaced: bool) {
    for integration in Integration::ALL {
        let kinds: Vec<&Kind> =
            integration.kinds().iter().filter(|kind| kind.is_namespaced() == is_namespaced).collect();
        if kinds.is_empty() {
            continue;
        }
        let row = integration.row();
        // Writing to a string does not fail.
        if let Some(value) = row.chart_value {
            let _ = writeln!(text, "{{{{- if .Values.{value} }}}}");
        }
        let _ = writeln!(text, "# {}.", row.name);
        for kind in kinds {
            let (group, plural, verbs) = (kind.group(), kind.plural(), verbs(*kind).join(", "));
            let _ = writeln!(text, "- apiGroups: [{group}]\n  resources: [{plural}]\n  verbs: [{verbs}]");
        }
        if row.chart_value.is_some() {
            text.push_str("{{- end }}\n");
        }
    }
}
