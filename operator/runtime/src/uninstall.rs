//! Takes the operator's finalizers off everything that has one, so that nothing waits for an operator that is gone.
//!
//! The uninstallation of the chart runs this when the operator's Deployment is deleted. It takes part in the election: an
//! operator that is still shutting down would put the finalizers back, and only the holder of the Lease may write.

use std::time::Duration;

use http::{Method, Request};
use kube::{Client, Config};
use plan::core::kind::{Kind, ObjectKey};
use plan::core::labels::FINALIZER;
use plan::core::op::FIELD_MANAGER;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::api_server::client;
use crate::api_server::execute_error::ExecuteError;
use crate::api_server::metadata::{self, Identity, Page};
use crate::api_server::request;
use crate::clock::Clock;
use crate::lead::leadership::Leadership;
use crate::lead::lease::{Election, Elector, Lost};
use crate::serve::metrics::Metrics;

/// After this time somebody has to look why. Less than what Helm waits for a hook: five minutes.
const LIMIT: Duration = Duration::from_mins(3);
/// One request.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);
/// Between two looks, when somebody changed an object in between or the server did not answer.
const PAUSE: Duration = Duration::from_secs(1);
/// Objects of one page of a list.
const PAGE: &str = "500";

/// Where the finalizers are taken off.
#[derive(Clone, Debug)]
pub struct Uninstall {
    /// Namespaces that the operator worked in; empty means all.
    pub namespaces: Vec<String>,
    /// The election that the operator took part in, or `None` if there was none.
    pub election: Option<Election>,
}

