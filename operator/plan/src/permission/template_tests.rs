//! What is found in templates, field by field.

use serde_json::{Value, json};

use super::*;

/// The rights and foreign parts of a template with one member of `spec` or of its only container.
fn asked(template: &Value, shared: &[Value]) -> Vec<(String, Asked)> {
    of(template, "shop", shared)
}

#[test]
fn when_a_template_uses_what_is_not_everybodys_then_each_field_is_found() {
    let path = |path: &str| Right::of_host_path(path);
    let spec = |member: &str, value: Value| json!({"spec": {member: value}});
    let context = |value: Value| json!({"spec": {"initContainers": [{"securityContext": value}]}});
    let volume = |value: Value| json!({"spec": {"volumes": [value]}});
    let term = |key: &str, operator: &str| {
        let expression = json!({"matchExpressions": [{"key": key, "operator": operator}]});
        let required = json!({"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [expression]}});
        json!({"spec": {"affinity": {"nodeAffinity": required}}})
    };
    let label = |key: &str, value: &str| Right::NodeLabel { key: key.to_owned(), value: value.to_owned() };
    let annotation = |value: &str| json!({"metadata": {"annotations": {"container.apparmor.security.beta.kubernetes.io/app": value}}});
    for (template, right) in [
        (spec("hostNetwork", json!(true)), Some(Right::HostNetwork)),
        (spec("hostNetwork", json!(false)), None),
        (spec("hostPID", json!(true)), Some(Right::HostPid)),
        (spec("hostIPC", json!(true)), Some(Right::HostIpc)),
        (spec("runtimeClassName", json!("kata")), Some(Right::RuntimeClass("kata".to_owned()))),
        (spec("priorityClassName", json!("high")), Some(Right::PriorityClass("high".to_owned()))),
        (spec("serviceAccountName", json!("default")), None),
        (spec("nodeSelector", json!({"kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64"})), None),
        (spec("nodeSelector", json!({"disk": "ssd"})), Some(label("disk", "ssd"))),
        (term("disk", "Exists"), None),
        (term("node-role.kubernetes.io/control-plane", "DoesNotExist"), None),
        (
            term("node-role.kubernetes.io/control-plane", "Exists"),
            Some(label("node-role.kubernetes.io/control-plane", "")),
        ),
        (annotation("runtime/default"), None),
        (annotation("unconfined"), Some(Right::Unconfined)),
        (spec("securityContext", json!({"seccompProfile": {"type": "Unconfined"}})), Some(Right::Unconfined)),
        (spec("securityContext", json!({"seccompProfile": {"type": "RuntimeDefault"}})), None),
        (context(json!({"privileged": true})), Some(Right::Privileged)),
        (context(json!({"windowsOptions": {"hostProcess": true}})), Some(Right::Privileged)),
        (context(json!({"capabilities": {"add": ["CHOWN"]}})), None),
        (context(json!({"capabilities": {"add": ["NET_RAW"]}})), Some(Right::Capability("NET_RAW".to_owned()))),
        (context(json!({"appArmorProfile": {"type": "Unconfined"}})), Some(Right::Unconfined)),
        (context(json!({"seLinuxOptions": {"type": "spc_t"}})), Some(Right::Unconfined)),
        (context(json!({"procMount": "Unmasked"})), Some(Right::Unconfined)),
        (volume(json!({"name": "a", "emptyDir": {}})), None),
        (volume(json!({"name": "a", "hostPath": {"path": "/srv"}})), Some(path("/srv"))),
        (volume(json!({"name": "a", "hostPath": {"path": "/var/lib/ecs-operator/volumes/shop/a"}})), None),
        (
            volume(json!({"name": "a", "hostPath": {"path": "/var/lib/ecs-operator/volumes/shop/../other/a"}})),
            Some(path("/var/lib/ecs-operator/volumes/shop/../other/a")),
        ),
        (
            volume(json!({"name": "a", "hostPath": {"path": "/var/lib/ecs-operator/volumes/other/a"}})),
            Some(path("/var/lib/ecs-operator/volumes/other/a")),
        ),
        (volume(json!({"name": "a", "nfs": {"server": "s", "path": "/p"}})), Some(Right::of_nfs("s", "/p"))),
    ] {
        let found: Vec<Asked> = asked(&template, &[]).into_iter().map(|(_, asked)| asked).collect();
        assert_eq!(found, right.into_iter().map(Asked::Right).collect::<Vec<_>>(), "{template}");
    }
}

#[test]
fn when_a_template_has_what_the_operator_puts_into_none_then_it_is_foreign() {
    let driver = "secrets-store.csi.k8s.io";
    let class = json!({"name": "a", "csi": {"driver": driver, "volumeAttributes": {"secretProviderClass": "c"}}});
    for (spec, shared, is_foreign) in [
        (json!({"serviceAccountName": "ecs-role-app-1"}), json!([]), true),
        (
            json!({"serviceAccountName": "ecs-role-app-1"}),
            json!([{"kind": "ServiceAccount", "metadata": {"name": "ecs-role-app-1"}}]),
            false,
        ),
        (json!({"tolerations": [{"operator": "Exists"}]}), json!([]), true),
        (json!({"volumes": [class]}), json!([]), true),
        (json!({"volumes": [class]}), json!([{"kind": "SecretProviderClass", "metadata": {"name": "c"}}]), false),
        (json!({"volumes": [{"name": "a", "csi": {"driver": "efs.csi.aws.com"}}]}), json!([]), true),
        (json!({"volumes": [{"name": "a", "iscsi": {}}]}), json!([]), true),
        (json!({"volumes": [{"name": "a", "emptyDir": {}, "azureFile": {}}]}), json!([]), true),
    ] {
        let template = json!({"spec": spec});
        let found = asked(&template, shared.as_array().unwrap());
        assert_eq!(matches!(found.as_slice(), [(_, Asked::Foreign(_))]), is_foreign, "{template} {found:?}");
    }
}
