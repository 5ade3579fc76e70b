//! Ports of the containers of one task that cannot all be bound.

use std::collections::BTreeMap;

use api::conditions::Reason;
use api::task_definition::{NetworkMode, PortMapping, TaskDefinitionSpec, TransportProtocol};

use crate::core::report::Refusal;

/// A port that is taken: protocol and number.
type Port = (TransportProtocol, i32);

/// Two containers on one port, one host port twice, ranges that overlap.
pub(super) fn check(spec: &TaskDefinitionSpec) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let mut container_ports: BTreeMap<Port, (usize, String)> = BTreeMap::new();
    let mut host_ports: BTreeMap<Port, String> = BTreeMap::new();
    let has_own_network = matches!(spec.network_mode, None | Some(NetworkMode::Bridge));
    let ranges = ranges(spec);
    for (number, container) in spec.container_definitions.iter().enumerate() {
        let mappings = container.port_mappings.as_deref().unwrap_or_default();
        overlaps(number, mappings, &mut refusals);
        for (index, mapping) in mappings.iter().enumerate() {
            let path = format!("spec.containerDefinitions[{number}].portMappings[{index}]");
            let protocol = mapping.protocol.unwrap_or(TransportProtocol::Tcp);
            if let Some(port) = mapping.container_port {
                let first = container_ports.entry((protocol, port)).or_insert_with(|| (number, path.clone()));
                if has_own_network && first.0 != number {
                    refusals.push(Refusal {
                        path: format!("{path}.containerPort"),
                        exception: Reason::UnsupportedFeatureException,
                        message: format!(
                            "port {port} is also that of {}: the containers of a pod share one network namespace",
                            first.1
                        ),
                    });
                }
            }
            if has_own_network && let Some(other) = clash(&ranges, number, mapping) {
                refusals.push(Refusal {
                    path: format!(
                        "{path}.{}",
                        if mapping.container_port.is_some() { "containerPort" } else { "containerPortRange" }
                    ),
                    exception: Reason::UnsupportedFeatureException,
                    message: format!(
                        "ports are also those of {other}: the containers of a pod share one network namespace"
                    ),
                });
            }
            if let Some(port) = mapping.host_port.filter(|port| *port > 0) {
                let first = host_ports.entry((protocol, port)).or_insert_with(|| path.clone());
                if *first != path {
                    let message = format!("host port {port} is also that of {first}");
                    refusals.push(Refusal::client(format!("{path}.hostPort"), message));
                }
            }
        }
    }
    refusals
}

/// A mapping of one or more ports.
struct Mapped {
    container: usize,
    protocol: TransportProtocol,
    bounds: (i32, i32),
    is_range: bool,
    path: String,
}

/// Every mapping of the task with the ports it covers.
fn ranges(spec: &TaskDefinitionSpec) -> Vec<Mapped> {
    let mut all = Vec::new();
    for (container, definition) in spec.container_definitions.iter().enumerate() {
        for (index, mapping) in definition.port_mappings.iter().flatten().enumerate() {
            if let Some(bounds) = bounds(mapping) {
                all.push(Mapped {
                    container,
                    protocol: mapping.protocol.unwrap_or(TransportProtocol::Tcp),
                    bounds,
                    is_range: mapping.container_port_range.is_some(),
                    path: format!("spec.containerDefinitions[{container}].portMappings[{index}]"),
                });
            }
        }
    }
    all
}

/// The mapping of an earlier container that covers some of the ports of this one, where either is a range.
fn clash<'a>(all: &'a [Mapped], number: usize, mapping: &PortMapping) -> Option<&'a str> {
    let (low, high) = bounds(mapping)?;
    let protocol = mapping.protocol.unwrap_or(TransportProtocol::Tcp);
    let is_hit = |other: &&Mapped| {
        let (first, last) = other.bounds;
        let has_range = other.is_range || mapping.container_port_range.is_some();
        other.container < number && has_range && other.protocol == protocol && low <= last && first <= high
    };
    all.iter().find(is_hit).map(|other| other.path.as_str())
}

/// First and last port of a mapping.
fn bounds(mapping: &PortMapping) -> Option<(i32, i32)> {
    match (mapping.container_port, &mapping.container_port_range) {
        (Some(port), _) => Some((port, port)),
        (None, Some(range)) => {
            let (first, last) = range.split_once('-')?;
            Some((first.parse().ok()?, last.parse().ok()?))
        }
        (None, None) => None,
    }
}

/// Ranges of one container, among each other and with its single ports.
fn overlaps(number: usize, mappings: &[PortMapping], refusals: &mut Vec<Refusal>) {
    for (index, mapping) in mappings.iter().enumerate() {
        let Some((first, last)) = bounds(mapping).filter(|_| mapping.container_port_range.is_some()) else { continue };
        let is_hit = |(position, other): (usize, &PortMapping)| {
            // Each pair once, named at the later range.
            let counts = position < index || (position > index && other.container_port.is_some());
            let is_same_protocol =
                other.protocol.unwrap_or(TransportProtocol::Tcp) == mapping.protocol.unwrap_or(TransportProtocol::Tcp);
            counts && is_same_protocol && bounds(other).is_some_and(|(low, high)| low <= last && first <= high)
        };
        if let Some(position) = mappings.iter().enumerate().position(is_hit) {
            refusals.push(Refusal::client(
                format!("spec.containerDefinitions[{number}].portMappings[{index}].containerPortRange"),
                format!("the range {first}-{last} overlaps with portMappings[{position}]"),
            ));
        }
    }
}
