//! The words in which scenarios are written: given, when, then.
//!
//! ```no_run
//! # use std::time::Duration;
//! use e2e::scenario::{Scenario, manifest};
//!
//! # async fn example() -> anyhow::Result<()> {
//! Scenario::run("web", async |scenario| {
//!     scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
//!     scenario.when_applied([manifest::service("web", 3)]).await?;
//!     scenario.then_within(60).the_service("web").is_steady().await
//! })
//! .await
//! # }
//! ```
//!
//! Each scenario has a namespace of its own, so all of them run side by side on one cluster and one operator. Which ones is
//! told by the environment, see [`Environment`].

pub mod alarms;
pub mod audit;
pub mod condition;
mod director;
pub mod json;
pub mod kinds;
pub mod manifest;
mod own_nodes;
pub mod records;
mod report;
pub mod rollout;
pub mod sampler;
mod steps;
pub mod task;
pub mod then;
pub mod view;

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail};
use futures::FutureExt as _;
use k8s_openapi::api::core::v1::{Namespace, Node};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;

pub use alarms::Alarms;
pub use director::{Dealt, Director, HELD, revision};
pub use records::Record;
pub use sampler::{Bounds, Sampler};
pub use steps::Documents;
pub use task::Ended;
pub use then::{ServiceThen, Then};
pub use view::{Objects, View};

use crate::cluster::stages;

/// What `cargo xtask test` tells the scenarios.
#[derive(Clone, Debug)]
pub struct Environment {
    /// `E2E_KUBECONFIG`: the cluster, with an administrator's rights.
    pub kubeconfig: PathBuf,
    /// `E2E_OPERATOR_LOGS`: the operator's log files, separated as in `PATH`; shown when a scenario fails.
    pub logs: Vec<PathBuf>,
    /// `E2E_OPERATOR_URL`: where the leading operator serves its metrics.
    pub url: Option<String>,
    /// `E2E_AUDIT_LOG`: the API server's audit log; not known on a cluster that is not ours.
    pub audit_log: Option<PathBuf>,
    /// `E2E_ALERTMANAGER_URL`: the Alertmanager that the operator asks, if it asks any.
    pub alertmanager: Option<String>,
}

impl Environment {
    /// Name of the variable with the kubeconfig.
    pub const KUBECONFIG: &'static str = "E2E_KUBECONFIG";
    /// Name of the variable with the log files.
    pub const LOGS: &'static str = "E2E_OPERATOR_LOGS";
    /// Name of the variable with the operator's address.
    pub const URL: &'static str = "E2E_OPERATOR_URL";
    /// Name of the variable with the audit log.
    pub const AUDIT_LOG: &'static str = "E2E_AUDIT_LOG";
    /// Name of the variable with the Alertmanager's address.
    pub const ALERTMANAGER: &'static str = "E2E_ALERTMANAGER_URL";

    /// Reads it.
    ///
    /// # Errors
    /// When there is none: says how scenarios are run.
    pub fn read() -> Result<Self> {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let Some(kubeconfig) = variable(Self::KUBECONFIG) else {
            bail!(
                "a scenario needs a cluster with a running operator: run `cargo xtask test` for all of them or `cargo \
                 xtask test --only NAME` for one"
            );
        };
        Ok(Self {
            kubeconfig: kubeconfig.into(),
            logs: variable(Self::LOGS).iter().flat_map(std::env::split_paths).collect(),
            url: std::env::var(Self::URL).ok().filter(|url| !url.is_empty()),
            audit_log: variable(Self::AUDIT_LOG).map(PathBuf::from),
            alertmanager: std::env::var(Self::ALERTMANAGER).ok().filter(|url| !url.is_empty()),
        })
    }
}

/// One scenario under way.
pub struct Scenario {
    /// The cluster and the operator.
    pub environment: Environment,
    client: Client,
    namespace: String,
    view: Arc<View>,
}

/// The label of every scenario's namespace; what runs them can wait until all are gone.
pub const NAMESPACE_LABEL: &str = "e2e.local/scenario";

