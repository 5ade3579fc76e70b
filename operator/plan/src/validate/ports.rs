//! Ports of the containers of one task that cannot all be bound.

use std::collections::BTreeMap;

use api::conditions::Reason;
use api::task_definition::{NetworkMode, PortMapping, TaskDefinitionSpec, TransportProtocol};

use crate::report::Refusal;

/// A port that is taken: protocol and number.
type Port = (TransportProtocol, i32);

/// Two containers on one port, one host port twice, ranges that overlap.
pub(super) fn check(spec: &TaskDefinitionSpec) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let mut container_ports: BTreeMap<Port, (usize, String)> = BTreeMap::new();
    let mut host_ports: BTreeMap<Port, String> = BTreeMap::new();
    let has_own_network = matches!(spec.network_mode, None | Some(NetworkMode::Bridge));
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

/// Ranges of one container, among each other and with its single ports.
fn overlaps(number: usize, mappings: &[PortMapping], refusals: &mut Vec<Refusal>) {
    let bounds = |mapping: &PortMapping| match (mapping.container_port, &mapping.container_port_range) {
        (Some(port), _) => Some((port, port)),
        (None, Some(range)) => {
            let (first, last) = range.split_once('-')?;
            Some((first.parse().ok()?, last.parse().ok()?))
        }
        (None, None) => None,
    };
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
