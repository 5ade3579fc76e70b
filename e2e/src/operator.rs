//! The operator under test: its own process, with the rights of the chart's ServiceAccount and no more.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::cluster::{Cluster, ProcessEnded, until};
use crate::http::get;
use crate::xtask;

/// The namespace that the chart is installed into.
pub const NAMESPACE: &str = "ecs-operator-system";
/// The release, which is also the name of the ServiceAccount.
pub const RELEASE: &str = "ecs-operator";
/// The user as which the API server knows the operator.
pub const USER: &str = "system:serviceaccount:ecs-operator-system:ecs-operator";

/// Registries that the operator under test asks: those that run beside it.
const REGISTRIES: &str = "127.0.0.1:*";

/// How an operator is started.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The binary.
    pub program: PathBuf,
    /// Whose rights it has.
    pub kubeconfig: PathBuf,
    /// Name in Events, in the Lease and of the log file.
    pub instance: String,
    /// Where the log goes.
    pub log_folder: PathBuf,
    /// The lease that replicas of it share.
    pub lease: String,
    /// Seconds after which another replica takes over.
    pub lease_seconds: u32,
    /// Namespaces it works in; empty for all.
    pub namespaces: Vec<String>,
    /// URL of the Alertmanager that it asks.
    pub alertmanager: Option<String>,
}

impl Launch {
    /// The debug build, with the ServiceAccount that the chart made in this cluster, working in all namespaces.
    ///
    /// # Errors
    /// When the chart is not installed.
    pub async fn installed(cluster: &Cluster, instance: &str) -> Result<Self> {
        Ok(Self {
            program: program(),
            kubeconfig: cluster.service_account_kubeconfig(NAMESPACE, RELEASE).await?,
            instance: instance.to_owned(),
            log_folder: cluster.scratch()?,
            lease: RELEASE.to_owned(),
            lease_seconds: 15,
            namespaces: Vec::new(),
            alertmanager: cluster.alertmanager(),
        })
    }

    /// The same for these namespaces only, under a lease of its own.
    #[must_use]
    pub fn only(mut self, lease: &str, namespaces: &[&str]) -> Self {
        lease.clone_into(&mut self.lease);
        self.namespaces = namespaces.iter().map(|&name| name.to_owned()).collect();
        self
    }

    /// The same under another name: one more replica.
    #[must_use]
    pub fn named(&self, instance: &str) -> Self {
        Self { instance: instance.to_owned(), ..self.clone() }
    }

    /// Where it writes its log, which goes on when it is started again.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.log_folder.join(format!("{}.log", self.instance))
    }

    /// Starts it. Does not wait until it is ready.
    ///
    /// # Errors
    /// When the program cannot be run.
    pub fn spawn(&self) -> Result<Operator> {
        let port = free_port()?;
        let log = self.log();
        let output = File::options().create(true).append(true).open(&log);
        let output = output.with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = Command::new(&self.program);
        command
            .arg("run")
            .arg(format!("--bind-address=127.0.0.1:{port}"))
            .arg("--log-format=json")
            .arg(format!("--instance={}", self.instance))
            .arg(format!("--lease-name={}", self.lease))
            .arg(format!("--lease-namespace={NAMESPACE}"))
            .arg(format!("--lease-duration={}", self.lease_seconds))
            .arg(format!("--lease-renew-deadline={}", (self.lease_seconds * 2 / 3).max(2)))
            .arg(format!("--lease-retry-period={}", (self.lease_seconds / 6).max(1)))
            // Images of scenarios exist nowhere, except those in a registry that a scenario starts.
            .arg(format!("--image-resolution={REGISTRIES}"))
            .arg(format!("--insecure-registries={REGISTRIES}"))
            .arg("--image-pull-secrets")
            // The scheduler of a local cluster has the chart's profiles.
            .arg("--binpack-scheduler")
            .env("KUBECONFIG", &self.kubeconfig)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true);
        if !self.namespaces.is_empty() {
            command.arg(format!("--namespaces={}", self.namespaces.join(",")));
        }
        if let Some(url) = &self.alertmanager {
            command.arg(format!("--alertmanager-url={url}"));
        }
        let child = command.spawn().with_context(|| {
            format!("cannot run {}: build it with `cargo build -p ecs-operator`", self.program.display())
        })?;
        Ok(Operator { instance: self.instance.clone(), child, port, log })
    }
}

/// A running operator; it is killed when the value is dropped.
#[derive(Debug)]
pub struct Operator {
    instance: String,
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Operator {
    /// `http://127.0.0.1:<port>`
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The log file.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until every kind was listed.
    ///
    /// # Errors
    /// When it is not ready within half a minute, or ends; the message holds what is missing or the end of the log.
    pub async fn ready(&mut self) -> Result<()> {
        self.until("is ready", |state| state.get("ready") == Some(&Value::Bool(true))).await
    }

    /// Waits until it is ready and holds the lease.
    ///
    /// # Errors
    /// As [`Operator::ready`].
    pub async fn leads(&mut self) -> Result<()> {
        self.until("is ready and leads", |state| {
            state.get("ready") == Some(&Value::Bool(true)) && state.get("leads") == Some(&Value::Bool(true))
        })
        .await
    }

    async fn until(&mut self, what: &str, is_so: impl Fn(&Value) -> bool) -> Result<()> {
        let what = format!("operator {} {what}", self.instance);
        let (url, log) = (self.url(), self.log.clone());
        let child = std::sync::Mutex::new(&mut self.child);
        until(&what, Duration::from_secs(30), async || {
            let ended = child.lock().ok().and_then(|mut child| child.try_wait().ok().flatten());
            if let Some(status) = ended {
                let text = format!("the operator ended with {status}; the end of its log:\n{}", tail(&log, 20));
                return Err(ProcessEnded(text).into());
            }
            let (_, body) = get(&format!("{url}/readyz")).await?;
            let state: Value = serde_json::from_str(&body)?;
            ensure!(is_so(&state), "/readyz says {body}");
            Ok(Some(()))
        })
        .await
    }

    /// Whether it holds the lease now.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn is_leading(&self) -> Result<bool> {
        let (_, body) = get(&format!("{}/readyz", self.url())).await?;
        let state: Value = serde_json::from_str(&body)?;
        Ok(state.get("leads") == Some(&Value::Bool(true)))
    }

