//! Other operators that ours works with where a cluster has them: their definitions without the operators themselves, which a
//! scenario plays.

use anyhow::{Context, Result};

use crate::cluster::Cluster;

const DEFINITIONS: &str = include_str!("integrations.yaml");

/// Their definitions, as `kubectl get crd` names them.
const NAMES: [&str; 2] =
    ["crd/externalsecrets.external-secrets.io", "crd/secretproviderclasses.secrets-store.csi.x-k8s.io"];

/// Values of the chart that give the operator the rights it needs for them.
pub const VALUES: [&str; 2] =
    ["integrations.externalSecrets.enabled=true", "integrations.secretsStoreCsi.enabled=true"];

/// Installs the definitions.
///
/// # Errors
/// When the API server refuses one.
pub async fn install(cluster: &Cluster) -> Result<()> {
    cluster.kubectl_with_input(["apply", "--server-side", "-f", "-"], DEFINITIONS).await?;
    let wait = ["wait", "--for=condition=Established", "--timeout=60s"];
    cluster.kubectl(wait.into_iter().chain(NAMES)).await.context("a definition was not accepted")?;
    Ok(())
}