/// Why finalizers are left.
#[derive(Debug, thiserror::Error)]
pub enum UninstallError {
    /// Neither a kubeconfig nor the files that a pod gets.
    #[error("no cluster is configured: {0}")]
    Config(#[source] Box<kube::config::InferConfigError>),
    /// The configuration of the client cannot be used.
    #[error("the Kubernetes client cannot be made: {0}")]
    Client(#[source] Box<kube::Error>),
    /// An operator leads and does not stop.
    #[error("another process holds the lease {0} and renews it: stop the operator first")]
    StillLed(String),
    /// The lease that was just taken is gone again.
    #[error(transparent)]
    Lease(#[from] Lost),
    /// Nothing that a later try would change.
    #[error("{0}")]
    Refused(#[source] ExecuteError),
    /// The server did not answer, or objects changed all the time.
    #[error("finalizers are left after {LIMIT:?}: {0}")]
    Late(String),
}

/// Takes them off, in the cluster of the kubeconfig (`KUBECONFIG`) or in the one this process runs in. Returns how many
/// objects had one.
///
/// # Errors
/// When some are left, with the reason.
pub async fn uninstall(what: Uninstall) -> Result<usize, UninstallError> {
    let config = Config::infer().await.map_err(|error| UninstallError::Config(Box::new(error)))?;
    let connection = client::connect(config, std::sync::Arc::new(Metrics::default()));
    let client = connection.map_err(|error| UninstallError::Client(Box::new(error)))?.client;
    match &what.election {
        Some(election) => alone(&client, election.clone(), release(&client, &what.namespaces)).await,
        None => release(&client, &what.namespaces).await,
    }
}

/// Does `work` while this process holds the Lease.
async fn alone(
    client: &Client,
    election: Election,
    work: impl Future<Output = Result<usize, UninstallError>>,
) -> Result<usize, UninstallError> {
    let (leadership, stop) = (Leadership::none(), CancellationToken::new());
    let name = election.name.clone();
    // An operator that was killed leaves a Lease that has to run out.
    let longest = election.lease * 2 + election.retry * 2;
    let elector = Elector::new(client.clone(), election, leadership.clone(), Clock::system()).run(stop.clone());
    tokio::pin!(elector);
    let led = async {
        timeout(longest, leadership.acquired()).await.map_err(|_| UninstallError::StillLed(name))?;
        work.await
    };
    let released = tokio::select! {
        lost = &mut elector => return Err(lost.err().unwrap_or(Lost::Expired).into()),
        released = led => released,
    };
    stop.cancel();
    // Whoever is installed next need not wait for the Lease to run out.
    let _ = elector.await;
    released
}

/// Looks and takes off until a list shows none.
async fn release(client: &Client, namespaces: &[String]) -> Result<usize, UninstallError> {
    let mut released = 0;
    let mut last = String::new();
    let passes = async {
        loop {
            match pass(client, namespaces).await {
                Ok(Pass { found: 0, .. }) => return Ok(released),
                Ok(pass) => released += pass.released,
                Err(error) if error.is_transient() => last = error.to_string(),
                Err(error) => return Err(UninstallError::Refused(error)),
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    timeout(LIMIT, passes).await.unwrap_or(Err(UninstallError::Late(last)))
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Pass {
    found: usize,
    released: usize,
}

async fn pass(client: &Client, namespaces: &[String]) -> Result<Pass, ExecuteError> {
    let mut pass = Pass::default();
    for kind in Kind::ALL.into_iter().filter(|kind| kind.has_finalizer()) {
        let places: Vec<Option<&str>> = if kind.is_namespaced() && !namespaces.is_empty() {
            namespaces.iter().map(|namespace| Some(namespace.as_str())).collect()
        } else {
            vec![None]
        };
        for place in places {
            for item in held(client, kind, place).await? {
                pass.found += 1;
                pass.released += usize::from(let_go(client, kind, item).await?);
            }
        }
    }
    Ok(pass)
}

/// The objects that have the finalizer.
async fn held(client: &Client, kind: Kind, namespace: Option<&str>) -> Result<Vec<Identity>, ExecuteError> {
    let collection = request::collection(kind, namespace)?;
    let mut held = Vec::new();
    let mut next = None;
    loop {
        let mut pairs = vec![("limit", PAGE)];
        pairs.extend(next.as_deref().map(|next| ("continue", next)));
        let page: Page = match send(client, metadata::list(&collection, &pairs)?).await {
            // The definitions are gone, and all objects with them.
            Err(ExecuteError::NotFound(_)) => return Ok(Vec::new()),
            other => other?,
        };
        next = page.next();
        held.extend(page.identities().filter(|item| item.finalizers.iter().any(|name| name == FINALIZER)));
        if next.is_none() {
            return Ok(held);
        }
    }
}

/// Whether it was taken off. Not so when the object has changed since it was read.
async fn let_go(client: &Client, kind: Kind, item: Identity) -> Result<bool, ExecuteError> {
    let key = ObjectKey { kind, namespace: item.namespace, name: item.name };
    let left: Vec<String> = item.finalizers.into_iter().filter(|name| name != FINALIZER).collect();
    let body = json!({"metadata": {"resourceVersion": item.resource_version, "finalizers": left}});
    let path = format!("{}?{}", request::item(&key)?, request::query(&[("fieldManager", FIELD_MANAGER)]));
    let request = request::send(Method::PATCH, &path, "application/merge-patch+json", &body)?;
    match send::<Value>(client, request).await {
        Ok(_) => {
            let (ns, name) = (key.namespace.as_deref().unwrap_or_default(), key.name.as_str());
            info!(kind = kind.kind(), ns, name, step = "uninstall", "finalizer taken off");
            Ok(true)
        }
        Err(ExecuteError::NotFound(_) | ExecuteError::Conflict(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn send<T: DeserializeOwned>(client: &Client, request: Request<Vec<u8>>) -> Result<T, ExecuteError> {
    let answer = timeout(REQUEST_LIMIT, client.request::<T>(request)).await;
    answer.map_err(|_| ExecuteError::Deadline(REQUEST_LIMIT))?.map_err(ExecuteError::read)
}

#[cfg(test)]
#[path = "uninstall_tests.rs"]
mod tests;
