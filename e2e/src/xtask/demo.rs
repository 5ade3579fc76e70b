//! `cargo xtask demo`: the operator at work, from `helm install` to a rollout, told while it happens.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::demo_story::{self, NAMESPACE};
use super::{NodeKind, cargo, demo_real, root};
use crate::cluster::{Cluster, Options, fate};
use crate::operator::{self, Launch};
use crate::progress;
use crate::scenario::Scenario;

/// Arguments.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Args {
    /// End after the story instead of staying up.
    #[arg(long)]
    once: bool,
    /// Who plays the nodes.
    #[arg(long, value_enum, default_value = "kwok")]
    nodes: NodeKind,
}

/// Runs the subcommand.
///
/// # Errors
/// When a step fails; says which and what to do.
pub async fn run(args: Args) -> Result<()> {
    build().await?;
    if args.nodes == NodeKind::Real {
        return demo_real::run(args.once).await;
    }
    let options = Options { name: Some("demo".to_owned()), ..Options::default() };
    let cluster = Cluster::start(options).await?;
    let step = progress::step("helm install ecs-operator-crds, helm install ecs-operator");
    operator::install_charts(&cluster).await?;
    step.done();
    let step = progress::step("starting the operator with the rights of the chart's ServiceAccount");
    let mut operator = Launch::installed(&cluster, "ecs-operator-0").await?.spawn()?;
    operator.leads().await?;
    step.done();

    let scenario = demo_story::begin(&cluster, Some(&operator)).await?;
    demo_story::tell(story(&cluster, &scenario)).await?;
    if args.once {
        let status = operator.terminate().await?;
        if !status.success() {
            bail!("the operator ended with {status}; it must end well on SIGTERM");
        }
        return Ok(());
    }
    let log = operator.log().to_owned();
    explain(&cluster, &log);
    tokio::select! {
        _ = tokio::signal::ctrl_c() => progress::note("ending"),
        status = operator.wait() => bail!("the operator ended with {}; its log is {}", status?, log.display()),
    }
    Ok(())
}

async fn build() -> Result<()> {
    let step = progress::step("building the operator");
    let mut build = cargo();
    build.args(["build", "--quiet", "--package", "ecs-operator"]).current_dir(root()).stdin(Stdio::null());
    if !build.status().await.context("cannot run cargo")?.success() {
        bail!("the operator does not build: correct the error above and run `cargo xtask demo` again");
    }
    step.done();
    Ok(())
}

async fn story(cluster: &Cluster, scenario: &Scenario) -> Result<()> {
    let examples = root().join("examples").display().to_string();
    progress::note("kubectl apply -f examples/: a cluster, three families, three services, a scalable target");
    cluster.kubectl(["apply", "-n", NAMESPACE, "-f", &examples]).await?;
    for name in ["web", "api", "worker"] {
        if name == "worker" {
            progress::note("worker has no health check: its tasks count as healthy after 40 seconds, as on ECS");
        }
        scenario.then_within(180).the_service(name).is_steady().await?;
    }
    show(cluster, &["get", "ecs"]).await?;

    progress::note("load comes: the two tasks of api now use three CPUs, of which they have reserved one");
    scenario.when_fate_changes("api", fate::USAGE_CPU, Some("1500m")).await?;
    let up = scenario.then_within(240);
    up.object("ECSService", "api", "is scaled out to 10 tasks", |api| desired(api) == Some(10)).await?;
    scenario.then_within(120).the_service("api").is_steady().await?;
    progress::note(format!("api has 10 tasks: {}", split(scenario)));
    scenario.when_fate_changes("api", fate::USAGE_CPU, None).await?;
    progress::note("the load is gone; ECS waits 15 minutes before it scales in, and so does this");

    progress::note("a new image for web: its family gets revision 2, and the service follows");
    let web = root().join("examples/02-web.yaml");
    let manifest = std::fs::read_to_string(&web).with_context(|| format!("cannot read {}", web.display()))?;
    let changed = manifest.replace("nginx:1.29-alpine", "nginx:1.30-alpine");
    if changed == manifest {
        bail!("{} does not use the image that the demo changes; correct one of them", web.display());
    }
    cluster.kubectl_with_input(["apply", "-n", NAMESPACE, "-f", "-"], &changed).await?;
    scenario.then_within(180).the_service("web").is_steady_on("web:2").await?;
    show(cluster, &["get", "ecssvc,ecsdep"]).await
}

fn desired(service: &Value) -> Option<i64> {
    service.pointer("/spec/desiredCount")?.as_i64()
}

/// `FARGATE 3, FARGATE_SPOT 7`
fn split(scenario: &Scenario) -> String {
    let mut counts = std::collections::BTreeMap::new();
    for deployment in scenario.objects("Deployment") {
        let label = |name: &str| deployment.pointer("/metadata/labels").and_then(|labels| labels.get(name)?.as_str());
        if label("ecs-operator.dev/service") == Some("api")
            && let Some(provider) = label("ecs-operator.dev/capacity-provider")
        {
            let replicas = deployment.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or_default();
            // A provider has a Deployment for each revision while one is replaced.
            *counts.entry(provider.to_owned()).or_insert(0) += replicas;
        }
    }
    counts.iter().map(|(provider, count)| format!("{provider} {count}")).collect::<Vec<_>>().join(", ")
}

async fn show(cluster: &Cluster, arguments: &[&str]) -> Result<()> {
    let all = arguments.iter().chain(&["-n", NAMESPACE]);
    let printed = cluster.kubectl(all).await?;
    println!("\n$ kubectl {}\n{printed}", arguments.join(" "));
    Ok(())
}

fn explain(cluster: &Cluster, log: &Path) {
    let (kubectl, helm) = (cluster.tools().kubectl.display(), cluster.tools().helm.display());
    let (kubeconfig, unready) = (cluster.kubeconfig().display(), fate::UNREADY);
    let lines = [
        "The cluster stays up until Ctrl-C. In another terminal:".to_owned(),
        format!("  export KUBECONFIG={kubeconfig}"),
        format!("  alias kubectl={kubectl} helm={helm}"),
        format!("  kubectl config set-context --current --namespace={NAMESPACE}"),
        String::new(),
        "Look:".to_owned(),
        "  kubectl get ecs -o wide".to_owned(),
        "  kubectl describe ecssvc web".to_owned(),
        "  kubectl get pods -o wide -L ecs-operator.dev/capacity-provider,ecs-operator.dev/revision".to_owned(),
        String::new(),
        "Change:".to_owned(),
        "  kubectl scale ecssvc web --replicas=6".to_owned(),
        "  kubectl edit ecstd web                # another image is a new revision, and web follows it".to_owned(),
        "  kubectl delete ecsc demo --wait=false # it waits: services use it, and its conditions say which".to_owned(),
        String::new(),
        "Make web's tasks fail their health checks, and heal them:".to_owned(),
        format!("  kubectl annotate pod -l ecs-operator.dev/service=web {unready}=true"),
        format!("  kubectl annotate pod -l ecs-operator.dev/service=web {unready}-"),
        String::new(),
        format!("The operator's log: {}", log.display()),
    ];
    println!("\n{}", lines.join("\n"));
}