    /// Waits until it ends by itself, which it should not.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait().await?)
    }

    /// How it ended, if it did.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Ends it without a chance to clean up.
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Stops it in its tracks, as a machine that swaps or a virtual machine that is being moved would.
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on after [`Operator::freeze`].
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub fn thaw(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Ok(kill_process(pid.context("it has ended")?, signal)?)
    }

    /// Sends SIGTERM and waits for the end.
    ///
    /// # Errors
    /// When it does not end within 30 seconds.
    pub async fn terminate(mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        let ended = tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await;
        Ok(ended.with_context(|| format!("operator {} did not end within 30 s of SIGTERM", self.instance))??)
    }
}

/// The debug build of the operator.
#[must_use]
pub fn program() -> PathBuf {
    xtask::target_folder().join("debug").join("ecs-operator")
}

/// Installs both charts as the README does, but with no replica: the operator runs outside.
///
/// # Errors
/// When Helm refuses.
pub async fn install_charts(cluster: &Cluster) -> Result<()> {
    install_with_replicas(cluster, 0).await
}

/// Installs both charts and waits until this many operators run in the cluster, from the image that was loaded into it.
///
/// # Errors
/// When Helm refuses or the operators do not become ready within two minutes.
pub async fn install_with_replicas(cluster: &Cluster, replicas: u32) -> Result<()> {
    install_with(cluster, replicas, &[]).await
}

/// The same with values of the operator's chart, each as `--set` takes it.
///
/// # Errors
/// As [`install_with_replicas`].
pub async fn install_with(cluster: &Cluster, replicas: u32, values: &[&str]) -> Result<()> {
    let charts = xtask::root().join("charts");
    let chart = |name: &str| charts.join(name).display().to_string();
    let definitions = chart("ecs-operator-crds");
    cluster.helm(["upgrade", "--install", "ecs-operator-crds", definitions.as_str()]).await?;
    cluster
        .kubectl(["wait", "--for=condition=Established", "--timeout=60s", "crd", "-l", CRD_LABEL])
        .await
        .context("the CustomResourceDefinitions were not accepted")?;
    let operator = chart("ecs-operator");
    let arguments = ["upgrade", "--install", RELEASE, &operator, "-n", NAMESPACE, "--create-namespace"];
    let count = format!("replicas={replicas}");
    // What `Launch` says to an operator that runs here.
    let registries = format!("imageResolution.registries={{{REGISTRIES}}}");
    let settings = ["--set", &count, "--set", &registries, "--set", "imageResolution.pullSecrets=true"];
    let values = values.iter().flat_map(|value| ["--set", value]);
    cluster.helm(arguments.into_iter().chain(settings).chain(values)).await?;
    if replicas == 0 {
        allow_leases(cluster).await?;
    } else {
        let deployment = format!("deployment/{RELEASE}");
        cluster
            .kubectl(["-n", NAMESPACE, "rollout", "status", &deployment, "--timeout=120s"])
            .await
            .context("the operator does not run: is its image in the cluster? (`cargo xtask image`, `kind load`)")?;
    }
    Ok(())
}

/// Operators that run here have leases of several names, and the chart's rights are for one.
async fn allow_leases(cluster: &Cluster) -> Result<()> {
    let name = "e2e-leases";
    let objects = json!({ "apiVersion": "v1", "kind": "List", "items": [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": { "name": name },
            "rules": [{ "apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "update"] }],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": name },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name },
            "subjects": [{ "kind": "ServiceAccount", "name": RELEASE, "namespace": NAMESPACE }],
        },
    ] });
    cluster.kubectl_with_input(["-n", NAMESPACE, "apply", "-f", "-"], &objects.to_string()).await?;
    Ok(())
}

const CRD_LABEL: &str = "app.kubernetes.io/part-of=ecs-operator";

/// All metrics, as text.
///
/// # Errors
/// When the operator does not answer.
pub async fn metrics(url: &str) -> Result<String> {
    Ok(get(&format!("{url}/metrics")).await?.1)
}

/// The value of a metric that has no labels, or the sum over all labels.
///
/// # Errors
/// When the operator does not answer.
pub async fn metric(url: &str, name: &str) -> Result<f64> {
    let text = metrics(url).await?;
    let samples = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        if !rest.starts_with(['{', ' ']) {
            return None;
        }
        rest.rsplit(' ').next()?.parse::<f64>().ok()
    });
    Ok(samples.sum())
}

/// The end of a log file.
#[must_use]
pub fn tail(log: &Path, lines: usize) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let all: Vec<_> = text.lines().collect();
    all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn when_a_metric_has_labels_then_all_of_them_are_added_up() {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0_u8; 512];
            let _ = stream.read(&mut request).await.unwrap();
            let body = "ops_total{verb=\"create\"} 2\nops_total{verb=\"apply\"} 3\nops_total_other 9\n";
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all((head + body).as_bytes()).await.unwrap();
        });
        assert!((metric(&url, "ops_total").await.unwrap() - 5.0).abs() < f64::EPSILON);
    }
}
