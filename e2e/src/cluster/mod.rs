//! A cluster for tests, demo and benches: a local one made of plain processes, or any that a kubeconfig names.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use e2e::cluster::{Cluster, Options, Process};
//!
//! let cluster = Cluster::start(Options::default()).await?;
//! cluster.kubectl(["get", "nodes"]).await?;
//! cluster.local()?.stop(Process::ApiServer)?;
//! # Ok(()) }
//! ```
//!
//! A local cluster ends with the value, and also when this program is interrupted or killed.

mod binaries;
mod components;
mod control_plane;
mod extras;
mod kubeconfig;
pub mod local;
pub mod nodes;
pub mod paths;
mod pki;
pub mod plan;
mod process;
pub mod real;
pub mod stages;
mod tools;
mod wait;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client};
use tokio::process::Command;

pub(crate) use binaries::tail;
pub use binaries::{Programs, resolve};
pub use components::{Binary, Component, Version};
pub use local::{Local, NotLocal, State, down};
pub use nodes::{Capacity, CapacityLabel, NodeTemplate, Nodes};
pub use plan::{ClientLimits, Plan, Ports, Process, RealNodes};
pub use process::ProcessId;
pub use stages::fate;
pub use tools::Tools;
pub use wait::{ProcessEnded, until};

use crate::progress;

/// What a local cluster is to be like.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools)] // independent questions, each named where it is answered
pub struct Options {
    /// The name of its folder; `None` for one that is used once.
    pub name: Option<String>,
    /// Who plays the nodes.
    pub nodes: Nodes,
    /// Whether metrics-server runs.
    pub metrics: bool,
    /// How fast the controllers and the scheduler may be.
    pub limits: ClientLimits,
    /// Whether Alertmanager runs.
    pub alertmanager: bool,
    /// The API server's port; `None` for a free one.
    pub api_port: Option<u16>,
    /// Stay when this program ends.
    pub detached: bool,
    /// Leave the folder with all logs when the cluster ends.
    pub keep_folder: bool,
}

impl Default for Options {
    /// A cluster that is used once, with six nodes and metrics. Setting `E2E_KEEP` leaves its folder.
    fn default() -> Self {
        Self {
            name: None,
            nodes: Nodes::default(),
            metrics: true,
            limits: ClientLimits::default(),
            alertmanager: false,
            api_port: None,
            detached: false,
            keep_folder: std::env::var_os("E2E_KEEP").is_some(),
        }
    }
}

/// A cluster.
#[derive(Debug)]
pub struct Cluster {
    kubeconfig: PathBuf,
    config: kube::Config,
    tools: Tools,
    folder: PathBuf,
    local: Option<Local>,
}

