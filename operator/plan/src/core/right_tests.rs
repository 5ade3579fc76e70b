//! The rights row by row: who has one, and what an administrator writes to give it.

use serde_json::json;

use super::*;
use crate::core::policy::{NamespacePolicy, Permission};

/// Every right with the annotation and the item that give it.
fn rows() -> Vec<(Right, &'static str, &'static str)> {
    let text = |text: &str| text.to_owned();
    vec![
        (Right::TaskRole(text("arn:aws:iam::1:role/a")), "allowed-task-roles", "arn:aws:iam::1:role/a"),
        (Right::Secret(text("/prod/db")), "allowed-secrets", "/prod/db"),
        (Right::FileSystem(text("fs-1")), "allowed-file-systems", "fs-1"),
        (Right::Snapshot(text("snap-1")), "allowed-file-systems", "snap-1"),
        (Right::of_nfs("Files.corp", "/srv//a/"), "allowed-file-systems", "nfs/files.corp/srv/a"),
        (Right::of_smb("fs-1.corp", "\\share\\a"), "allowed-file-systems", "smb/fs-1.corp/share/a"),
        (Right::of_host_path("//srv/./data/"), "allowed-host-access", "host-paths=/srv/data"),
        (Right::of_host_path("C:\\data"), "allowed-host-access", "host-paths=C:/data"),
        (Right::Privileged, "allowed-host-access", "privileged"),
        (Right::Capability(text("NET_ADMIN")), "allowed-host-access", "capabilities=NET_ADMIN"),
        (Right::HostNetwork, "allowed-host-access", "host-network"),
        (Right::HostPid, "allowed-host-access", "host-pid"),
        (Right::HostIpc, "allowed-host-access", "host-ipc"),
        (Right::Unconfined, "allowed-host-access", "unconfined"),
        (Right::NodeLabel { key: text("disk"), value: text("ssd") }, "allowed-placement", "node-labels=disk=ssd"),
        (Right::NodeLabel { key: text("disk"), value: text("") }, "allowed-placement", "node-labels=disk"),
        (Right::RuntimeClass(text("kata")), "allowed-placement", "runtime-classes=kata"),
        (Right::PriorityClass(text("high")), "allowed-placement", "priority-classes=high"),
        (Right::CapacityProvider(text("edge")), "allowed-placement", "capacity-providers=edge"),
        (Right::LoadBalancer, "allowed-services", "load-balancer"),
        (Right::NodePort, "allowed-services", "node-port"),
        (Right::ServiceAnnotation(text("a.example.com/b")), "allowed-services", "annotations=a.example.com/b"),
    ]
}

fn policy(list: &str, items: &str) -> NamespacePolicy {
    NamespacePolicy::from_annotations(Some(&json!({format!("ecs-operator.dev/{list}"): items})))
}

#[test]
fn when_nothing_is_annotated_then_nobody_has_a_right_and_its_own_item_gives_each() {
    for (right, list, item) in rows() {
        assert_eq!((right.list(), right.item().as_str()), (format!("ecs-operator.dev/{list}").as_str(), item));
        assert_eq!(NamespacePolicy::default().permission(&right), Permission::Unlisted, "{item}");
        assert_eq!(policy(list, "something-else").permission(&right), Permission::Denied, "{item}");
        assert_eq!(policy(list, &format!("x, {item}")).permission(&right), Permission::Allowed, "{item}");
        assert!(right.is_plain());
        let refusal = NamespacePolicy::default().refusal("shop", &right).unwrap();
        assert!(refusal.contains(&format!("ecs-operator.dev/{list}={item}")), "{refusal}");
        assert!(policy(list, item).refusal("shop", &right).is_none());
    }
}

#[test]
fn when_an_item_of_one_right_is_given_then_no_other_right_follows_from_it() {
    for (right, list, item) in rows() {
        for (other, ..) in rows().into_iter().filter(|(other, ..)| *other != right) {
            assert_ne!(policy(list, item).permission(&other), Permission::Allowed, "{item} gives {other:?}");
        }
    }
}

#[test]
fn when_a_pattern_ends_at_a_folder_then_paths_elsewhere_are_denied() {
    let policy = policy("allowed-host-access", "host-paths=/srv/*");
    for (path, permission) in [
        ("/srv/data", Permission::Allowed),
        ("//srv///data", Permission::Allowed),
        ("/srv", Permission::Denied),
        ("/srvother", Permission::Denied),
        ("/srv/../etc", Permission::Denied),
        ("/etc", Permission::Denied),
        ("srv/data", Permission::Denied),
    ] {
        assert_eq!(policy.permission(&Right::of_host_path(path)), permission, "{path}");
    }
}

#[test]
fn when_a_path_is_in_the_folder_of_shared_volumes_then_no_annotation_gives_it() {
    let everything = policy("allowed-host-access", "*");
    for path in ["/var/lib/ecs-operator/volumes", "/var/lib/ecs-operator//volumes/./other/data", "/a/../etc"] {
        let right = Right::of_host_path(path);
        assert_eq!(everything.permission(&right), Permission::Denied, "{path}");
        assert!(everything.refusal("shop", &right).unwrap().contains("nobody can allow"), "{path}");
    }
    assert_eq!(everything.permission(&Right::of_host_path("/var/lib/ecs-operator/volumes-2")), Permission::Allowed);
}

#[test]
fn when_a_capability_or_a_type_is_in_the_baseline_then_it_is_everybodys() {
    for name in BASELINE_CAPABILITIES {
        assert_eq!(Right::of_capability(name), None);
    }
    for name in ["ALL", "NET_RAW", "NET_ADMIN", "SYS_ADMIN", "SYS_PTRACE"] {
        assert_eq!(Right::of_capability(name), Some(Right::Capability(name.to_owned())));
    }
    for (type_, user, role, right) in [
        ("", "", "", None),
        ("container_t", "", "", None),
        ("spc_t", "", "", Some(Right::Unconfined)),
        ("container_t", "system_u", "", Some(Right::Unconfined)),
        ("", "", "r", Some(Right::Unconfined)),
    ] {
        assert_eq!(Right::of_selinux(type_, user, role), right, "{type_} {user} {role}");
    }
}

#[test]
fn when_an_item_means_something_to_a_shell_or_to_the_list_then_no_command_is_made_of_it() {
    assert!(Right::TaskRole("arn:aws:iam::111111111111:role/team/App_1+x=y.z@w-v".to_owned()).is_plain());
    for text in ["*", "fs-*", "a,b", "a;id", "$(id)", "a b", "`id`", "é"] {
        for right in [Right::TaskRole(text.to_owned()), Right::FileSystem(text.to_owned()), Right::of_host_path(text)] {
            assert!(!right.is_plain(), "{text}");
            let refusal = NamespacePolicy::default().refusal("shop", &right).unwrap();
            assert!(!refusal.contains(&format!("={}", right.item())), "{refusal}");
        }
    }
}
