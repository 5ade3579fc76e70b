//! Conditions: what is true of an object now, in the form that `kubectl wait`, Helm, Argo CD and Flux understand.
//!
//! [`Reason`] is the one spelling of a reason for condition, event and metric.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Value, json};

macro_rules! spelled_enum {
    ($(#[$outer:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$inner])* $variant,)+
        }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The spelling in conditions, events and metrics.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownSpelling;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text).ok_or(UnknownSpelling)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(|_| de::Error::unknown_variant(&text, &[]))
            }
        }
    };
}

/// A word that is not a condition type or reason of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownSpelling;

impl std::fmt::Display for UnknownSpelling {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("unknown condition type or reason")
    }
}

impl std::error::Error for UnknownSpelling {}

spelled_enum! {
    /// Type of a condition.
    ConditionType {
        /// The object is in the state that its spec asks for: the summary to wait for.
        Ready,
        /// Work is in progress; absent or False once settled (kstatus).
        Reconciling,
        /// Nothing happens until somebody changes something (kstatus).
        Stalled,
        /// The spec is valid: False carries the ECS exception that the ECS API would have thrown.
        Accepted,
        /// True: the message lists the fields that are set and have no effect, or an approximate one.
        FieldsNotApplied,
        /// The service runs as many tasks as desired and no deployment is in progress.
        SteadyState,
        /// The bounds of the deployment leave no room to start or stop a task.
        DeploymentStuck,
        /// Every secret that a container references exists.
        SecretsResolved,
        /// Scaling policies act on the service.
        ScalingActive,
        /// The capacity provider has nodes to place tasks on.
        CapacityAvailable,
        /// Deletion waits until no other object uses this one.
        DeletionBlocked,
        /// Image tags of the deployment are resolved to digests.
        ImagesResolved,
        /// The deployment waits for tasks that are protected from scale-in.
        DeploymentBlocked,
        /// Placement settings have changed and apply from the next deployment on.
        PlacementPending,
    }
}

