//! The flags of each process, and why they are not the defaults.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::kubeconfig::{self, Credentials};
use super::pki::Pki;
use super::plan::{ClientLimits, Plan, Process};
use super::process::Launch;
use super::{real, stages};

/// Writes certificates, kubeconfigs, the audit policy and the configurations of KWOK, the scheduler and Alertmanager.
///
/// Every process has a user of its own, so that the audit log says who wrote what.
///
/// # Errors
/// When something cannot be written.
pub(super) fn write_files(plan: &Plan) -> Result<Pki> {
    fs::create_dir_all(plan.folder.join("log")).with_context(|| format!("cannot create {}", plan.folder.display()))?;
    let pki = Pki::create(&plan.folder.join("pki"))?;
    let masters = Some("system:masters");
    for (file, user, group) in [
        ("kubeconfig", "kubernetes-admin", masters),
        ("kube-controller-manager.kubeconfig", "system:kube-controller-manager", None),
        ("kube-scheduler.kubeconfig", "system:kube-scheduler", None),
        ("kwok.kubeconfig", "e2e:kwok", masters),
        ("metrics-server.kubeconfig", "e2e:metrics-server", masters),
    ] {
        let identity = Credentials::Certificate(pki.client(user, group)?);
        kubeconfig::write(&plan.folder.join(file), &plan.server(), pki.authority(), user, identity)?;
    }
    fs::write(plan.folder.join("audit-policy.yaml"), AUDIT_POLICY)?;
    fs::write(plan.folder.join("kwok.yaml"), stages::configuration())?;
    fs::write(plan.folder.join("alertmanager.yaml"), ALERTMANAGER)?;
    let scheduler = scheduler_configuration(&plan.folder.join("kube-scheduler.kubeconfig"), plan.limits)?;
    fs::write(plan.folder.join("kube-scheduler.json"), scheduler)?;
    if let Some(nodes) = &plan.real {
        real::write_files(plan, nodes, &pki)?;
    }
    Ok(pki)
}

/// How to start a process.
///
/// # Errors
/// When its program was not resolved.
pub(super) fn launch(plan: &Plan, process: Process) -> Result<Launch> {
    if let Some(launch) = real::launch(plan, process)? {
        return Ok(launch);
    }
    let arguments = match process {
        Process::Etcd => etcd(plan),
        Process::ApiServer => api_server(plan),
        Process::ControllerManager => controller_manager(plan),
        Process::Scheduler => scheduler(plan),
        Process::Kwok => kwok(plan),
        Process::MetricsServer => metrics_server(plan),
        Process::Alertmanager => alertmanager_flags(plan),
        Process::Network | Process::Forward | Process::Node(_) => Vec::new(),
    };
    let program = process.binary().and_then(|binary| plan.programs.get(&binary));
    let program = program.context("program was not resolved")?.clone();
    Ok(Launch { name: process.name(), program, arguments, log: plan.log(process), listen: None })
}

