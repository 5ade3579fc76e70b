//! `cargo xtask demo --nodes real`: a service whose tasks are processes, asked over HTTP while it is rolled and scaled.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tokio::process::Command;

use super::demo_story::{self, NAMESPACE};
use super::image;
use super::test::System;
use crate::cluster::{Cluster, Nodes, Options, Process, RealNodes};
use crate::progress;
use crate::scenario::Scenario;
use crate::scenario::manifest::{self, and, real_container, real_task_definition};

/// Runs the story on one real node, and stays up unless `once`.
///
/// # Errors
/// When real nodes are not to be had or a step fails; says what to do.
pub(super) async fn run(once: bool) -> Result<()> {
    let archive = super::target_folder().join(format!("ecs-operator-debug-{}.tar", std::process::id()));
    image::pack_debug_build(&archive).await?;
    let nodes = RealNodes { images: vec![archive.clone()], ..RealNodes::default() };
    let options = Options { name: Some("demo".to_owned()), nodes: Nodes::Real(nodes), ..Options::default() };
    let cluster = Cluster::start(options).await;
    let _ = std::fs::remove_file(&archive);
    let cluster = cluster?;
    System::start(&cluster, true).await?;
    let scenario = demo_story::begin(&cluster, None).await?;
    demo_story::tell(story(&cluster, &scenario)).await?;
    if once {
        return Ok(());
    }
    explain(&cluster)?;
    tokio::signal::ctrl_c().await?;
    progress::note("ending");
    Ok(())
}

async fn story(cluster: &Cluster, scenario: &Scenario) -> Result<()> {
    progress::note("a cluster, a task definition and a service with two tasks behind a Service");
    scenario.when_applied([manifest::cluster("demo", &[]), web("hello"), service(2)]).await?;
    scenario.then_within(90).the_service("web").is_steady_on("web:1").await?;
    let service = scenario.object("Service", "web").context("there is no Service")?;
    let address = service.pointer("/spec/clusterIP").and_then(serde_json::Value::as_str).context("no address")?;
    let url = format!("http://{address}:8080/");
    ask(cluster, &url).await?;

    progress::note("another value of a variable: revision 2, and the service follows");
    scenario.when_applied([web("hello-again")]).await?;
    scenario.then_within(120).the_service("web").is_steady_on("web:2").await?;
    ask(cluster, &url).await?;

    progress::note("kubectl scale ecssvc web --replicas=4");
    scenario.when_scaled("web", 4).await?;
    scenario.then_within(90).the_service("web").is_steady().await?;
    ask(cluster, &url).await?;
    let printed = cluster.kubectl(["-n", NAMESPACE, "get", "ecs,pods", "-o", "wide"]).await?;
    println!("\n{printed}");
    Ok(())
}

fn web(greeting: &str) -> serde_json::Value {
    let container = and(
        real_container("app", "app", &["serve", "8080", "-term-delay", "2s"]),
        json!({
            "portMappings": [{ "containerPort": 8080 }],
            "environment": [{ "name": "GREETING", "value": greeting }],
            "healthCheck": { "command": ["CMD", "/bin/taskapp", "test", "/bin/taskapp"], "interval": 5, "timeout": 2 },
            "stopTimeout": 10,
        }),
    );
    real_task_definition("web", &[container])
}

fn service(desired: i64) -> serde_json::Value {
    manifest::with(manifest::service("web", desired), json!({ "cluster": "demo" }))
}

/// Sends 40 requests and says who answered what. This program is outside of the nodes' network: busybox asks inside.
async fn ask(cluster: &Cluster, url: &str) -> Result<()> {
    let script = "for i in $(seq 40); do busybox wget -q -O - \"$1\" || exit 1; done";
    let mut command: Command = cluster.command("/bin/sh".as_ref())?;
    let output = command.args(["-c", script, "ask", url]).output().await.context("cannot ask")?;
    if !output.status.success() {
        bail!("{url} does not answer: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let mut answers = BTreeMap::<String, usize>::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        // The pod, how often it has answered, and the greeting.
        let mut words = line.split_whitespace();
        let (pod, greeting) = (words.next().unwrap_or_default(), words.nth(1).unwrap_or_default());
        *answers.entry(format!("{greeting} from {pod}")).or_default() += 1;
    }
    for (answer, count) in answers {
        progress::note(format!("  {url} {count} × {answer}"));
    }
    Ok(())
}

fn explain(cluster: &Cluster) -> Result<()> {
    let network = cluster.local()?.id(Process::Network)?.pid;
    let (kubectl, kubeconfig) = (cluster.tools().kubectl.display(), cluster.kubeconfig().display());
    println!(
        "The cluster stays up until Ctrl-C. In another terminal:\n  export KUBECONFIG={kubeconfig}\n  alias kubectl={kubectl}\n  \
         kubectl config set-context --current --namespace={NAMESPACE}\n\nLook:\n  kubectl get ecs -o wide\n  \
         kubectl logs -l ecs-operator.dev/service=web\n  kubectl -n ecs-operator-system get pods,lease\n\nPods and Services \
         are reached from the nodes' own network:\n  nsenter --net=/proc/{network}/ns/net -- busybox wget -q -O - \
         http://ADDRESS:8080/"
    );
    Ok(())
}