spelled_enum! {
    /// Reason for the status of a condition: one closed list for conditions, events and metrics.
    Reason {
        /// The operator has not looked at the object yet.
        Pending,
        /// The input is refused, so nothing is known of what it would come to.
        NotJudged,
        /// The last reconcile completed.
        ReconcileCompleted,
        /// Child objects are being brought to the state that the spec asks for.
        Progressing,
        /// A deployment replaces tasks.
        DeploymentInProgress,
        /// The last deployment failed.
        DeploymentFailed,
        /// Running tasks equal desired tasks and nothing is pending.
        SteadyState,
        /// Running tasks differ from desired tasks.
        NotSteady,
        /// The spec passed every check.
        Accepted,
        /// ECS exception: a parameter is outside of what the API allows.
        InvalidParameterException,
        /// ECS exception: the request contradicts itself or names something unusable.
        ClientException,
        /// ECS exception: the feature does not exist here.
        UnsupportedFeatureException,
        /// ECS exception: an administrator has to allow it first.
        AccessDeniedException,
        /// ECS exception: the task definition cannot run on the requested platform. Reserved: this version never
        /// reports it.
        PlatformTaskDefinitionIncompatibilityException,
        /// Application Auto Scaling exception: a parameter is outside of what the API allows.
        ValidationException,
        /// ECS exception: the cluster does not exist.
        ClusterNotFoundException,
        /// ECS exception: the service does not exist.
        ServiceNotFoundException,
        /// No task definition family or revision of that name exists.
        TaskDefinitionNotFound,
        /// The task definition revision is INACTIVE, so nothing new may use it.
        TaskDefinitionInactive,
        /// No capacity provider of that name exists.
        CapacityProviderNotFound,
        /// The capacity provider does not allow the namespace that names it.
        CapacityProviderNotAllowed,
        /// Services or tasks still use the capacity provider.
        CapacityProviderInUse,
        /// The task definition has no container of that name.
        ContainerNotFound,
        /// A volume is configured at launch and the service does not configure it.
        VolumeConfigurationMissing,
        /// A secret, or its key, does not exist.
        SecretNotFound,
        /// Kubernetes has no equivalent of the field.
        NoKubernetesEquivalent,
        /// Every field that is set has its effect.
        AllFieldsApplied,
        /// Minimum healthy and maximum percent allow neither a start nor a stop.
        BoundsLeaveNoRoom,
        /// The deployment bounds leave room.
        NotStuck,
        /// ECS stop reason: an image cannot be pulled.
        CannotPullContainerError,
        /// ECS stop reason: a container cannot be created.
        CannotCreateContainerError,
        /// ECS stop reason: a container cannot be started.
        CannotStartContainerError,
        /// ECS stop reason: network, storage, secret or log set-up of a task failed.
        ResourceInitializationError,
        /// ECS stop code: an essential container exited.
        EssentialContainerExited,
        /// ECS stop code: a task never reached RUNNING.
        TaskFailedToStart,
        /// ECS stop code: the scheduler of the service stopped a task, for failed health checks.
        ServiceSchedulerInitiated,
        /// No node meets the requirements of a task.
        TaskPlacementFailure,
        /// The API server or an admission policy denies the pods or another child.
        AdmissionDenied,
        /// Scaling policies are in effect.
        ScalingActive,
        /// The scalable target suspends its scaling.
        ScalingSuspended,
        /// The metrics or the controller that a scaling policy needs are missing.
        ScalingUnavailable,
        /// At least one node belongs to the capacity provider.
        NodesAvailable,
        /// No node belongs to the capacity provider.
        NoMatchingNodes,
        /// Other objects refer to this one.
        InUse,
        /// Another object in the namespace already has this ECS name.
        NameTaken,
        /// A record of a deployment cannot be read: a newer version of the operator wrote it, or somebody edited it.
        DeploymentUnreadable,
        /// An object with the name of a child exists and has another owner.
        ConflictingObject,
        /// The object is being deleted.
        Deleting,
        /// Every referenced secret exists.
        SecretsResolved,
        /// A deployment waits for registries to resolve its image tags to digests.
        ResolvingImages,
        /// Every image tag of the deployment is pinned to a digest.
        ImagesResolved,
        /// A registry did not resolve a tag to a digest: tasks pull the tag at every start.
        ImageDigestUnresolved,
        /// Task starts are slowed down after repeated failures.
        Throttled,
        /// Tasks fail to start or to stay healthy again and again.
        TaskStartImpaired,
        /// The circuit breaker failed the deployment: the number of failed tasks reached its threshold.
        CircuitBreakerTriggered,
        /// An alarm failed the deployment.
        AlarmTriggered,
        /// The state of an alarm of the deployment cannot be determined.
        AlarmsUnknown,
        /// Rolls the service back to the last completed deployment.
        RollingBack,
        /// A rollback was due, but no deployment ever completed.
        NoRollbackCandidate,
        /// Somebody stopped the deployment.
        DeploymentStopped,
        /// The requested service revision is not among the deployments of the service.
        ServiceRevisionNotFound,
        /// All new tasks are healthy, and alarms are monitored until the bake time is over.
        Baking,
        /// Tasks that are protected from scale-in block the deployment.
        TasksProtected,
        /// No protected task blocks a deployment.
        NotBlocked,
        /// Placement settings changed and apply from the next deployment on.
        PlacementPendingNextDeployment,
        /// Running tasks are placed by the current settings.
        PlacementApplied,
        /// Nodes with tasks are draining: their tasks are replaced elsewhere.
        InstancesDraining,
    }
}

/// Status of a condition, spelled as in every Kubernetes API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// The condition holds.
    True,
    /// The condition does not hold.
    False,
    /// Unknown.
    Unknown,
}

