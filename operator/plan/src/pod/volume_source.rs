//! What a volume of a Pod is made of.

use serde_json::{Value, json};

use super::static_volume::StaticVolume;

/// Longest name of a volume in a Pod.
pub(super) const LONGEST_NAME: usize = 63;

/// What a volume of a Pod is, and what has to be there for it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Source {
    /// Member of the volume: `emptyDir`, `hostPath`, `persistentVolumeClaim`, `ephemeral` …
    pub(super) kind: &'static str,
    pub(super) content: Value,
    /// Directory of the volume that its mounts show.
    pub(super) sub_path: Option<String>,
    /// Objects of the namespace that it needs.
    pub(super) shared: Vec<Value>,
    /// Objects outside of namespaces that it needs.
    pub(super) cluster_scoped: Vec<Value>,
}

impl Source {
    /// A source that needs nothing else.
    pub(super) fn of(kind: &'static str, content: Value) -> Self {
        Self { kind, content, sub_path: None, shared: Vec::new(), cluster_scoped: Vec::new() }
    }

    /// The same with another content.
    pub(super) fn with_content(self, content: Value) -> Self {
        Self { content, ..self }
    }

    /// A claim that is there or is made for it.
    pub(super) fn of_claim(name: &str, sub_path: Option<String>) -> Self {
        Self { sub_path, ..Self::of("persistentVolumeClaim", json!({"claimName": name})) }
    }

    /// A volume that somebody made outside of Kubernetes.
    pub(super) fn of_static(volume: &StaticVolume) -> Self {
        Self {
            shared: vec![volume.persistent_volume_claim()],
            cluster_scoped: vec![volume.persistent_volume()],
            ..Self::of_claim(volume.claim_name(), None)
        }
    }
}