impl Scenario {
    /// Runs a scenario in a new namespace, and removes the namespace. When it fails, everything in the namespace is
    /// printed first.
    ///
    /// # Errors
    /// What the scenario says.
    pub async fn run(name: &str, story: impl AsyncFnOnce(&Self) -> Result<()>) -> Result<()> {
        Self::run_in(Environment::read()?, name, story).await
    }

    /// The same with a cluster that is not told by the environment.
    ///
    /// # Errors
    /// What the scenario says.
    pub async fn run_in(
        environment: Environment,
        name: &str,
        story: impl AsyncFnOnce(&Self) -> Result<()>,
    ) -> Result<()> {
        let scenario = Self::begin(environment, name).await?;
        let outcome = AssertUnwindSafe(story(&scenario)).catch_unwind().await;
        if !matches!(outcome, Ok(Ok(()))) {
            scenario.print_report().await;
        }
        let ended = scenario.end().await;
        match outcome {
            Ok(Ok(())) => ended,
            Ok(Err(error)) => Err(error.context(format!("in namespace {}", scenario.namespace))),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// The same on nodes that KWOK plays: for scenarios that decide the fate of pods. On other nodes it is skipped, with a
    /// line that says so.
    ///
    /// # Errors
    /// What the scenario says.
    pub async fn run_on_kwok(name: &str, story: impl AsyncFnOnce(&Self) -> Result<()>) -> Result<()> {
        let environment = Environment::read()?;
        let nodes: Api<Node> = Api::all(connect(&environment).await?);
        let nodes = nodes.list(&ListParams::default()).await?.items;
        if nodes.iter().any(|node| node.annotations().contains_key(stages::NODE_ANNOTATION)) {
            return Self::run_in(environment, name, story).await;
        }
        println!("skipped: {name} needs nodes that KWOK plays");
        Ok(())
    }

    async fn begin(environment: Environment, name: &str) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);

        let client = connect(&environment).await?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("{name}-{}-{count}", std::process::id());
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let object = json!({ "metadata": { "name": namespace, "labels": { NAMESPACE_LABEL: name } } });
        namespaces
            .create(&PostParams::default(), &serde_json::from_value(object)?)
            .await
            .with_context(|| format!("cannot create namespace {namespace}"))?;
        Self::in_namespace(environment, &namespace).await
    }

    /// The words for a namespace that is there already and stays.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub async fn in_namespace(environment: Environment, namespace: &str) -> Result<Self> {
        let client = connect(&environment).await?;
        let view = Arc::new(View::new(client.clone(), namespace));
        let scenario = Self { environment, client, namespace: namespace.to_owned(), view };
        futures::future::try_join_all(kinds::watched().map(|known| scenario.view.watch(known))).await?;
        Ok(scenario)
    }

    /// Removes the namespace without waiting for it: it is being emptied while the next scenario runs.
    async fn end(&self) -> Result<()> {
        if std::env::var_os("E2E_KEEP").is_some() {
            return Ok(());
        }
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        match namespaces.delete(&self.namespace, &DeleteParams::default()).await {
            // The scenario itself deleted it.
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            other => Ok(other.map(drop)?),
        }
    }

    /// A client with the administrator's rights.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The scenario's namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// What the watches show.
    #[must_use]
    pub fn view(&self) -> &View {
        &self.view
    }

    /// Begins to check the bounds of a service at every event.
    #[must_use]
    pub fn sample(&self, service: &str, bounds: Bounds) -> Sampler {
        Sampler::start(&self.view, service, bounds)
    }

    /// The same for tasks that fail by themselves: the lower bound only says how many healthy ones must be left whenever
    /// the operator stops one.
    #[must_use]
    pub fn sample_with_failures(&self, service: &str, bounds: Bounds) -> Sampler {
        Sampler::start_with_failures(&self.view, service, bounds)
    }
}

/// A client on the current runtime.
async fn connect(environment: &Environment) -> Result<Client> {
    let path = &environment.kubeconfig;
    let kubeconfig = Kubeconfig::read_from(path).with_context(|| format!("cannot read {}", path.display()))?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}
