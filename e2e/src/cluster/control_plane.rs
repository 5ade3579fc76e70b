//! The flags of each process, and why they are not the defaults.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::binaries::Programs;
use super::components::Binary;
use super::kubeconfig::{self, Credentials};
use super::pki::Pki;
use super::process::Launch;
use super::real::{self, RealNodes};
use super::stages;

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
    etcd: u16,
    etcd_peer: u16,
    /// The API server.
    pub api: u16,
    controller_manager: u16,
    scheduler: u16,
    kwok: u16,
    /// metrics-server.
    pub metrics: u16,
    alertmanager: u16,
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

/// Everything that the flags are made from.
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

    /// Writes certificates, kubeconfigs, the audit policy and the configurations of KWOK, the scheduler and Alertmanager.
    ///
    /// Every process has a user of its own, so that the audit log says who wrote what.
    ///
    /// # Errors
    /// When something cannot be written.
    pub fn write_files(&self) -> Result<Pki> {
        fs::create_dir_all(self.folder.join("log"))
            .with_context(|| format!("cannot create {}", self.folder.display()))?;
        let pki = Pki::create(&self.folder.join("pki"))?;
        let masters = Some("system:masters");
        for (file, user, group) in [
            ("kubeconfig", "kubernetes-admin", masters),
            ("kube-controller-manager.kubeconfig", "system:kube-controller-manager", None),
            ("kube-scheduler.kubeconfig", "system:kube-scheduler", None),
            ("kwok.kubeconfig", "e2e:kwok", masters),
            ("metrics-server.kubeconfig", "e2e:metrics-server", masters),
        ] {
            let identity = Credentials::Certificate(pki.client(user, group)?);
            kubeconfig::write(&self.folder.join(file), &self.server(), pki.authority(), user, identity)?;
        }
        fs::write(self.folder.join("audit-policy.yaml"), AUDIT_POLICY)?;
        fs::write(self.folder.join("kwok.yaml"), stages::configuration())?;
        fs::write(self.folder.join("alertmanager.yaml"), ALERTMANAGER)?;
        let scheduler = scheduler_configuration(&self.folder.join("kube-scheduler.kubeconfig"), self.limits)?;
        fs::write(self.folder.join("kube-scheduler.json"), scheduler)?;
        if let Some(nodes) = &self.real {
            real::write_files(self, nodes, &pki)?;
        }
        Ok(pki)
    }

    /// How to start a process.
    ///
    /// # Errors
    /// When its program was not resolved.
    pub fn launch(&self, process: Process) -> Result<Launch> {
        if let Some(launch) = real::launch(self, process)? {
            return Ok(launch);
        }
        let arguments = match process {
            Process::Etcd => self.etcd(),
            Process::ApiServer => self.api_server(),
            Process::ControllerManager => self.controller_manager(),
            Process::Scheduler => self.scheduler(),
            Process::Kwok => self.kwok(),
            Process::MetricsServer => self.metrics_server(),
            Process::Alertmanager => self.alertmanager_flags(),
            Process::Network | Process::Forward | Process::Node(_) => Vec::new(),
        };
        let program = process.binary().and_then(|binary| self.programs.get(&binary));
        let program = program.context("program was not resolved")?.clone();
        Ok(Launch { name: process.name(), program, arguments, log: self.log(process), listen: None })
    }

    fn etcd(&self) -> Vec<String> {
        let client = format!("http://127.0.0.1:{}", self.ports.etcd);
        let peer = format!("http://127.0.0.1:{}", self.ports.etcd_peer);
        vec![
            flag("--data-dir", self.file("etcd")),
            // A test cluster may lose its last writes when the machine dies; it is many times faster.
            "--unsafe-no-fsync".to_owned(),
            flag("--listen-client-urls", &client),
            flag("--advertise-client-urls", &client),
            flag("--listen-peer-urls", &peer),
            flag("--initial-advertise-peer-urls", &peer),
            flag("--initial-cluster", format!("default={peer}")),
            flag("--quota-backend-bytes", 4_294_967_296_u64),
            flag("--log-level", "warn"),
        ]
    }

    fn api_server(&self) -> Vec<String> {
        let mut flags = vec![
            flag("--etcd-servers", format!("http://127.0.0.1:{}", self.ports.etcd)),
            flag("--secure-port", self.ports.api),
            flag("--tls-cert-file", self.file("pki/serving.crt")),
            flag("--tls-private-key-file", self.file("pki/serving.key")),
            flag("--client-ca-file", self.file("pki/ca.crt")),
            flag("--service-cluster-ip-range", real::network::SERVICES),
            flag("--service-account-issuer", "https://kubernetes.default.svc"),
            flag("--service-account-key-file", self.file("pki/service-account.pub")),
            flag("--service-account-signing-key-file", self.file("pki/service-account.key")),
            flag("--authorization-mode", "Node,RBAC"),
            flag("--allow-privileged", true),
            // Aggregation: how metrics-server knows whom the API server speaks for.
            flag("--requestheader-client-ca-file", self.file("pki/ca.crt")),
            flag("--requestheader-allowed-names", "front-proxy"),
            flag("--requestheader-username-headers", "X-Remote-User"),
            flag("--requestheader-group-headers", "X-Remote-Group"),
            flag("--requestheader-extra-headers-prefix", "X-Remote-Extra-"),
            flag("--proxy-client-cert-file", self.file("pki/front-proxy.crt")),
            flag("--proxy-client-key-file", self.file("pki/front-proxy.key")),
            // Tests and benches count requests by user and verb from this file.
            flag("--audit-policy-file", self.file("audit-policy.yaml")),
            flag("--audit-log-path", self.audit_log().display()),
            flag("--audit-log-maxsize", 1024),
            flag("--audit-log-maxbackup", 2),
            flag("--shutdown-delay-duration", "0s"),
        ];
        if self.real.is_some() {
            flags.extend([
                // Every address of the network namespace that the cluster has for its own.
                flag("--bind-address", "0.0.0.0"),
                flag("--advertise-address", real::network::CONTROL_PLANE),
                flag("--enable-admission-plugins", "NodeRestriction"),
                flag("--kubelet-preferred-address-types", "InternalIP"),
                flag("--kubelet-certificate-authority", self.file("pki/ca.crt")),
                flag("--kubelet-client-certificate", self.file("pki/kubelet-client.crt")),
                flag("--kubelet-client-key", self.file("pki/kubelet-client.key")),
            ]);
        } else {
            flags.extend([
                flag("--bind-address", "127.0.0.1"),
                flag("--advertise-address", "127.0.0.1"),
                // EndpointSlices may not hold loopback addresses, so nobody keeps the `kubernetes` Service's.
                flag("--endpoint-reconciler-type", "none"),
            ]);
        }
        flags
    }

    fn controller_manager(&self) -> Vec<String> {
        let kubeconfig = self.file("kube-controller-manager.kubeconfig");
        let mut flags = vec![
            flag("--kubeconfig", &kubeconfig),
            flag("--authentication-kubeconfig", &kubeconfig),
            flag("--authorization-kubeconfig", &kubeconfig),
            flag("--bind-address", "127.0.0.1"),
            flag("--secure-port", self.ports.controller_manager),
            flag("--leader-elect", false),
            flag("--use-service-account-credentials", true),
            flag("--service-account-private-key-file", self.file("pki/service-account.key")),
            flag("--root-ca-file", self.file("pki/ca.crt")),
            flag("--cluster-signing-cert-file", self.file("pki/ca.crt")),
            flag("--cluster-signing-key-file", self.file("pki/ca.key")),
            // HPAs decide every 3 s instead of 15 s and do not wait minutes for a pod's first readings.
            flag("--horizontal-pod-autoscaler-sync-period", "3s"),
            flag("--horizontal-pod-autoscaler-initial-readiness-delay", "1s"),
            flag("--horizontal-pod-autoscaler-cpu-initialization-period", "1s"),
            flag("--flex-volume-plugin-dir", self.file("flexvolume")),
        ];
        if self.limits == ClientLimits::Raised {
            flags.extend([
                flag("--kube-api-qps", 1000),
                flag("--kube-api-burst", 2000),
                flag("--concurrent-deployment-syncs", 50),
                flag("--concurrent-replicaset-syncs", 50),
            ]);
        }
        flags
    }

    fn scheduler(&self) -> Vec<String> {
        let kubeconfig = self.file("kube-scheduler.kubeconfig");
        vec![
            // Rate and kubeconfig are in it: with a configuration, the flags for them count for nothing.
            flag("--config", self.file("kube-scheduler.json")),
            flag("--authentication-kubeconfig", &kubeconfig),
            flag("--authorization-kubeconfig", &kubeconfig),
            flag("--bind-address", "127.0.0.1"),
            flag("--secure-port", self.ports.scheduler),
        ]
    }

    fn kwok(&self) -> Vec<String> {
        vec![
            flag("--kubeconfig", self.file("kwok.kubeconfig")),
            flag("--config", self.file("kwok.yaml")),
            // Only nodes that say so: real nodes may join the same cluster.
            flag(
                "--manage-nodes-with-annotation-selector",
                format!("{}={}", stages::NODE_ANNOTATION, stages::NODE_VALUE),
            ),
            flag("--node-lease-duration-seconds", 40),
            flag("--cidr", "10.244.0.0/16"),
            flag("--server-address", format!("127.0.0.1:{}", self.ports.kwok)),
            // What the nodes report as the address of their kubelet: metrics-server scrapes it there.
            flag("--node-ip", "127.0.0.1"),
            flag("--node-port", self.ports.kwok),
            flag("--tls-cert-file", self.file("pki/serving.crt")),
            flag("--tls-private-key-file", self.file("pki/serving.key")),
        ]
    }

    fn metrics_server(&self) -> Vec<String> {
        let kubeconfig = self.file("metrics-server.kubeconfig");
        vec![
            flag("--kubeconfig", &kubeconfig),
            flag("--authentication-kubeconfig", &kubeconfig),
            flag("--authorization-kubeconfig", &kubeconfig),
            flag("--bind-address", "127.0.0.1"),
            flag("--secure-port", self.ports.metrics),
            flag("--tls-cert-file", self.file("pki/serving.crt")),
            flag("--tls-private-key-file", self.file("pki/serving.key")),
            flag("--kubelet-insecure-tls", true),
            flag("--kubelet-use-node-status-port", true),
            flag("--kubelet-preferred-address-types", "InternalIP"),
            // It refuses a resolution that is not above the request timeout, and none below 10 s.
            flag("--metric-resolution", "10s"),
            flag("--kubelet-request-timeout", "5s"),
        ]
    }

    fn alertmanager_flags(&self) -> Vec<String> {
        vec![
            flag("--config.file", self.file("alertmanager.yaml")),
            // Silences are written here every quarter of an hour; alerts are in memory only.
            flag("--storage.path", self.file("alertmanager")),
            flag("--web.listen-address", format!("127.0.0.1:{}", self.ports.alertmanager)),
            // Alone: it listens for no others.
            flag("--cluster.listen-address", ""),
            flag("--log.level", "warn"),
        ]
    }

    fn file(&self, name: impl AsRef<Path>) -> String {
        self.folder.join(name).display().to_string()
    }
}

