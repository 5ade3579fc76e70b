//! What a pod template needs.

use serde_json::Value;

use super::{Asked, Found, list, text};
use crate::core::kind::Kind;
use crate::core::right::{Right, SHARED_VOLUMES};
use crate::pod::users_metadata::is_unconfined;
use crate::pod::{is_of_a_role, is_secrets_driver};

/// Labels by which the platform of a task definition chooses nodes.
const PLATFORM: [&str; 3] = ["kubernetes.io/os", "kubernetes.io/arch", "node.kubernetes.io/windows-build"];
/// Labels that say what a node is to the cluster, such as a part of its control plane.
const NODE_ROLE: &str = "node-role.kubernetes.io/";

/// What a template needs in `namespace`, with the objects that are made for it.
pub(super) fn of(template: &Value, namespace: &str, shared: &[Value]) -> Vec<Found> {
    let mut found = Vec::new();
    let right = |path: &str, right: Right| (format!("podTemplate.{path}"), Asked::Right(right));
    let foreign = |path: &str, what: String| (format!("podTemplate.{path}"), Asked::Foreign(what));
    for (field, wanted) in
        [("hostNetwork", Right::HostNetwork), ("hostPID", Right::HostPid), ("hostIPC", Right::HostIpc)]
    {
        if template.pointer(&format!("/spec/{field}")).and_then(Value::as_bool) == Some(true) {
            found.push(right(&format!("spec.{field}"), wanted));
        }
    }
    for (field, wanted) in
        [("runtimeClassName", Right::RuntimeClass as fn(String) -> Right), ("priorityClassName", Right::PriorityClass)]
    {
        let name = text(template, &format!("/spec/{field}"));
        if !name.is_empty() {
            found.push(right(&format!("spec.{field}"), wanted(name.to_owned())));
        }
    }
    let account = text(template, "/spec/serviceAccountName");
    let is_made = |object: &Value| is_named(object, Kind::ServiceAccount, account);
    if is_of_a_role(account) && !shared.iter().any(is_made) {
        found.push(foreign("spec.serviceAccountName", format!("ServiceAccount {account} is that of a role")));
    }
    if !list(template, "/spec/tolerations").is_empty() {
        found.push(foreign("spec.tolerations", "tolerations come from capacity providers".to_owned()));
    }
    let annotations = template.pointer("/metadata/annotations").and_then(Value::as_object).into_iter().flatten();
    for (key, value) in annotations {
        if is_unconfined(key, value.as_str().unwrap_or_default()) {
            found.push(right(&format!("metadata.annotations[{key}]"), Right::Unconfined));
        }
    }
    nodes(template, &mut |path, wanted| found.push(right(&path, wanted)));
    context("spec.securityContext", template.pointer("/spec/securityContext"), &mut found);
    for kind in ["initContainers", "containers", "ephemeralContainers"] {
        for (index, container) in list(template, &format!("/spec/{kind}")).iter().enumerate() {
            context(&format!("spec.{kind}[{index}].securityContext"), container.get("securityContext"), &mut found);
        }
    }
    for (index, volume) in list(template, "/spec/volumes").iter().enumerate() {
        if let Some(asked) = of_volume(volume, namespace, shared) {
            found.push((format!("podTemplate.spec.volumes[{index}]"), asked));
        }
    }
    found
}

fn is_named(object: &Value, kind: Kind, name: &str) -> bool {
    text(object, "/kind") == kind.kind() && text(object, "/metadata/name") == name
}

/// Labels of nodes. Constraints choose by attributes, whose labels are others, among the nodes that a task can run on anyway.
fn nodes(template: &Value, push: &mut dyn FnMut(String, Right)) {
    let selector = template.pointer("/spec/nodeSelector").and_then(Value::as_object).into_iter().flatten();
    for (key, value) in selector.filter(|(key, _)| !PLATFORM.contains(&key.as_str())) {
        let value = value.as_str().unwrap_or_default().to_owned();
        push(format!("spec.nodeSelector[{key}]"), Right::NodeLabel { key: key.clone(), value });
    }
    let terms = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
    for term in list(template, terms) {
        for expression in list(term, "/matchExpressions") {
            let key = text(expression, "/key");
            if key.starts_with(NODE_ROLE) && matches!(text(expression, "/operator"), "In" | "Exists") {
                let right = Right::NodeLabel { key: key.to_owned(), value: String::new() };
                push("spec.affinity.nodeAffinity".to_owned(), right);
            }
        }
    }
}

/// What a security context of a pod or container needs.
fn context(path: &str, context: Option<&Value>, found: &mut Vec<Found>) {
    let Some(context) = context else { return };
    let mut right = |field: &str, right: Right| {
        found.push((format!("podTemplate.{path}.{field}"), Asked::Right(right)));
    };
    if context.get("privileged").and_then(Value::as_bool) == Some(true) {
        right("privileged", Right::Privileged);
    }
    for name in list(context, "/capabilities/add").iter().filter_map(Value::as_str) {
        if let Some(wanted) = Right::of_capability(name) {
            right("capabilities.add", wanted);
        }
    }
    for profile in ["seccompProfile", "appArmorProfile"] {
        if text(context, &format!("/{profile}/type")) == "Unconfined" {
            right(profile, Right::Unconfined);
        }
    }
    let selinux = |member: &str| text(context, &format!("/seLinuxOptions/{member}"));
    if let Some(wanted) = Right::of_selinux(selinux("type"), selinux("user"), selinux("role")) {
        right("seLinuxOptions", wanted);
    }
    if !matches!(text(context, "/procMount"), "" | "Default") {
        right("procMount", Right::Unconfined);
    }
    if context.pointer("/windowsOptions/hostProcess").and_then(Value::as_bool) == Some(true) {
        right("windowsOptions.hostProcess", Right::Privileged);
    }
}

/// What a volume needs; `None` for what everybody has.
fn of_volume(volume: &Value, namespace: &str, shared: &[Value]) -> Option<Asked> {
    let kinds = volume.as_object().into_iter().flatten().filter(|(name, _)| *name != "name");
    for (kind, content) in kinds {
        let asked = match kind.as_str() {
            "emptyDir" | "configMap" | "secret" | "persistentVolumeClaim" | "ephemeral" => None,
            "hostPath" => {
                let path = text(content, "/path");
                (!is_own_shared_volume(path, namespace)).then(|| Asked::Right(Right::of_host_path(path)))
            }
            "nfs" => Some(Asked::Right(Right::of_nfs(text(content, "/server"), text(content, "/path")))),
            "csi" if is_secrets_driver(text(content, "/driver")) => {
                let class = text(content, "/volumeAttributes/secretProviderClass");
                let is_made = shared.iter().any(|object| is_named(object, Kind::SecretProviderClass, class));
                (!is_made).then(|| Asked::Foreign(format!("SecretProviderClass {class} is none of the revision")))
            }
            other => Some(Asked::Foreign(format!("the volume is of kind {other}"))),
        };
        if asked.is_some() {
            return asked;
        }
    }
    None
}

/// A directory that the operator makes for a shared docker volume of the namespace.
fn is_own_shared_volume(path: &str, namespace: &str) -> bool {
    let name = path.strip_prefix(SHARED_VOLUMES).and_then(|rest| rest.strip_prefix('/')?.strip_prefix(namespace));
    name.and_then(|rest| rest.strip_prefix('/')).is_some_and(crate::pod::is_volume_name)
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