fn etcd(plan: &Plan) -> Vec<String> {
    let client = format!("http://127.0.0.1:{}", plan.ports.etcd);
    let peer = format!("http://127.0.0.1:{}", plan.ports.etcd_peer);
    vec![
        flag("--data-dir", plan.file("etcd")),
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

fn api_server(plan: &Plan) -> Vec<String> {
    let mut flags = vec![
        flag("--etcd-servers", format!("http://127.0.0.1:{}", plan.ports.etcd)),
        flag("--secure-port", plan.ports.api),
        flag("--tls-cert-file", plan.file("pki/serving.crt")),
        flag("--tls-private-key-file", plan.file("pki/serving.key")),
        flag("--client-ca-file", plan.file("pki/ca.crt")),
        flag("--service-cluster-ip-range", real::network::SERVICES),
        flag("--service-account-issuer", "https://kubernetes.default.svc"),
        flag("--service-account-key-file", plan.file("pki/service-account.pub")),
        flag("--service-account-signing-key-file", plan.file("pki/service-account.key")),
        flag("--authorization-mode", "Node,RBAC"),
        flag("--allow-privileged", true),
        // Aggregation: how metrics-server knows whom the API server speaks for.
        flag("--requestheader-client-ca-file", plan.file("pki/ca.crt")),
        flag("--requestheader-allowed-names", "front-proxy"),
        flag("--requestheader-username-headers", "X-Remote-User"),
        flag("--requestheader-group-headers", "X-Remote-Group"),
        flag("--requestheader-extra-headers-prefix", "X-Remote-Extra-"),
        flag("--proxy-client-cert-file", plan.file("pki/front-proxy.crt")),
        flag("--proxy-client-key-file", plan.file("pki/front-proxy.key")),
        // Tests and benches count requests by user and verb from this file.
        flag("--audit-policy-file", plan.file("audit-policy.yaml")),
        flag("--audit-log-path", plan.audit_log().display()),
        flag("--audit-log-maxsize", 1024),
        flag("--audit-log-maxbackup", 2),
        flag("--shutdown-delay-duration", "0s"),
    ];
    if plan.real.is_some() {
        flags.extend([
            // Every address of the network namespace that the cluster has for its own.
            flag("--bind-address", "0.0.0.0"),
            flag("--advertise-address", real::network::CONTROL_PLANE),
            flag("--enable-admission-plugins", "NodeRestriction"),
            flag("--kubelet-preferred-address-types", "InternalIP"),
            flag("--kubelet-certificate-authority", plan.file("pki/ca.crt")),
            flag("--kubelet-client-certificate", plan.file("pki/kubelet-client.crt")),
            flag("--kubelet-client-key", plan.file("pki/kubelet-client.key")),
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

fn controller_manager(plan: &Plan) -> Vec<String> {
    let kubeconfig = plan.file("kube-controller-manager.kubeconfig");
    let mut flags = vec![
        flag("--kubeconfig", &kubeconfig),
        flag("--authentication-kubeconfig", &kubeconfig),
        flag("--authorization-kubeconfig", &kubeconfig),
        flag("--bind-address", "127.0.0.1"),
        flag("--secure-port", plan.ports.controller_manager),
        flag("--leader-elect", false),
        flag("--use-service-account-credentials", true),
        flag("--service-account-private-key-file", plan.file("pki/service-account.key")),
        flag("--root-ca-file", plan.file("pki/ca.crt")),
        flag("--cluster-signing-cert-file", plan.file("pki/ca.crt")),
        flag("--cluster-signing-key-file", plan.file("pki/ca.key")),
        // HPAs decide every 3 s instead of 15 s and do not wait minutes for a pod's first readings.
        flag("--horizontal-pod-autoscaler-sync-period", "3s"),
        flag("--horizontal-pod-autoscaler-initial-readiness-delay", "1s"),
        flag("--horizontal-pod-autoscaler-cpu-initialization-period", "1s"),
        flag("--flex-volume-plugin-dir", plan.file("flexvolume")),
    ];
    if plan.limits == ClientLimits::Raised {
        flags.extend([
            flag("--kube-api-qps", 1000),
            flag("--kube-api-burst", 2000),
            flag("--concurrent-deployment-syncs", 50),
            flag("--concurrent-replicaset-syncs", 50),
        ]);
    }
    flags
}

fn scheduler(plan: &Plan) -> Vec<String> {
    let kubeconfig = plan.file("kube-scheduler.kubeconfig");
    vec![
        // Rate and kubeconfig are in it: with a configuration, the flags for them count for nothing.
        flag("--config", plan.file("kube-scheduler.json")),
        flag("--authentication-kubeconfig", &kubeconfig),
        flag("--authorization-kubeconfig", &kubeconfig),
        flag("--bind-address", "127.0.0.1"),
        flag("--secure-port", plan.ports.scheduler),
    ]
}

fn kwok(plan: &Plan) -> Vec<String> {
    vec![
        flag("--kubeconfig", plan.file("kwok.kubeconfig")),
        flag("--config", plan.file("kwok.yaml")),
        // Only nodes that say so: real nodes may join the same cluster.
        flag("--manage-nodes-with-annotation-selector", format!("{}={}", stages::NODE_ANNOTATION, stages::NODE_VALUE)),
        flag("--node-lease-duration-seconds", 40),
        flag("--cidr", "10.244.0.0/16"),
        flag("--server-address", format!("127.0.0.1:{}", plan.ports.kwok)),
        // What the nodes report as the address of their kubelet: metrics-server scrapes it there.
        flag("--node-ip", "127.0.0.1"),
        flag("--node-port", plan.ports.kwok),
        flag("--tls-cert-file", plan.file("pki/serving.crt")),
        flag("--tls-private-key-file", plan.file("pki/serving.key")),
    ]
}

fn metrics_server(plan: &Plan) -> Vec<String> {
    let kubeconfig = plan.file("metrics-server.kubeconfig");
    vec![
        flag("--kubeconfig", &kubeconfig),
        flag("--authentication-kubeconfig", &kubeconfig),
        flag("--authorization-kubeconfig", &kubeconfig),
        flag("--bind-address", "127.0.0.1"),
        flag("--secure-port", plan.ports.metrics),
        flag("--tls-cert-file", plan.file("pki/serving.crt")),
        flag("--tls-private-key-file", plan.file("pki/serving.key")),
        flag("--kubelet-insecure-tls", true),
        flag("--kubelet-use-node-status-port", true),
        flag("--kubelet-preferred-address-types", "InternalIP"),
        // It refuses a resolution that is not above the request timeout, and none below 10 s.
        flag("--metric-resolution", "10s"),
        flag("--kubelet-request-timeout", "5s"),
    ]
}

fn alertmanager_flags(plan: &Plan) -> Vec<String> {
    vec![
        flag("--config.file", plan.file("alertmanager.yaml")),
        // Silences are written here every quarter of an hour; alerts are in memory only.
        flag("--storage.path", plan.file("alertmanager")),
        flag("--web.listen-address", format!("127.0.0.1:{}", plan.ports.alertmanager)),
        // Alone: it listens for no others.
        flag("--cluster.listen-address", ""),
        flag("--log.level", "warn"),
    ]
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
}
