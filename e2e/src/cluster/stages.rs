//! How KWOK plays nodes, pods and volumes.
//!
//! A pod on a KWOK node becomes ready at once. Annotations on the pod give it another fate; changing or removing one
//! changes the fate of the pod that runs. All start with `e2e.local/`:
//!
//! | annotation | value | what happens |
//! |---|---|---|
//! | `container` | name | the fates below concern only this container (default: all but native sidecars) |
//! | `start-delay` | `5s` | Pending with reason `ContainerCreating` for that long |
//! | `image-pull-error` | message | never starts: `ErrImagePull` with the message, 2 s later `ImagePullBackOff`; starts when removed |
//! | `config-error` | message | never starts: `CreateContainerConfigError`, such as `secret "x" not found`; starts when removed |
//! | `image-pull-error-for` | `5s` | how long the image cannot be pulled, from the pod's start; without it for ever |
//! | `start-error` | message | made but never started: `RunContainerError` after `StartError` with code 128; starts when removed |
//! | `exit-code` | `0`…`255` | ends with this code; then the pod's restart policy decides |
//! | `oom` | `true` | ends with code 137 and reason `OOMKilled` |
//! | `exit-after` | `3s` | how long it runs before it ends (default 1 s; also for Jobs that succeed) |
//! | `exit-times` | `2` | ends only this many times, then stays up |
//! | `crash-backoff` | `2s` | how long `CrashLoopBackOff` really lasts (default 5 s) |
//! | `unready` | `true` | runs but is not ready; ready again when removed |
//! | `unready-after` | `3s` | ready first, then not |
//! | `stop-delay` | `4s` | how long it takes to obey a deletion (default 0.2 s), at most the grace period |
//!
//! `exit-after`, `start-delay`, `image-pull-error-for` and `unready-after` count whole seconds and wait at least as long as they say. As under a
//! kubelet, the first exit restarts at once and only later ones show `CrashLoopBackOff`; a pod of restart policy `Never`
//! ends as `Failed` or `Succeeded`, and a container's own `restartPolicy` and `restartPolicyRules` count. Pods of a Job without `exit-code` succeed. Load for metrics-server is
//! `kwok.x-k8s.io/usage-cpu` and `kwok.x-k8s.io/usage-memory`, both quantities per container (default 1m and 1Mi).
//!
//! PersistentVolumeClaims of the default storage class `standard` are given a volume, as a CSI driver would, once a pod
//! that uses them is scheduled; the volume goes with its claim.

/// Says that KWOK plays a node.
pub const NODE_ANNOTATION: &str = "kwok.x-k8s.io/node";

/// The value of [`NODE_ANNOTATION`].
pub const NODE_VALUE: &str = "e2e";

/// What starts the name of every annotation that decides a pod's fate.
pub const PREFIX: &str = "e2e.local/";

/// Annotations that decide a pod's fate; the module's table says what each does.
pub mod fate {
    /// Only this container.
    pub const CONTAINER: &str = "e2e.local/container";
    /// Slow start.
    pub const START_DELAY: &str = "e2e.local/start-delay";
    /// Image cannot be pulled.
    pub const IMAGE_PULL_ERROR: &str = "e2e.local/image-pull-error";
    /// For how long it cannot.
    pub const IMAGE_PULL_ERROR_FOR: &str = "e2e.local/image-pull-error-for";
    /// Container cannot be started.
    pub const START_ERROR: &str = "e2e.local/start-error";
    /// Container cannot be configured.
    pub const CONFIG_ERROR: &str = "e2e.local/config-error";
    /// Ends with a code.
    pub const EXIT_CODE: &str = "e2e.local/exit-code";
    /// Runs out of memory.
    pub const OOM: &str = "e2e.local/oom";
    /// How long before it ends.
    pub const EXIT_AFTER: &str = "e2e.local/exit-after";
    /// How many times it ends.
    pub const EXIT_TIMES: &str = "e2e.local/exit-times";
    /// How long it backs off.
    pub const CRASH_BACKOFF: &str = "e2e.local/crash-backoff";
    /// Runs but is not ready.
    pub const UNREADY: &str = "e2e.local/unready";
    /// Ready first, then not.
    pub const UNREADY_AFTER: &str = "e2e.local/unready-after";
    /// Slow to stop.
    pub const STOP_DELAY: &str = "e2e.local/stop-delay";
    /// CPU in use by each container.
    pub const USAGE_CPU: &str = "kwok.x-k8s.io/usage-cpu";
}

const NODE: &str = include_str!("stages/node.yaml");
const POD_START: &str = include_str!("stages/pod-start.yaml");
const POD_RUN: &str = include_str!("stages/pod-run.yaml");
const POD_END: &str = include_str!("stages/pod-end.yaml");
const VOLUME: &str = include_str!("stages/volume.yaml");
const METRICS: &str = include_str!("stages/metrics.yaml");

/// The one template from which every pod stage computes the status.
const POD_STATUS: &str = include_str!("stages/pod-status.tpl");

/// Stands in a stage's template for [`POD_STATUS`].
const INCLUDE: &str = "#include pod-status.tpl";

/// KWOK's configuration file: every stage, and the metrics.
#[must_use]
pub fn configuration() -> String {
    let mut lines = Vec::new();
    for line in [NODE, POD_START, POD_RUN, POD_END, VOLUME, METRICS].join("---\n").lines() {
        if line.trim() == INCLUDE {
            let indent = line.len() - line.trim_start().len();
            let indent = " ".repeat(indent);
            lines.extend(POD_STATUS.lines().map(|line| format!("{indent}{line}")));
        } else {
            lines.push(line.to_owned());
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Names behind the prefix that occur in a text.
    fn names(text: &str) -> BTreeSet<String> {
        text.split(PREFIX)
            .skip(1)
            .map(|rest| rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect::<String>())
            .filter(|name| !name.is_empty())
            .collect()
    }

    #[test]
    fn when_stages_use_an_annotation_then_it_is_a_constant_and_in_the_table() {
        let source = include_str!("stages.rs");
        let constants = source.split("pub mod fate").nth(1).unwrap().split("\n}").next().unwrap();
        let used: BTreeSet<_> = names(&configuration()).into_iter().filter(|name| name != "volumes").collect();
        assert_eq!(used, names(constants));
        for name in used {
            assert!(source.contains(&format!("//! | `{name}` |")), "{name} is not in the table");
        }
    }

    #[test]
    fn when_the_configuration_is_composed_then_every_document_is_yaml_with_a_kind() {
        let text = configuration();
        assert!(!text.contains(INCLUDE));
        for document in text.split("\n---\n") {
            let value: serde_json::Value = serde_saphyr::from_str(document).unwrap();
            assert!(value["kind"].is_string(), "{document}");
        }
    }
}
