//! `cargo xtask cluster up|down|status`: a local Kubernetes that stays up.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Subcommand;

use super::NodeKind;
use crate::cluster::{
    self, CapacityLabel, Cluster, NodeTemplate, Nodes, Options, Process, RealNodes, State, nodes, paths,
};
use crate::progress;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Start a local Kubernetes and leave it running.
    Up(Up),
    /// End it and remove its data.
    Down {
        /// The cluster's name.
        #[arg(long, default_value = "dev")]
        name: String,
    },
    /// Say which local clusters run.
    Status,
}

#[derive(Debug, clap::Args)]
struct Up {
    /// The cluster's name; several can run side by side.
    #[arg(long, default_value = "dev")]
    name: String,
    /// The API server's port; a free one if not given.
    #[arg(long)]
    port: Option<u16>,
    /// Who plays the nodes.
    #[arg(long, value_enum, default_value = "kwok")]
    nodes: NodeKind,
    /// How many nodes. Simulated ones are spread over three zones, and the second half are spot nodes; the default is 6.
    /// The default for real ones is 1, the most are 3.
    #[arg(long)]
    count: Option<u8>,
    /// Stay here until Ctrl-C, and end the cluster then.
    #[arg(long)]
    foreground: bool,
    /// An image archive for real nodes; can be given several times.
    #[arg(long, value_name = "ARCHIVE")]
    image: Vec<PathBuf>,
    /// The label that says on-demand or spot.
    #[arg(long, value_enum, default_value = "karpenter")]
    capacity_label: Label,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Label {
    /// karpenter.sh/capacity-type
    Karpenter,
    /// eks.amazonaws.com/capacityType
    Eks,
    /// No label.
    None,
}

/// Runs the subcommand.
///
/// # Errors
/// When the cluster cannot be started or ended; the message says what to do.
pub async fn run(args: Args) -> Result<()> {
    match args.action {
        Action::Up(up) => start(up).await,
        Action::Down { name } => stop(&name),
        Action::Status => status(),
    }
}

async fn start(up: Up) -> Result<()> {
    let name = valid(&up.name)?;
    let folder = paths::clusters()?.join(name);
    if let Some(state) = State::read(&folder)?
        && !state.running().is_empty()
    {
        progress::note(format!("cluster {name} runs already"));
        explain(name, &folder.join("kubeconfig"));
        return Ok(());
    }
    let label = match up.capacity_label {
        Label::Karpenter => CapacityLabel::Karpenter,
        Label::Eks => CapacityLabel::Eks,
        Label::None => CapacityLabel::None,
    };
    let options = Options {
        name: Some(name.to_owned()),
        api_port: up.port,
        nodes: match up.nodes {
            NodeKind::Kwok => Nodes::Kwok(templates(up.count.unwrap_or(6).into(), label)),
            NodeKind::Real => Nodes::Real(RealNodes { count: up.count.unwrap_or(1), images: up.image }),
        },
        detached: !up.foreground,
        ..Options::default()
    };
    let cluster = Cluster::start(options).await?;
    println!("kubectl: {}", cluster.tools().kubectl.display());
    println!("helm:    {}", cluster.tools().helm.display());
    match up.nodes {
        NodeKind::Kwok => explain(name, cluster.kubeconfig()),
        NodeKind::Real => explain_real(name, &cluster)?,
    }
    if up.foreground {
        tokio::signal::ctrl_c().await?;
    }
    Ok(())
}

/// The first half on demand, the rest spot: 6 nodes are 3 and 3, 5 nodes are 3 and 2.
fn templates(count: usize, label: CapacityLabel) -> Vec<NodeTemplate> {
    let zones = nodes::ZONES.iter().cycle();
    let templates = zones.take(count).enumerate().map(|(index, zone)| {
        let node = NodeTemplate::new(&format!("node-{}", index + 1), zone).capacity_label(label);
        if index < count.div_ceil(2) { node } else { node.spot() }
    });
    templates.collect()
}

fn explain(name: &str, kubeconfig: &Path) {
    let named = if name == "dev" { String::new() } else { format!(" --name {name}") };
    let kubeconfig = kubeconfig.display();
    println!(
        "\nexport KUBECONFIG={kubeconfig}\n\nTry:\n  kubectl get nodes -L topology.kubernetes.io/zone,karpenter.sh/capacity-type\n  \
         kubectl create deployment web --image=example.com/web:1 --replicas=20 && kubectl rollout status deployment/web\n  \
         kubectl top pods\nEnd it:\n  cargo xtask cluster down{named}"
    );
}

fn explain_real(name: &str, cluster: &Cluster) -> Result<()> {
    let named = if name == "dev" { String::new() } else { format!(" --name {name}") };
    let kubeconfig = cluster.kubeconfig().display();
    let network = cluster.local()?.id(Process::Network)?.pid;
    println!(
        "\nexport KUBECONFIG={kubeconfig}\n\nTry:\n  kubectl create deployment web --image=e2e.local/app:1 --replicas=2 -- /bin/taskapp serve 8080\n  \
         kubectl expose deployment web --port=80 --target-port=8080\nPods and Services are reached from the nodes' own network:\n  \
         nsenter --net=/proc/{network}/ns/net -- curl -s http://CLUSTER-IP/\nEnd it:\n  cargo xtask cluster down{named}"
    );
    Ok(())
}

fn stop(name: &str) -> Result<()> {
    let folder = paths::clusters()?.join(valid(name)?);
    if !folder.exists() {
        progress::note(format!("no cluster {name}"));
        return Ok(());
    }
    let step = progress::step(format!("ending cluster {name}"));
    let count = cluster::down(&folder)?;
    step.done_with(format!("ended {count} processes"));
    Ok(())
}

fn status() -> Result<()> {
    let mut any = false;
    if let Ok(entries) = std::fs::read_dir(paths::clusters()?) {
        for entry in entries {
            let folder = entry?.path();
            let Some(state) = State::read(&folder)? else { continue };
            any = true;
            let name = folder.file_name().unwrap_or_default().display().to_string();
            let running: Vec<_> = state.running().into_iter().map(|process| process.name).collect();
            println!("{name}: {} of {} processes run", running.len(), state.processes.len());
            println!("  server {}, kubeconfig {}", state.server, folder.join("kubeconfig").display());
        }
    }
    if !any {
        println!("no local cluster: start one with `cargo xtask cluster up`");
    }
    Ok(())
}

/// A name becomes a folder, so it must be one path element.
fn valid(name: &str) -> Result<&str> {
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Ok(name);
    }
    bail!("`{name}` is no name for a cluster: use letters, digits and `-`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_name_would_leave_the_folder_then_it_is_refused() {
        for name in ["", "..", "a/b", "a b", "/tmp"] {
            assert!(valid(name).is_err(), "{name}");
        }
        assert_eq!(valid("dev-2").unwrap(), "dev-2");
    }

    #[test]
    fn when_five_nodes_are_asked_for_then_three_are_on_demand() {
        let nodes = templates(5, CapacityLabel::Karpenter);
        let spot = nodes.iter().filter(|node| node.capacity == cluster::Capacity::Spot).count();
        assert_eq!((nodes.len(), spot), (5, 2));
    }
}
