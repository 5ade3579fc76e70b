//! Kernel settings and rights of one container: capabilities, privileges, user, security options.

use api::task_definition::KernelCapabilities;
use serde_json::{Map, Value, json};

use super::json::Members;
use super::layout::Container;
use super::notes::Notes;
use super::user::run_as;
use super::{TaskInput, permission, restricted};
use crate::core::right::Right;

/// `securityContext` of the container.
pub(super) fn security_context(
    container: &Container<'_>,
    input: &TaskInput<'_>,
    notes: &mut Notes,
) -> Map<String, Value> {
    let definition = container.definition;
    let mut context = Map::new();
    let privileged = definition.privileged == Some(true);
    if privileged {
        permission::has(input, &Right::Privileged, &container.path("privileged"), notes);
    }
    context.put_true("privileged", privileged);
    context.put_true("readOnlyRootFilesystem", definition.readonly_root_filesystem == Some(true));
    let mut user = None;
    if let Some(text) = definition.user.as_deref().filter(|user| !user.is_empty()) {
        match run_as(text) {
            Ok(ids) => {
                user = Some(ids.user);
                context.put("runAsUser", ids.user);
                context.put_true("runAsNonRoot", ids.user > 0);
                context.put_some("runAsGroup", ids.group);
            }
            Err(error) => notes.unsupported(container.path("user"), error.to_string()),
        }
    }
    let stated = definition.linux_parameters.as_ref().and_then(|parameters| parameters.capabilities.as_ref());
    let capabilities = stated.filter(|_| !privileged).map(capabilities).unwrap_or_default();
    let is_nearly_root = privileged || capabilities.add.iter().any(|name| name == "ALL" || name == "SYS_ADMIN");
    for name in &capabilities.add {
        let path = container.path("linuxParameters.capabilities.add");
        match Right::of_capability(name) {
            Some(right) => drop(permission::has(input, &right, &path, notes)),
            None if !restricted::allows_capability(name) => restricted::keeps_from(input, &path, notes),
            None => {}
        }
    }
    let mut map = Map::new();
    map.put_list("add", capabilities.add.iter().map(|name| Value::from(name.as_str())).collect());
    map.put_list("drop", capabilities.drop.into_iter().map(Value::from).collect());
    context.put_map("capabilities", map);
    if stated.is_some() && privileged {
        let why = "a privileged container has every capability, as on ECS";
        notes.no_effect(container.path("linuxParameters.capabilities"), why);
    }
    docker_security_options(container, is_nearly_root, input, &mut context, notes);
    // What is nearly root cannot meet the level in any case; the API refuses what would be put for such a container.
    if input.policy.enforces_restricted() && !is_nearly_root {
        if user == Some(0) {
            restricted::keeps_from(input, &container.path("user"), notes);
        }
        restricted::put(&mut context, &capabilities.add, user);
    }
    context
}

/// Capabilities to add to and drop from the runtime's default set.
#[derive(Debug, Default, PartialEq, Eq)]
struct Capabilities {
    add: Vec<String>,
    drop: Vec<String>,
}

/// On ECS `drop` is applied first and `add` second; container runtimes let `drop` win. So:
///
/// - a name in both ends up added and is taken out of `drop`: drop `[NET_RAW, CHOWN]` with add `[NET_RAW]` is drop
///   `[CHOWN]`, add `[NET_RAW]`;
/// - drop `ALL` leaves exactly `add`;
/// - add `ALL` is everything but `drop`, also for names that are in both.
fn capabilities(stated: &KernelCapabilities) -> Capabilities {
    let add = normalised(stated.add.as_deref());
    let drop = normalised(stated.drop.as_deref());
    let all = "ALL".to_owned();
    if add.contains(&all) {
        let drop = drop.into_iter().filter(|name| *name != all).collect();
        return Capabilities { add: vec![all], drop };
    }
    if drop.contains(&all) {
        return Capabilities { add, drop: vec![all] };
    }
    let drop = drop.into_iter().filter(|name| !add.contains(name)).collect();
    Capabilities { add, drop }
}

/// Docker takes `net_admin` and `CAP_NET_ADMIN` too; Kubernetes knows `NET_ADMIN` only. Each name once.
fn normalised(names: Option<&[String]>) -> Vec<String> {
    let mut result: Vec<String> = Vec::new();
    for name in names.unwrap_or_default() {
        let upper = name.trim().to_ascii_uppercase();
        let name = upper.strip_prefix("CAP_").unwrap_or(&upper).to_owned();
        if !name.is_empty() && !result.contains(&name) {
            result.push(name);
        }
    }
    result
}

