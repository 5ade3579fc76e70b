//! Finds out what the API server is and serves: version, groups and their versions.

use std::time::Duration;

use kube::Client;
use plan::ClusterFeatures;
use plan::core::integration::Integration;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::error_chain::chain;

/// How often the server is asked again. A cluster begins to serve another group when somebody installs something.
const INTERVAL: Duration = Duration::from_mins(5);
/// Pause after a failed question at the start.
const PAUSE: Duration = Duration::from_secs(2);
/// For both answers. A server that is away may take a connection and never answer; with [`PAUSE`], one that is back is heard
/// 7 seconds later at the latest.
const DEADLINE: Duration = Duration::from_secs(5);

/// Asks once. Groups in `ignored` count as not served: the operator has no rights to them. Of the others only those count
/// that plans ask for, so that it is no news when somebody installs something else.
///
/// # Errors
/// What the client says, or a version that cannot be read.
async fn ask(client: &Client, ignored: &[String]) -> Result<ClusterFeatures, String> {
    let answered = tokio::time::timeout(DEADLINE, read(client, ignored));
    answered.await.unwrap_or_else(|_| Err(format!("no answer within {} seconds", DEADLINE.as_secs())))
}

async fn read(client: &Client, ignored: &[String]) -> Result<ClusterFeatures, String> {
    let version = client.apiserver_version().await.map_err(|error| chain(&error))?;
    let kubernetes = format!("{}.{}", version.major, version.minor).parse().map_err(|error| format!("{error}"))?;
    let groups = client.list_api_groups().await.map_err(|error| chain(&error))?;
    let known = groups.groups.into_iter().filter(|group| !ignored.contains(&group.name));
    let versions = known.flat_map(|group| group.versions).map(|version| version.group_version);
    Ok(ClusterFeatures { kubernetes, served: versions.filter(|version| Integration::asks_for(version)).collect() })
}

/// Asks until there is an answer. Returns `None` if `stop` comes first.
pub async fn first(client: &Client, ignored: &[String], stop: &CancellationToken) -> Option<ClusterFeatures> {
    loop {
        match ask(client, ignored).await {
            Ok(facts) => {
                info!(step = "discover", kubernetes = facts.kubernetes.to_string(), groups = facts.served.len());
                return Some(facts);
            }
            Err(error) => warn!(step = "discover", error, "the API server does not say what it serves"),
        }
        tokio::select! {
            () = stop.cancelled() => return None,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// Returns when the server says something else than `known`. A question without answer is no news.
pub async fn news(client: &Client, ignored: &[String], known: &ClusterFeatures) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        match ask(client, ignored).await {
            Ok(facts) if facts != *known => {
                info!(step = "discover", "the API server serves something else now");
                return;
            }
            Ok(_) => {}
            Err(error) => warn!(step = "discover", error, "the API server does not say what it serves"),
        }
    }
}
