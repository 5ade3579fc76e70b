//! Ports of the containers, and those that a Service can reach.

use std::collections::{BTreeMap, BTreeSet};

use api::task_definition::{ApplicationProtocol, NetworkMode, PortMapping, TransportProtocol};
use serde_json::{Map, Value};

use super::TaskPort;
use super::json::Members;
use super::layout::Container;
use super::notes::Notes;

/// More ports than this from ranges are not listed one by one.
const MOST_RANGED_PORTS: i64 = 100;

/// SSH, docker and the ECS agent: reserved on each container instance.
const RESERVED_PORTS: [i64; 6] = [22, 2375, 2376, 51_678, 51_679, 51_680];

/// Everything about the ports of a task.
#[derive(Debug, Default)]
pub(super) struct Ports {
    /// `ports` of each container, by its name in the Pod.
    pub(super) by_container: BTreeMap<String, Vec<Value>>,
    /// Each port and protocol of the task once.
    pub(super) task: Vec<TaskPort>,
}

/// Reads all port mappings.
///
/// | network mode | `hostPort` of ECS | in the Pod |
/// |---|---|---|
/// | awsvpc | absent or equal | the Pod's own address, no host port |
/// | host | absent or equal | `hostNetwork` and the host port, so that the scheduler avoids clashes |
/// | bridge | a number | that host port |
/// | bridge | 0, absent or a range | no host port: reported |
///
/// Containers that end before others start have no ports: nobody can reach them.
pub(super) fn ports(mode: NetworkMode, containers: &[Container<'_>], notes: &mut Notes) -> Ports {
    let mut reader = Reader { mode, notes, owners: BTreeMap::new(), names: BTreeSet::new(), ports: Ports::default() };
    for container in containers.iter().filter(|container| container.is_long_running()) {
        for (index, mapping) in container.definition.port_mappings.iter().flatten().enumerate() {
            reader.read(container, index, mapping);
        }
    }
    reader.ports
}

struct Reader<'n> {
    mode: NetworkMode,
    notes: &'n mut Notes,
    /// The field that first named a port.
    owners: BTreeMap<(i64, &'static str), (usize, String)>,
    names: BTreeSet<String>,
    ports: Ports,
}

impl Reader<'_> {
    fn read(&mut self, container: &Container<'_>, index: usize, mapping: &PortMapping) {
        let path = container.path(&format!("portMappings[{index}]"));
        if self.mode == NetworkMode::None {
            self.notes.refuse(path, "port mappings are not supported with network mode none");
            return;
        }
        if let Some(range) = &mapping.container_port_range {
            match parse_range(range) {
                Some((first, last)) => self.read_range(container, &path, mapping, (first, last)),
                None => self.notes.refuse(format!("{path}.containerPortRange"), "a range is FIRST-LAST, 1 to 65535"),
            }
            return;
        }
        match mapping.container_port.map(i64::from) {
            Some(port @ 1..=65_535) => self.add(container, &path, mapping, port),
            Some(_) => self.notes.refuse(format!("{path}.containerPort"), "a port is 1 to 65535"),
            None => self.notes.refuse(path, "containerPort or containerPortRange is required"),
        }
    }

    fn read_range(&mut self, container: &Container<'_>, path: &str, mapping: &PortMapping, (first, last): (i64, i64)) {
        if last - first >= MOST_RANGED_PORTS {
            // Ports need no listing to be reachable at the task's own address.
            let why = format!(
                "more than {MOST_RANGED_PORTS} ports: they are reachable at the IP address of the task, but not \
                    through the Kubernetes Service"
            );
            self.notes.approximated(format!("{path}.containerPortRange"), why);
            return;
        }
        if self.mode == NetworkMode::Bridge {
            let why = "reserves no ports of the node: the range is reachable at the task's own IP address";
            self.notes.approximated(format!("{path}.containerPortRange"), why);
        }
        for port in first..=last {
            self.add(container, path, mapping, port);
        }
    }

    fn add(&mut self, container: &Container<'_>, path: &str, mapping: &PortMapping, port: i64) {
        let protocol = if mapping.protocol == Some(TransportProtocol::Udp) { "UDP" } else { "TCP" };
        if let Some((owner, first)) = self.owners.get(&(port, protocol)) {
            if *owner == container.index {
                let first = first.clone();
                self.report_repeated(path, mapping, &first);
                return;
            }
            if self.mode != NetworkMode::Awsvpc {
                let message = format!(
                    "{protocol} port {port} is also a port of {first}: the containers of a Pod share one network, so \
                     only one of them can listen on it"
                );
                self.notes.refuse(path, message);
                return;
            }
        }
        let is_first = !self.owners.contains_key(&(port, protocol));
        self.owners.entry((port, protocol)).or_insert_with(|| (container.index, path.to_owned()));
        let name = self.name(mapping, port, protocol);
        let mut entry = Map::new();
        entry.put("name", name.as_str());
        entry.put("containerPort", port);
        entry.put("protocol", protocol);
        entry.put_some("hostPort", self.host_port(path, mapping, port));
        self.ports.by_container.entry(container.name.clone()).or_default().push(entry.into());
        if is_first {
            let app_protocol = mapping.app_protocol.map(app_protocol);
            self.ports.task.push(TaskPort { name, container_port: port, protocol: protocol.to_owned(), app_protocol });
        }
    }

    /// ECS publishes one container port on two host ports; a Pod lists a port once.
    fn report_repeated(&mut self, path: &str, mapping: &PortMapping, first: &str) {
        if mapping.host_port.is_some_and(|port| port > 0) && self.mode == NetworkMode::Bridge {
            let why = format!("the same container port as {first}, which a pod can publish only once");
            self.notes.no_effect(format!("{path}.hostPort"), why);
        }
    }

    fn host_port(&mut self, path: &str, mapping: &PortMapping, port: i64) -> Option<i64> {
        let taken = self.node_port(path, mapping, port);
        if let Some(port) = taken.filter(|port| RESERVED_PORTS.contains(port)) {
            let why = format!(
                "ECS instances reserve port {port}, so ECS could not place the task; here it may use the port on any \
                    node where it is free"
            );
            self.notes.approximated(format!("{path}.hostPort"), why);
        }
        taken
    }

    fn node_port(&mut self, path: &str, mapping: &PortMapping, port: i64) -> Option<i64> {
        match self.mode {
            NetworkMode::Host => Some(port),
            NetworkMode::Bridge if mapping.container_port_range.is_none() => {
                let fixed = mapping.host_port.map(i64::from).filter(|port| *port != 0);
                if fixed.is_some_and(|port| !(1..=65_535).contains(&port)) {
                    self.notes.refuse(format!("{path}.hostPort"), "a port is 1 to 65535, or 0 for a free one");
                }
                if fixed.is_none() {
                    let why = "reserves no port of the node: containerPort is reachable at the task's own IP address";
                    self.notes.approximated(format!("{path}.hostPort"), why);
                }
                fixed
            }
            _ => None,
        }
    }

    /// A name that no other port of the task has.
    fn name(&mut self, mapping: &PortMapping, port: i64, protocol: &str) -> String {
        let plain = format!("{}-{port}", protocol.to_ascii_lowercase());
        let stated = mapping.name.as_deref().filter(|_| mapping.container_port_range.is_none());
        let stated = stated.map(ecs::name::port_name);
        let numbered = (0..=self.names.len()).map(|n| ecs::name::port_name(&format!("{plain}_{n}")));
        let mut candidates = stated.into_iter().chain([plain.clone()]).chain(numbered);
        let free = candidates.find(|name| !self.names.contains(name)).unwrap_or(plain);
        self.names.insert(free.clone());
        free
    }
}

fn parse_range(range: &str) -> Option<(i64, i64)> {
    let (first, last) = range.split_once('-')?;
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (1 <= first && first < last && last <= 65_535).then_some((first, last))
}

/// The names that Services use for application protocols.
fn app_protocol(protocol: ApplicationProtocol) -> String {
    match protocol {
        ApplicationProtocol::Http => "http",
        ApplicationProtocol::Http2 => "kubernetes.io/h2c",
        ApplicationProtocol::Grpc => "grpc",
    }
    .to_owned()
}