impl From<bool> for ConditionStatus {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

/// A condition of the object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Type of the condition, for example Ready.
    #[serde(rename = "type")]
    #[schemars(schema_with = "type_schema")]
    pub type_: ConditionType,
    /// True, False or Unknown.
    pub status: ConditionStatus,
    /// `metadata.generation` of the spec that this condition describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// Time when the status last changed; a new reason or message does not change it.
    pub last_transition_time: Time,
    /// Reason in CamelCase, stable for scripts and alerts.
    #[schemars(schema_with = "reason_schema")]
    pub reason: Reason,
    /// Human-readable message with field paths and names.
    #[schemars(length(max = 32768))]
    pub message: String,
}

// The schema is open where the Rust type is closed: a newer operator may write a word that an older CRD does not know.
fn type_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "minLength": 1, "maxLength": 316, "pattern": "^[A-Za-z][A-Za-z0-9_.-]*$" })
}

fn reason_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "minLength": 1, "maxLength": 1024, "pattern": "^[A-Za-z][A-Za-z0-9_]*$" })
}

/// The status of an object that nobody has looked at yet, as the default that the server gives to it.
///
/// Tools that wait, such as Helm and Flux, take an object without conditions for finished.
#[must_use]
pub fn pending() -> Value {
    let unknown = |type_| Condition {
        type_,
        status: ConditionStatus::Unknown,
        observed_generation: None,
        // A default is a constant: nobody knows when the object was made.
        last_transition_time: Time(k8s_openapi::jiff::Timestamp::UNIX_EPOCH),
        reason: Reason::Pending,
        message: "waiting for the operator".to_owned(),
    };
    json!({ "conditions": [unknown(ConditionType::Accepted), unknown(ConditionType::Ready)] })
}

/// Puts `new` among `conditions`, which stay sorted by type.
///
/// `lastTransitionTime` moves only when the status changes: a condition that was True since 10:00 and is set to True at
/// 10:05 with another message keeps 10:00.
pub fn set(conditions: &mut Vec<Condition>, mut new: Condition) {
    match conditions.iter_mut().find(|old| old.type_ == new.type_) {
        Some(old) => {
            if old.status == new.status {
                new.last_transition_time = old.last_transition_time.clone();
            }
            *old = new;
        }
        None => conditions.push(new),
    }
    conditions.sort_by_key(|condition| condition.type_.as_str());
}