impl Cluster {
    /// Starts a local cluster and waits until it can be used.
    ///
    /// # Errors
    /// When a program cannot be had, a port is taken or a process ends; the message says what to do.
    pub async fn start(options: Options) -> Result<Self> {
        let real = match &options.nodes {
            Nodes::Real(nodes) => Some(nodes.clone()),
            Nodes::Kwok(_) | Nodes::None => None,
        };
        let mut wanted = Binary::LOCAL.to_vec();
        wanted.extend(options.alertmanager.then_some(Binary::Alertmanager));
        if real.is_some() {
            real::require().await?;
            wanted.extend(Binary::REAL);
        }
        let programs = resolve(&wanted).await?;
        let folder = paths::clusters()?.join(options.name.clone().unwrap_or_else(unique_name));
        if let Some(state) = State::read(&folder)?
            && !state.running().is_empty()
        {
            bail!(
                "a cluster runs already in {}: end it with `cargo xtask cluster down`, or choose another name",
                folder.display()
            );
        }
        if folder.exists() {
            real::cgroups::remove(&folder)?;
            fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        let plan = Plan {
            folder: folder.clone(),
            ports: Ports::free(options.api_port)?,
            programs,
            real,
            limits: options.limits,
        };
        if let Err(error) = control_plane::write_files(&plan) {
            // Nothing runs yet that would remove it.
            let _ = fs::remove_dir_all(&folder);
            return Err(error);
        }
        let kubeconfig = plan.kubeconfig();
        let cluster = Self {
            config: read_config(&kubeconfig).await?,
            tools: Tools::new(&plan.programs, &folder)?,
            local: Some(Local::new(plan, options.detached, options.keep_folder)?),
            kubeconfig,
            folder,
        };
        if let Err(error) = cluster.bring_up(&options).await {
            // What is detached would stay half started.
            if options.detached {
                down(&cluster.folder)?;
            }
            return Err(error);
        }
        Ok(cluster)
    }

    async fn bring_up(&self, options: &Options) -> Result<()> {
        let local = self.local()?;
        let client = self.client()?;
        let real = local.plan().real.as_ref();
        if let Some(nodes) = real {
            real::start::network(local, nodes).await?;
        }
        let step = progress::step("starting etcd and kube-apiserver");
        local.start(Process::Etcd)?;
        local.start(Process::ApiServer)?;
        if let Some(nodes) = real {
            // Meanwhile: kubelet asks again until the API server answers.
            real::start::nodes(local, nodes).await?;
        }
        self.wait_ready().await?;
        step.done();

        let step = progress::step("starting controllers, scheduler, nodes and metrics");
        local.start(Process::ControllerManager)?;
        local.start(Process::Scheduler)?;
        if let Nodes::Kwok(templates) = &options.nodes {
            local.start(Process::Kwok)?;
            nodes::add(&client, templates).await?;
        }
        if real.is_none() {
            extras::storage_class(&client).await?;
        }
        extras::snapshot_api(&client).await?;
        if options.metrics {
            local.start(Process::MetricsServer)?;
            extras::metrics_api(&client, local.plan().ports.metrics).await?;
        }
        if options.alertmanager {
            local.start(Process::Alertmanager)?;
            local.wait_listening(Process::Alertmanager).await?;
        }
        let default_account: Api<ServiceAccount> = Api::default_namespaced(client.clone());
        until("the default ServiceAccount exists", Duration::from_secs(30), async || {
            local.check()?;
            Ok(default_account.get_opt("default").await?)
        })
        .await?;
        let nodes: Api<Node> = Api::all(client);
        let expected = real.map_or(0, |nodes| usize::from(nodes.count));
        until("every node is ready", Duration::from_mins(1), async || {
            local.check()?;
            let nodes = nodes.list(&ListParams::default()).await?.items;
            Ok((nodes.len() >= expected && nodes.iter().all(can_run_pods)).then_some(()))
        })
        .await
        .map_err(|error| match real {
            Some(nodes) => error.context(real::said(local.plan(), nodes)),
            None => error,
        })?;
        local.check()?;
        step.done();
        Ok(())
    }

    /// The cluster that `E2E_KUBECONFIG` names: kind or any other. `None` when it is not set.
    ///
    /// # Errors
    /// When the file cannot be read or the cluster does not answer.
    pub async fn from_env() -> Result<Option<Self>> {
        let Some(path) = std::env::var_os("E2E_KUBECONFIG").filter(|path| !path.is_empty()) else {
            return Ok(None);
        };
        Self::attach(Path::new(&path)).await.map(Some)
    }

    /// A cluster that somebody else runs.
    ///
    /// # Errors
    /// When the kubeconfig cannot be read or the cluster does not answer.
    pub async fn attach(kubeconfig: &Path) -> Result<Self> {
        let programs = resolve(&[Binary::Kubectl, Binary::Helm]).await?;
        let folder = paths::clusters()?.join(unique_name());
        let cluster = Self {
            config: read_config(kubeconfig).await?,
            tools: Tools::new(&programs, &folder)?,
            local: None,
            kubeconfig: kubeconfig.to_owned(),
            folder,
        };
        let version = cluster
            .client()?
            .apiserver_version()
            .await
            .with_context(|| format!("the cluster of {} does not answer: is it running?", kubeconfig.display()))?;
        progress::note(format!("using the cluster of {}, Kubernetes {}", kubeconfig.display(), version.git_version));
        Ok(cluster)
    }

    /// The cluster that `E2E_KUBECONFIG` names, or a local one.
    ///
    /// # Errors
    /// As [`Cluster::from_env`] and [`Cluster::start`].
    pub async fn from_env_or_start(options: Options) -> Result<Self> {
        match Self::from_env().await? {
            Some(cluster) => Ok(cluster),
            None => Self::start(options).await,
        }
    }

    /// The administrator's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A client with the administrator's rights, on the current Tokio runtime.
    ///
    /// # Errors
    /// When the kubeconfig's credentials cannot be used.
    pub fn client(&self) -> Result<Client> {
        Ok(Client::try_from(self.config.clone())?)
    }

    /// A folder of this cluster for files that a scenario needs.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn scratch(&self) -> Result<PathBuf> {
        let folder = self.folder.join("scratch");
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(folder)
    }

    /// The paths of kubectl and Helm.
    #[must_use]
    pub fn tools(&self) -> &Tools {
        &self.tools
    }

    /// Runs kubectl as administrator and returns what it printed.
    ///
    /// # Errors
    /// When it fails.
    pub async fn kubectl<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Result<String> {
        self.tools.run(&self.tools.kubectl, &self.kubeconfig, arguments, None).await
    }

