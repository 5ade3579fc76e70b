//! Names and addresses: network mode, host name, hosts file, DNS. All of them are settings of the Pod as a whole.

use std::collections::BTreeMap;
use std::net::IpAddr;

use api::task_definition::{ContainerDefinition, NetworkMode, TaskDefinitionSpec};
use serde_json::{Map, Value, json};

use super::json::Members;
use super::layout::Container;
use super::notes::Notes;
use super::{TaskInput, permission};
use crate::core::right::Right;

/// The API takes no more name servers than this.
const MOST_NAME_SERVERS: usize = 3;
/// The API takes no more search domains than this.
const MOST_SEARCH_DOMAINS: usize = 32;

/// The network mode that counts: `bridge` when none is stated, and on Fargate `awsvpc`, the only one there.
pub(super) fn mode(definition: &TaskDefinitionSpec, is_fargate: bool) -> NetworkMode {
    definition.network_mode.unwrap_or(if is_fargate { NetworkMode::Awsvpc } else { NetworkMode::Bridge })
}

/// Puts `hostNetwork`, `dnsPolicy`, `dnsConfig`, `hostname` and `hostAliases`.
pub(super) fn put(
    pod: &mut Map<String, Value>,
    mode: NetworkMode,
    input: &TaskInput<'_>,
    containers: &[Container<'_>],
    notes: &mut Notes,
) {
    let definitions = input.task_definition.container_definitions.as_slice();
    if mode == NetworkMode::Host {
        permission::has(input, &Right::HostNetwork, "networkMode", notes);
        pod.put("hostNetwork", true);
    }
    report_shared(definitions, mode, notes);
    dns(pod, mode, definitions, notes);
    pod.put_some("hostname", hostname(containers, mode, notes));
    pod.put_list("hostAliases", host_aliases(definitions, notes));
    for (index, definition) in definitions.iter().enumerate() {
        if definition.disable_networking == Some(true) {
            let message = "the containers of a pod share one network, which cannot be disabled for one of them";
            notes.unsupported(format!("containerDefinitions[{index}].disableNetworking"), message);
        }
    }
}

fn dns(pod: &mut Map<String, Value>, mode: NetworkMode, definitions: &[ContainerDefinition], notes: &mut Notes) {
    let servers = union(definitions, "dnsServers", |definition| definition.dns_servers.as_deref());
    let searches = union(definitions, "dnsSearchDomains", |definition| definition.dns_search_domains.as_deref());
    let servers = take(servers, MOST_NAME_SERVERS, notes, |server| server.parse::<IpAddr>().is_ok());
    let searches = take(searches, MOST_SEARCH_DOMAINS, notes, is_dns_name);
    let mut config = Map::new();
    if !servers.is_empty() {
        pod.put("dnsPolicy", "None");
    } else if mode == NetworkMode::Host {
        pod.put("dnsPolicy", "ClusterFirstWithHostNet");
    }
    config.put_list("nameservers", servers);
    config.put_list("searches", searches);
    pod.put_map("dnsConfig", config);
}

/// All values of all containers, each once, with its path.
fn union<'a>(
    definitions: &'a [ContainerDefinition],
    field: &str,
    list: impl Fn(&'a ContainerDefinition) -> Option<&'a [String]>,
) -> Vec<(String, String)> {
    let mut values: Vec<(String, String)> = Vec::new();
    for (index, definition) in definitions.iter().enumerate() {
        for (position, value) in list(definition).unwrap_or_default().iter().enumerate() {
            if !values.iter().any(|(_, known)| known == value) {
                values.push((format!("containerDefinitions[{index}].{field}[{position}]"), value.clone()));
            }
        }
    }
    values
}

fn take(values: Vec<(String, String)>, most: usize, notes: &mut Notes, is_legal: impl Fn(&str) -> bool) -> Vec<Value> {
    let mut taken = Vec::new();
    for (path, value) in values {
        if !is_legal(&value) {
            notes.no_effect(path, "not a value that a pod accepts here");
        } else if taken.len() == most {
            notes.no_effect(path, format!("a Pod takes at most {most}"));
        } else {
            taken.push(Value::from(value));
        }
    }
    taken
}

/// The name that essential containers come first in giving.
fn hostname(containers: &[Container<'_>], mode: NetworkMode, notes: &mut Notes) -> Option<String> {
    let mut stated: Vec<&Container<'_>> =
        containers.iter().filter(|container| container.definition.hostname.is_some()).collect();
    stated.sort_by_key(|container| (!container.is_essential(), container.index));
    let mut chosen: Option<(String, String)> = None;
    for container in stated {
        let name = container.definition.hostname.as_deref().unwrap_or_default();
        let path = container.path("hostname");
        if mode == NetworkMode::Host {
            notes.no_effect(path, "a pod on the network of the node has the hostname of the node");
        } else if !is_dns_label(name) {
            notes.no_effect(path, "the hostname of a pod has at most 63 lowercase letters, digits and inner hyphens");
        } else if let Some((_, first)) = chosen.as_ref().filter(|(chosen, _)| chosen != name) {
            notes.no_effect(path, format!("a pod has one hostname, which {first} sets"));
        } else if chosen.is_none() {
            chosen = Some((name.to_owned(), path));
        }
    }
    chosen.map(|(name, _)| name)
}

/// What one container states holds for all of them. That is worth a word where there are several, and two paths where two
/// of them want different things.
fn report_shared(definitions: &[ContainerDefinition], mode: NetworkMode, notes: &mut Notes) {
    type Values = fn(&ContainerDefinition) -> Vec<String>;
    let lists: [(&str, Values); 4] = [
        ("hostname", |one| one.hostname.iter().cloned().collect()),
        ("dnsServers", |one| one.dns_servers.clone().unwrap_or_default()),
        ("dnsSearchDomains", |one| one.dns_search_domains.clone().unwrap_or_default()),
        ("extraHosts", |one| {
            let hosts = one.extra_hosts.iter().flatten();
            hosts.map(|host| format!("{} {}", host.hostname, host.ip_address)).collect()
        }),
    ];
    for (field, list) in lists {
        let path = |index: usize| format!("containerDefinitions[{index}].{field}");
        let values: Vec<_> = definitions.iter().map(list).collect();
        let mut stated = values.iter().enumerate().filter(|(_, value)| !value.is_empty());
        let Some((first, value)) = stated.next() else { continue };
        let has_no_effect = field == "hostname" && mode == NetworkMode::Host;
        if has_no_effect || values.iter().all(|other| other == value) {
            continue;
        }
        notes.approximated(path(first), "applies to all containers of the task");
        // The host name that does not hold is told where it is chosen.
        for (index, _) in stated.filter(|(_, other)| *other != value && field != "hostname") {
            let why = format!("differs from {}; the values of both apply to all containers of the task", path(first));
            notes.approximated(path(index), why);
        }
    }
}

/// Lines of the hosts file: `links` as names of the task itself, and `extraHosts`. One entry per address, because
/// server-side apply takes each once.
fn host_aliases(definitions: &[ContainerDefinition], notes: &mut Notes) -> Vec<Value> {
    let mut aliases: Vec<(String, Vec<String>)> = Vec::new();
    let mut owners: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut add = |address: &str, name: String| match aliases.iter_mut().find(|(known, _)| known == address) {
        Some((_, names)) if names.contains(&name) => {}
        Some((_, names)) => names.push(name),
        None => aliases.push((address.to_owned(), vec![name])),
    };
    for (index, definition) in definitions.iter().enumerate() {
        for (position, link) in definition.links.iter().flatten().enumerate() {
            // Names of hosts are the same in upper and lower case.
            for name in link.split(':').map(str::to_ascii_lowercase) {
                if is_dns_name(&name) {
                    add("127.0.0.1", name);
                } else {
                    let path = format!("containerDefinitions[{index}].links[{position}]");
                    notes.no_effect(path, format!("{name:?} is not a valid name in the hosts file of a pod"));
                }
            }
        }
        for (position, entry) in definition.extra_hosts.iter().flatten().enumerate() {
            let path = format!("containerDefinitions[{index}].extraHosts[{position}]");
            let name = entry.hostname.to_ascii_lowercase();
            if !is_dns_name(&name) {
                notes.no_effect(path, "not a valid name in the hosts file of a pod");
            } else if let Ok(address) = entry.ip_address.parse::<IpAddr>() {
                let address = address.to_string();
                let owner = owners.entry(name.clone()).or_insert_with(|| (address.clone(), path.clone()));
                if owner.0 != address {
                    let why =
                        format!("differs from the address in {}: the hosts file of the pod contains both", owner.1);
                    notes.approximated(path, why);
                }
                add(&address, name);
            } else {
                notes.no_effect(path, "ipAddress is not an IP address");
            }
        }
    }
    aliases.into_iter().map(|(address, names)| json!({"ip": address, "hostnames": names})).collect()
}

pub(super) fn is_dns_label(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(is_inner) && !text.starts_with('-') && !text.ends_with('-')
}

pub(super) fn is_dns_name(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_dns_label)
}