/// The condition of type `type_`, if it was ever set.
#[must_use]
pub fn get(conditions: &[Condition], type_: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Removes the condition of type `type_`.
pub fn remove(conditions: &mut Vec<Condition>, type_: ConditionType) {
    conditions.retain(|condition| condition.type_ != type_);
}

/// Reads conditions and skips those that this version does not know: `#[serde(default, deserialize_with =
/// "conditions::known")]`.
///
/// Another version of the operator, or a person, may have written them; that must not make the object unreadable. They
/// disappear with the next status write.
///
/// # Errors
/// When the value is neither a list nor null.
pub fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Condition>, D::Error> {
    let items = Option::<Vec<Value>>::deserialize(deserializer)?.unwrap_or_default();
    Ok(items.into_iter().filter_map(|item| serde_json::from_value(item).ok()).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn time(text: &str) -> Time {
        serde_json::from_value(Value::from(text)).unwrap()
    }

    fn condition(type_: ConditionType, status: ConditionStatus, at: &str, message: &str) -> Condition {
        Condition {
            type_,
            status,
            observed_generation: Some(3),
            last_transition_time: time(at),
            reason: Reason::Progressing,
            message: message.to_owned(),
        }
    }

    fn assert_spelling<'a>(words: impl Iterator<Item = &'a str>) {
        let mut seen = BTreeSet::new();
        for word in words {
            assert!(seen.insert(word), "{word} twice");
            assert!(word.starts_with(|first: char| first.is_ascii_uppercase()), "{word}");
            assert!(word.chars().all(|letter| letter.is_ascii_alphanumeric()), "{word}");
        }
    }

    #[test]
    fn spellings_are_unique_and_camel_case() {
        assert_spelling(Reason::ALL.iter().map(|reason| reason.as_str()));
        assert_spelling(ConditionType::ALL.iter().map(|type_| type_.as_str()));
    }

    #[test]
    fn a_reason_is_written_and_read_by_its_one_spelling() {
        for reason in Reason::ALL {
            let text = serde_json::to_string(reason).unwrap();
            assert_eq!(text, format!("\"{reason}\""));
            assert_eq!(serde_json::from_str::<Reason>(&text).unwrap(), *reason);
        }
        assert!(serde_json::from_str::<Reason>("\"Sunny\"").is_err());
    }

    #[test]
    fn when_only_the_message_changes_then_the_transition_time_stays() {
        let mut conditions = Vec::new();
        set(&mut conditions, condition(ConditionType::Ready, ConditionStatus::True, "2026-01-01T10:00:00Z", "a"));
        set(&mut conditions, condition(ConditionType::Ready, ConditionStatus::True, "2026-01-01T10:05:00Z", "b"));
        let ready = get(&conditions, ConditionType::Ready).unwrap();
        assert_eq!((ready.last_transition_time.clone(), ready.message.as_str()), (time("2026-01-01T10:00:00Z"), "b"));
    }

    #[test]
    fn when_the_status_changes_then_the_transition_time_moves() {
        let mut conditions = Vec::new();
        set(&mut conditions, condition(ConditionType::Ready, ConditionStatus::True, "2026-01-01T10:00:00Z", "a"));
        set(&mut conditions, condition(ConditionType::Ready, ConditionStatus::False, "2026-01-01T10:05:00Z", "a"));
        assert_eq!(conditions.len(), 1);
        assert_eq!(conditions[0].last_transition_time, time("2026-01-01T10:05:00Z"));
    }

    #[test]
    fn conditions_are_sorted_by_type_whatever_the_order_of_setting() {
        let mut conditions = Vec::new();
        for type_ in
            [ConditionType::Stalled, ConditionType::Accepted, ConditionType::Ready, ConditionType::DeploymentStuck]
        {
            set(&mut conditions, condition(type_, ConditionStatus::True, "2026-01-01T10:00:00Z", ""));
        }
        let order: Vec<_> = conditions.iter().map(|condition| condition.type_.as_str()).collect();
        assert_eq!(order, ["Accepted", "DeploymentStuck", "Ready", "Stalled"]);
        remove(&mut conditions, ConditionType::Ready);
        assert!(get(&conditions, ConditionType::Ready).is_none());
    }

    #[test]
    fn a_condition_is_written_as_kubernetes_writes_it() {
        let one = condition(ConditionType::Ready, ConditionStatus::True, "2026-01-01T10:00:00Z", "m");
        assert_eq!(
            serde_json::to_string(&one).unwrap(),
            r#"{"type":"Ready","status":"True","observedGeneration":3,"lastTransitionTime":"2026-01-01T10:00:00Z","reason":"Progressing","message":"m"}"#
        );
    }

    #[test]
    fn conditions_of_another_version_are_left_out_and_do_not_make_the_object_unreadable() {
        #[derive(Deserialize)]
        struct Status {
            #[serde(default, deserialize_with = "known")]
            conditions: Vec<Condition>,
        }
        let mut foreign =
            serde_json::to_value(condition(ConditionType::Ready, ConditionStatus::True, "2026-01-01T10:00:00Z", "m"))
                .unwrap();
        let own = foreign.clone();
        foreign["type"] = Value::from("Sunny");
        let status: Status = serde_json::from_value(serde_json::json!({ "conditions": [foreign, own] })).unwrap();
        assert_eq!(status.conditions.len(), 1);
        let status: Status = serde_json::from_value(serde_json::json!({ "conditions": null })).unwrap();
        assert!(status.conditions.is_empty());
    }
}
