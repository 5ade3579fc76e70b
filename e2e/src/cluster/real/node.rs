//! One node: what its programs read, and how it is started.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::json;

use super::{cgroups, images, network, program, requirements};
use crate::cluster::components::Binary;
use crate::cluster::kubeconfig::{self, Credentials};
use crate::cluster::pki::Pki;
use crate::cluster::plan::Plan;

/// PID 1 of each node.
const INIT: &str = include_str!("init.sh");

/// The node's name.
pub(super) fn name(node: u8) -> String {
    format!("node-{node}")
}

/// The node's folder.
pub(super) fn folder(plan: &Plan, node: u8) -> PathBuf {
    plan.folder.join(name(node))
}

/// The cgroup below which kubelet makes the node's groups, as kubelet and runc name it.
fn cgroup(plan: &Plan, node: u8) -> String {
    format!("/{}/{}", cgroups::name(&plan.folder), name(node))
}

/// The address of the API server as nodes see it.
fn server(plan: &Plan) -> String {
    format!("https://{}:{}", network::CONTROL_PLANE, plan.ports.api)
}

/// kube-proxy is the same user on every node.
pub(super) fn write_proxy_kubeconfig(plan: &Plan, pki: &Pki) -> Result<()> {
    let user = "system:kube-proxy";
    let identity = Credentials::Certificate(pki.client(user, None)?);
    let path = plan.folder.join("kube-proxy.kubeconfig");
    kubeconfig::write(&path, &server(plan), pki.authority(), user, identity)
}

/// Writes the node's certificates, and the configurations of kubelet, containerd and the network plugins.
pub(super) fn write_files(plan: &Plan, node: u8, pki: &Pki) -> Result<()> {
    let (folder, name) = (folder(plan, node), name(node));
    for part in ["containerd", "kubelet", "log/pods", "network.d", "settings", "tmp", "var/upper", "var/work"] {
        let path = folder.join(part);
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
    }
    let user = format!("system:node:{name}");
    let identity = Credentials::Certificate(pki.client(&user, Some("system:nodes"))?);
    kubeconfig::write(&folder.join("kubeconfig"), &server(plan), pki.authority(), &user, identity)?;
    pki.write_serving(&name, &user, &[&network::address(node), &name])?;
    fs::write(folder.join("init.sh"), INIT)?;
    fs::write(folder.join("resolv.conf"), "nameserver 127.0.0.1\n")?;
    fs::write(folder.join("network.d/10-pods.conflist"), serde_json::to_vec_pretty(&pod_network(plan, node))?)?;
    fs::write(folder.join("containerd.toml"), containerd(plan, node)?)?;
    fs::write(folder.join("kubelet.yaml"), serde_saphyr::to_string(&kubelet(plan, node, pki))?)?;
    Ok(())
}

/// A bridge of its own for the pods of the node; addresses are not translated, so that everybody sees who they are.
fn pod_network(plan: &Plan, node: u8) -> serde_json::Value {
    let range = json!([[{ "subnet": network::pods(node) }]]);
    let addresses = json!({ "type": "host-local", "dataDir": folder(plan, node).join("addresses"), "ranges": range });
    json!({
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "pods",
                "isGateway": true,
                "isDefaultGateway": true,
                // A pod may reach itself through its Service.
                "hairpinMode": true,
                "ipam": addresses,
            },
            { "type": "portmap", "capabilities": { "portMappings": true } },
        ],
    })
}

fn containerd(plan: &Plan, node: u8) -> Result<String> {
    let folder = folder(plan, node);
    let folder = folder.display();
    let plugins = requirements::plugins().context("there are no network plugins")?;
    let (plugins, pause) = (plugins.display(), images::PAUSE);
    Ok(format!(
        r#"version = 2
root = "{folder}/containerd"
state = "/run/containerd"

[grpc]
  address = "/run/containerd/containerd.sock"

[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  # Lowering a process's score needs a right that root may not have here.
  restrict_oom_score_adj = true
  # Else they would be mounted below /var/run of the machine.
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{folder}/network.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
"#
    ))
}

fn kubelet(plan: &Plan, node: u8, pki: &Pki) -> serde_json::Value {
    let (folder, name) = (folder(plan, node), name(node));
    let cgroup = cgroup(plan, node);
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "address": network::address(node),
        "healthzBindAddress": "127.0.0.1",
        "readOnlyPort": 0,
        "tlsCertFile": pki.path(&format!("{name}.crt")),
        "tlsPrivateKeyFile": pki.path(&format!("{name}.key")),
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": true },
            "x509": { "clientCAFile": pki.path("ca.crt") },
        },
        "authorization": { "mode": "Webhook" },
        // Version 1 of cgroups is still common in containers and small virtual machines.
        "failCgroupV1": false,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroup,
        "kubeletCgroups": format!("{cgroup}/kubelet"),
        "oomScoreAdj": 0,
        "failSwapOn": false,
        "resolvConf": "",
        "clusterDNS": [network::DNS],
        "clusterDomain": "cluster.local",
        "podLogsDir": folder.join("log/pods"),
        "volumePluginDir": folder.join("plugins"),
        "serializeImagePulls": false,
        // ECS allows all settings of the container's own namespaces. Those of `net.unix` are left out for the scenario of a kubelet
        // that refuses.
        "allowedUnsafeSysctls": ["net.core.*", "net.ipv4.*", "net.ipv6.*", "kernel.msg*", "kernel.sem", "kernel.shm*", "fs.mqueue.*"],
        // The machine's disk is what it is; nothing is evicted or collected because of it.
        "evictionHard": { "memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%" },
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
    })
}

/// Arguments of `unshare`: a network, mount and process namespace, and the node in it. `unshare` ignores TERM; when it is
/// killed, the kernel kills the node's PID 1 and with it every process of the node, pods included.
pub(super) fn arguments(plan: &Plan, node: u8) -> Result<Vec<String>> {
    let resolved = |binary: Binary| plan.programs.get(&binary).context("program was not resolved");
    let (kubelet, proxy) = (resolved(Binary::Kubelet)?, resolved(Binary::KubeProxy)?);
    let folder = folder(plan, node);
    let path = |path: &std::path::Path| path.display().to_string();
    let init = [
        program("sh").map_or_else(|| "/bin/sh".to_owned(), |shell| path(&shell)),
        path(&folder.join("init.sh")),
        path(&plan.folder),
        path(&folder),
        name(node),
        network::address(node),
        network::PODS.to_owned(),
        cgroup(plan, node),
        path(kubelet),
        path(proxy),
    ];
    let flags = ["--net", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"];
    Ok(flags.into_iter().map(str::to_owned).chain(["--".to_owned()]).chain(init).collect())
}
