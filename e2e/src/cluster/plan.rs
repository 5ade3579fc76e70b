//! What a local cluster is made of: its processes, their ports, and where everything is.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::binaries::Programs;
use super::components::Binary;

/// A process of the local cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Process {
    /// etcd.
    Etcd,
    /// kube-apiserver.
    ApiServer,
    /// kube-controller-manager.
    ControllerManager,
    /// kube-scheduler.
    Scheduler,
    /// KWOK.
    Kwok,
    /// metrics-server.
    MetricsServer,
    /// Alertmanager, where scenarios about deployment alarms run.
    Alertmanager,
    /// With real nodes: keeps the network namespace of everything else.
    Network,
    /// With real nodes: leads a port on loopback to the API server.
    Forward,
    /// A real node with all its pods; the first is 1.
    Node(u8),
}

impl Process {
    /// Every process that each cluster with KWOK nodes has, in the order in which they start; they end the other way round.
    pub const ALL: [Self; 6] =
        [Self::Etcd, Self::ApiServer, Self::ControllerManager, Self::Scheduler, Self::Kwok, Self::MetricsServer];

    /// The program it runs; `None` for what only real nodes need.
    #[must_use]
    pub const fn binary(self) -> Option<Binary> {
        match self {
            Self::Etcd => Some(Binary::Etcd),
            Self::ApiServer => Some(Binary::KubeApiserver),
            Self::ControllerManager => Some(Binary::KubeControllerManager),
            Self::Scheduler => Some(Binary::KubeScheduler),
            Self::Kwok => Some(Binary::Kwok),
            Self::MetricsServer => Some(Binary::MetricsServer),
            Self::Alertmanager => Some(Binary::Alertmanager),
            Self::Network | Self::Forward | Self::Node(_) => None,
        }
    }

    /// The name, such as `kube-apiserver` or `node-1`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.binary() {
            Some(binary) => binary.name(),
            None => match self {
                Self::Network => "network",
                Self::Forward => "forward",
                Self::Node(1) => "node-1",
                Self::Node(2) => "node-2",
                // There are no more than three.
                _ => "node-3",
            },
        }
    }
}

/// Loopback ports of one cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    pub(super) etcd: u16,
    pub(super) etcd_peer: u16,
    /// The API server.
    pub api: u16,
    pub(super) controller_manager: u16,
    pub(super) scheduler: u16,
    pub(super) kwok: u16,
    /// metrics-server.
    pub metrics: u16,
    pub(super) alertmanager: u16,
}

impl Ports {
    /// Takes ports that nobody listens on, the API server's as asked if given. They are all held until all are known, so
    /// that they differ.
    ///
    /// # Errors
    /// When a port is taken or none is left.
    pub fn free(api: Option<u16>) -> Result<Self> {
        let listen = |port: u16| {
            TcpListener::bind(("127.0.0.1", port)).with_context(|| {
                format!("port {port} on 127.0.0.1 is in use: choose another or stop what listens there")
            })
        };
        let api = listen(api.unwrap_or(0))?;
        let others = (0..7).map(|_| listen(0)).collect::<Result<Vec<_>>>()?;
        let mut numbers = others.iter().map(|listener| listener.local_addr().map(|address| address.port()));
        let mut next = || -> Result<u16> { Ok(numbers.next().context("too few ports")??) };
        Ok(Self {
            etcd: next()?,
            etcd_peer: next()?,
            api: api.local_addr()?.port(),
            controller_manager: next()?,
            scheduler: next()?,
            kwok: next()?,
            metrics: next()?,
            alertmanager: next()?,
        })
    }

    /// The port on which a process listens.
    #[must_use]
    pub const fn of(&self, process: Process) -> u16 {
        match process {
            Process::Etcd => self.etcd,
            // Also of what leads to it, and of what listens nowhere on loopback.
            Process::ApiServer | Process::Forward | Process::Network | Process::Node(_) => self.api,
            Process::ControllerManager => self.controller_manager,
            Process::Scheduler => self.scheduler,
            Process::Kwok => self.kwok,
            Process::MetricsServer => self.metrics,
            Process::Alertmanager => self.alertmanager,
        }
    }
}

/// How many requests a second Kubernetes' own controllers and scheduler may send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ClientLimits {
    /// So many that the machine is the limit: scenarios end sooner.
    #[default]
    Raised,
    /// As Kubernetes ships them: 20 for the controllers, 50 for the scheduler, and 5 workers for each kind.
    Kubernetes,
}

/// Real nodes as a cluster is asked for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealNodes {
    /// How many, from 1 to [`MOST_NODES`]: `node-1`, `node-2` and so on.
    pub count: u8,
    /// Image archives that every node gets besides the test images.
    pub images: Vec<PathBuf>,
}

impl Default for RealNodes {
    /// One node.
    fn default() -> Self {
        Self { count: 1, images: Vec::new() }
    }
}

/// The most nodes a cluster may have; each has the whole machine for its own.
pub const MOST_NODES: u8 = 3;

/// Everything that the flags of the processes are made from.
#[derive(Debug)]
pub struct Plan {
    /// The cluster's folder.
    pub folder: PathBuf,
    /// Ports.
    pub ports: Ports,
    /// Programs.
    pub programs: Programs,
    /// Real nodes, if the cluster has any.
    pub real: Option<RealNodes>,
    /// Limits of the controllers and the scheduler.
    pub limits: ClientLimits,
}

impl Plan {
    /// The address of the API server.
    #[must_use]
    pub fn server(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports.api)
    }

    /// The administrator's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// The address of the Alertmanager, if it is started.
    #[must_use]
    pub fn alertmanager(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.alertmanager)
    }

    /// Where the API server writes one line per finished request.
    #[must_use]
    pub fn audit_log(&self) -> PathBuf {
        self.folder.join("audit.log")
    }

    /// The log of a process.
    #[must_use]
    pub fn log(&self, process: Process) -> PathBuf {
        self.folder.join("log").join(format!("{}.log", process.name()))
    }

    /// A file in the cluster's folder, as text for a flag.
    pub(super) fn file(&self, name: impl AsRef<Path>) -> String {
        self.folder.join(name).display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_ports_are_taken_then_no_two_are_equal() {
        let ports = Ports::free(None).unwrap();
        let mut all: Vec<_> = Process::ALL.iter().map(|&process| ports.of(process)).collect();
        all.extend([ports.etcd_peer, ports.alertmanager]);
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 8);
    }

    #[test]
    fn when_a_port_is_in_use_then_the_message_says_so() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let message = Ports::free(Some(port)).unwrap_err().to_string();
        assert!(message.contains("is in use"), "{message}");
    }
}
