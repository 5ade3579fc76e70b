//! Chart and operator on a cluster, and the end of both.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::ListParams;

use crate::cluster::{Cluster, until};
use crate::integrations;
use crate::operator::{self, Launch, NAMESPACE, Operator, RELEASE};
use crate::progress;
use crate::scenario::{Environment, NAMESPACE_LABEL};
use crate::xtask::root;

/// Chart and operator on a cluster.
pub(in crate::xtask) struct System {
    /// `None` when the operator runs in the cluster itself.
    operator: Option<Operator>,
    kubeconfig: PathBuf,
    audit_log: Option<PathBuf>,
}

impl System {
    /// Installs the charts and waits until an operator leads, in the cluster or beside it.
    pub(in crate::xtask) async fn start(cluster: &Cluster, is_inside: bool) -> Result<Self> {
        // The tests run in another folder.
        let kubeconfig = std::path::absolute(cluster.kubeconfig())?;
        let audit_log = cluster.audit_log().ok();
        if runs_inside(cluster).await? {
            progress::note(format!("using the operator that runs in namespace {NAMESPACE}"));
            return Ok(Self { operator: None, kubeconfig, audit_log });
        }
        let step = progress::step("installing the charts");
        let charts = root().join("charts");
        for chart in ["ecs-operator-crds", "ecs-operator"] {
            let path = charts.join(chart).display().to_string();
            cluster.helm(["lint", "--strict", &path]).await.with_context(|| format!("chart {chart}"))?;
        }
        if is_inside {
            // The chart must do with the strictest rules for pods.
            let labels = serde_json::json!({ "pod-security.kubernetes.io/enforce": "restricted" });
            let metadata = serde_json::json!({ "name": NAMESPACE, "labels": labels });
            let namespace = serde_json::json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata });
            cluster.kubectl_with_input(["apply", "-f", "-"], &namespace.to_string()).await?;
        }
        integrations::install(cluster).await?;
        operator::install_with(cluster, if is_inside { 2 } else { 0 }, &integrations::VALUES).await?;
        step.done();
        if is_inside {
            return Ok(Self { operator: None, kubeconfig, audit_log });
        }
        let step = progress::step("starting the operator as its ServiceAccount");
        let mut operator = Launch::installed(cluster, "ecs-operator-0").await?.spawn()?;
        operator.leads().await?;
        step.done();
        Ok(Self { operator: Some(operator), kubeconfig, audit_log })
    }

    /// Where the tests find both.
    pub(super) fn environment(&self) -> Vec<(&'static str, OsString)> {
        let mut environment = vec![(Environment::KUBECONFIG, self.kubeconfig.clone().into_os_string())];
        if let Some(operator) = &self.operator {
            environment.push((Environment::LOGS, operator.log().into()));
            environment.push((Environment::URL, operator.url().into()));
        }
        if let Some(log) = &self.audit_log {
            environment.push((Environment::AUDIT_LOG, log.into()));
        }
        environment
    }

    /// Waits until the scenarios' namespaces are gone, which needs the operator, and ends it.
    pub(super) async fn end(self, cluster: &Cluster) -> Result<()> {
        let step = progress::step("removing what the scenarios left");
        let namespaces: Api<Namespace> = Api::all(cluster.client()?);
        let ours = ListParams::default().labels(NAMESPACE_LABEL);
        until("the scenarios' namespaces are gone", Duration::from_secs(90), async || {
            let left = namespaces.list(&ours).await?.items;
            let names: Vec<_> = left.into_iter().filter_map(|namespace| namespace.metadata.name).collect();
            ensure!(names.is_empty(), "there are {}", names.join(", "));
            Ok(Some(()))
        })
        .await?;
        if let Some(operator) = self.operator {
            let status = operator.terminate().await?;
            ensure!(status.success(), "the operator ended with {status} on SIGTERM; it must end well");
        }
        step.done();
        Ok(())
    }
}

/// Whether the chart was installed with replicas by somebody else.
async fn runs_inside(cluster: &Cluster) -> Result<bool> {
    let deployments: Api<Deployment> = Api::namespaced(cluster.client()?, NAMESPACE);
    let replicas = deployments.get_opt(RELEASE).await?.and_then(|found| found.spec).and_then(|spec| spec.replicas);
    Ok(replicas.is_some_and(|replicas| replicas > 0))
}