/// `no-new-privileges`, `apparmor:PROFILE`, SELinux labels, `seccomp:unconfined`; anything else has no form on a Pod.
fn docker_security_options(
    container: &Container<'_>,
    is_nearly_root: bool,
    input: &TaskInput<'_>,
    context: &mut Map<String, Value>,
    notes: &mut Notes,
) {
    const PROFILE: &str = "the profile must exist on the node; without it the container does not start";
    let mut labels = Map::new();
    for (index, option) in container.definition.docker_security_options.iter().flatten().enumerate() {
        let path = container.path(&format!("dockerSecurityOptions[{index}]"));
        let (name, value) = option.split_once([':', '=']).unwrap_or((option.as_str(), "true"));
        match (name, value) {
            ("no-new-privileges", "false") => {}
            // The API refuses the combination, because such a process can take any privilege without an exec.
            ("no-new-privileges", _) if is_nearly_root => {
                notes.no_effect(path, "cannot be combined with privileged, SYS_ADMIN or ALL capabilities");
            }
            ("no-new-privileges", _) => context.put("allowPrivilegeEscalation", false),
            ("apparmor", "" | "true") => notes.no_effect(path, "write apparmor:PROFILE"),
            ("apparmor", profile) => {
                match profile {
                    "unconfined" => drop(permission::has(input, &Right::Unconfined, &path, notes)),
                    "docker-default" => {}
                    _ => notes.approximated(path, PROFILE),
                }
                context.put("appArmorProfile", app_armor(profile));
            }
            ("seccomp", "unconfined") => {
                permission::has(input, &Right::Unconfined, &path, notes);
                context.put("seccompProfile", json!({"type": "Unconfined"}));
            }
            ("label", label) => {
                if put_label(&mut labels, label) {
                    let of = |name: &str| labels.get(name).and_then(Value::as_str).unwrap_or_default();
                    if let Some(right) = Right::of_selinux(of("type"), of("user"), of("role")) {
                        permission::has(input, &right, &path, notes);
                    }
                    notes.approximated(path, "requires SELinux on the node, with a policy that defines the label");
                } else {
                    notes.no_effect(path, "not a SELinux label in the form label:user|role|type|level:VALUE");
                }
            }
            ("credentialspec", _) => notes.no_effect(path, NO_IDENTITY),
            _ => notes.no_effect(path, "pods have no equivalent of this option"),
        }
    }
    for index in 0..container.definition.credential_specs.as_ref().map_or(0, Vec::len) {
        notes.no_effect(container.path(&format!("credentialSpecs[{index}]")), NO_IDENTITY);
    }
    context.put_map("seLinuxOptions", labels);
}

const NO_IDENTITY: &str = "pods support group managed service accounts on Windows only: a Linux container has no identity in Active Directory";

fn app_armor(profile: &str) -> Value {
    match profile {
        "unconfined" => json!({"type": "Unconfined"}),
        "docker-default" => json!({"type": "RuntimeDefault"}),
        _ => json!({"type": "Localhost", "localhostProfile": profile}),
    }
}

/// `type:svirt_lxc_net_t` and the like. `disable` is what docker makes of the unconfined container type.
fn put_label(labels: &mut Map<String, Value>, value: &str) -> bool {
    let (part, content) = value.split_once(':').unwrap_or((value, ""));
    match (part, content) {
        ("disable", "") => labels.put("type", "spc_t"),
        (_, "") => return false,
        ("user" | "role" | "type" | "level", content) => labels.put(part, content),
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(add: &[&str], drop: &[&str]) -> (Vec<String>, Vec<String>) {
        let list = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
        let result = capabilities(&KernelCapabilities { add: list(add), drop: list(drop) });
        (result.add, result.drop)
    }

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn when_a_capability_is_dropped_and_added_then_it_ends_up_added() {
        assert_eq!(of(&["NET_RAW"], &["NET_RAW", "CHOWN"]), (names(&["NET_RAW"]), names(&["CHOWN"])));
        assert_eq!(of(&["CAP_NET_RAW"], &["net_raw"]), (names(&["NET_RAW"]), names(&[])));
    }

    #[test]
    fn when_all_are_dropped_then_exactly_the_added_ones_are_left() {
        assert_eq!(of(&["NET_ADMIN"], &["CHOWN", "ALL"]), (names(&["NET_ADMIN"]), names(&["ALL"])));
        assert_eq!(of(&[], &["all"]), (names(&[]), names(&["ALL"])));
    }

    #[test]
    fn when_all_are_added_then_the_dropped_ones_are_missing() {
        assert_eq!(of(&["ALL", "CHOWN"], &["CHOWN"]), (names(&["ALL"]), names(&["CHOWN"])));
        assert_eq!(of(&["ALL"], &["ALL"]), (names(&["ALL"]), names(&[])));
    }
}