    /// Runs kubectl as administrator with a text as its standard input, for `apply -f -`.
    ///
    /// # Errors
    /// When it fails.
    pub async fn kubectl_with_input<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
        input: &str,
    ) -> Result<String> {
        self.tools.run(&self.tools.kubectl, &self.kubeconfig, arguments, Some(input)).await
    }

    /// Runs Helm as administrator and returns what it printed.
    ///
    /// # Errors
    /// When it fails.
    pub async fn helm<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Result<String> {
        self.tools.run(&self.tools.helm, &self.kubeconfig, arguments, None).await
    }

    /// A kubeconfig with a token of a ServiceAccount, good for a day: how the operator runs under its own rights outside
    /// the cluster.
    ///
    /// # Errors
    /// When there is no such ServiceAccount or the file cannot be written.
    pub async fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client()?, namespace);
        let request = TokenRequest {
            spec: TokenRequestSpec { audiences: Vec::new(), expiration_seconds: Some(86_400), ..Default::default() },
            ..Default::default()
        };
        let token = accounts
            .create_token_request(name, &PostParams::default(), &request)
            .await
            .with_context(|| format!("cannot get a token for ServiceAccount {namespace}/{name}"))?
            .status
            .context("the API server sent no token")?
            .token;
        let authority =
            self.config.root_cert.iter().flatten().map(|der| pki::pem("CERTIFICATE", der)).collect::<String>();
        let path = self.folder.join(format!("{namespace}-{name}.kubeconfig"));
        let user = format!("{namespace}-{name}");
        let server = self.config.cluster_url.to_string();
        kubeconfig::write(&path, &server, &authority, &user, kubeconfig::Credentials::Token(token))?;
        Ok(path)
    }

    /// The processes, for scenarios that stop some of them.
    ///
    /// # Errors
    /// [`NotLocal`] when the cluster is not a local one: skip the scenario.
    pub fn local(&self) -> Result<&Local, NotLocal> {
        self.local.as_ref().ok_or(NotLocal)
    }

    /// A command that reaches pods and Services: on a cluster with real nodes it runs in the network of the nodes.
    ///
    /// # Errors
    /// When that network is gone.
    pub fn command(&self, program: &Path) -> Result<Command> {
        match &self.local {
            Some(local) if local.plan().real.is_some() => {
                let mut command = Command::new(real::tool("nsenter"));
                let network = local.id(Process::Network)?.pid;
                command.arg(format!("--net=/proc/{network}/ns/net")).arg("--").arg(program);
                Ok(command)
            }
            _ => Ok(Command::new(program)),
        }
    }

    /// The API server's audit log: one JSON line per finished request.
    ///
    /// # Errors
    /// [`NotLocal`] when the cluster is not a local one.
    pub fn audit_log(&self) -> Result<PathBuf, NotLocal> {
        Ok(self.local()?.plan().audit_log())
    }

    /// The address of the Alertmanager, whether it runs at the moment or not; `None` when the cluster has none.
    #[must_use]
    pub fn alertmanager(&self) -> Option<String> {
        let plan = self.local.as_ref().map(Local::plan)?;
        plan.programs.contains_key(&Binary::Alertmanager).then(|| plan.alertmanager())
    }

    /// Stops a process; its data stays.
    ///
    /// # Errors
    /// When the cluster is not a local one.
    pub async fn stop(&self, process: Process) -> Result<()> {
        let local = self.local()?;
        if process == Process::Kwok {
            local.stop(process)?;
            // A new KWOK has another identity and would wait for the old one's leases to run out.
            let leases: Api<Lease> = Api::namespaced(self.client()?, "kube-node-lease");
            leases.delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
            return Ok(());
        }
        local.stop(process)
    }

    /// Starts a process that was stopped, and waits until it listens; for the API server and etcd, until the API server is
    /// ready.
    ///
    /// After half a minute without an API server, Kubernetes' own controllers and KWOK take up to another half a minute to
    /// look again (the back-off of their watches); restart them as well where a scenario does not want to wait.
    ///
    /// # Errors
    /// When the cluster is not a local one or the process ends.
    pub async fn resume(&self, process: Process) -> Result<()> {
        let local = self.local()?;
        local.start(process)?;
        local.wait_listening(process).await?;
        match process {
            Process::ApiServer => self.wait_ready().await,
            _ => Ok(()),
        }
    }

    /// Stops a process and starts it again.
    ///
    /// # Errors
    /// As [`Cluster::stop`] and [`Cluster::resume`].
    pub async fn restart(&self, process: Process) -> Result<()> {
        self.stop(process).await?;
        self.resume(process).await
    }

    /// Waits until the API server says that it is ready.
    ///
    /// # Errors
    /// When it does not within 60 seconds or a process ends.
    pub async fn wait_ready(&self) -> Result<()> {
        let client = self.client()?;
        until("kube-apiserver is ready", Duration::from_mins(1), async || {
            if let Some(local) = &self.local {
                local.check()?;
            }
            let request = http::Request::get("/readyz").body(Vec::new())?;
            Ok((client.request_text(request).await? == "ok").then_some(()))
        })
        .await
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // A local cluster removes its folder itself, when its processes have ended.
        if self.local.is_none() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// A name that no other cluster of this machine has.
fn unique_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("run-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

async fn read_config(path: &Path) -> Result<kube::Config> {
    let kubeconfig = Kubeconfig::read_from(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?)
}

/// Ready, and without the taint that new nodes carry.
fn can_run_pods(node: &Node) -> bool {
    let ready = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let ready = ready.filter(|condition| condition.type_ == "Ready").any(|condition| condition.status == "True");
    let taints = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
    ready && !taints.into_iter().any(|taint| taint.key == "node.kubernetes.io/not-ready")
}