/// The profiles that the operator's chart ships for packing nodes, beside the default one: one process does for all.
fn scheduler_configuration(kubeconfig: &Path, limits: ClientLimits) -> Result<String> {
    let path = crate::xtask::root().join("charts/ecs-operator/files/kube-scheduler.yaml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut configuration: Value = serde_saphyr::from_str(&text).with_context(|| format!("in {}", path.display()))?;
    let map = configuration.as_object_mut().context("the scheduler's configuration is no map")?;
    let connection = match limits {
        ClientLimits::Raised => json!({ "kubeconfig": kubeconfig, "qps": 1000, "burst": 2000 }),
        ClientLimits::Kubernetes => json!({ "kubeconfig": kubeconfig }),
    };
    map.insert("clientConnection".to_owned(), connection);
    let profiles = map.get_mut("profiles").and_then(Value::as_array_mut).context("it has no profiles")?;
    profiles.insert(0, json!({ "schedulerName": "default-scheduler" }));
    Ok(serde_json::to_string_pretty(&configuration)?)
}

/// `--name=value`: boolean flags take their value only in this form.
fn flag(name: &str, value: impl std::fmt::Display) -> String {
    format!("{name}={value}")
}

/// One line per request, when it has been answered; bodies are not needed for counting.
const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
";

/// Nobody is notified: what fires is asked for.
const ALERTMANAGER: &str = "\
route: { receiver: nobody }
receivers: [{ name: nobody }]
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_the_scheduler_is_configured_then_it_has_the_charts_profiles_beside_the_default_one() {
        let text = scheduler_configuration(Path::new("/k"), ClientLimits::Raised).unwrap();
        let configuration: Value = serde_json::from_str(&text).unwrap();
        let profiles = configuration["profiles"].as_array().unwrap();
        let names: Vec<_> = profiles.iter().map(|profile| profile["schedulerName"].as_str().unwrap()).collect();
        let packing =
            ["cpu", "memory"].map(|field| [format!("ecs-binpack-{field}"), format!("ecs-spread-binpack-{field}")]);
        assert_eq!(names.len(), 5);
        assert_eq!(names[0], "default-scheduler");
        assert!(packing.as_flattened().iter().all(|name| names.contains(&name.as_str())), "{names:?}");
        for profile in &profiles[1..] {
            let fit = &profile["pluginConfig"][0]["args"]["scoringStrategy"];
            let field = profile["schedulerName"].as_str().unwrap().rsplit('-').next();
            assert_eq!((fit["type"].as_str(), fit["resources"][0]["name"].as_str()), (Some("MostAllocated"), field));
        }
    }

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
