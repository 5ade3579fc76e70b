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

#[cfg(test)]
mod tests {
    use http::{Request, Response};
    use kube::client::Body;
    use plan::Kind;
    use serde_json::json;

    use super::*;

    /// A client of a server that serves these `apiVersion`s of groups.
    fn serving(api_versions: &[String]) -> Client {
        let group = |api_version: &String| {
            let (name, version) = api_version.split_once('/').unwrap();
            let version = json!({"groupVersion": api_version, "version": version});
            json!({"name": name, "versions": [version.clone()], "preferredVersion": version})
        };
        let groups = json!({"kind": "APIGroupList", "groups": api_versions.iter().map(group).collect::<Vec<_>>()});
        let empty = "";
        let version = json!({"major": "1", "minor": "36+", "gitVersion": empty, "gitCommit": empty,
            "gitTreeState": empty, "buildDate": empty, "goVersion": empty, "compiler": empty, "platform": empty});
        let server = tower::service_fn(move |request: Request<Body>| {
            let body = if request.uri().path() == "/version" { version.to_string() } else { groups.to_string() };
            async move { Ok::<_, std::convert::Infallible>(Response::new(Body::from(body.into_bytes()))) }
        });
        Client::new(server, "x")
    }

    #[tokio::test(start_paused = true)]
    async fn when_a_cluster_begins_to_serve_something_then_it_is_news_only_if_plans_ask_for_it() {
        let asked = Kind::ExternalSecret.api_version();
        let stop = CancellationToken::new();
        let before = first(&serving(&["apps/v1".to_owned()]), &[], &stop).await.unwrap();
        assert!(before.served.is_empty());

        let others = ["apps/v1", "example.com/v1", "widgets.example.com/v1beta1"].map(ToOwned::to_owned);
        let client = serving(&others);
        let hour = Duration::from_hours(1);
        assert!(tokio::time::timeout(hour, news(&client, &[], &before)).await.is_err(), "nothing that matters");

        let client = serving(&["apps/v1".to_owned(), asked.clone()]);
        assert!(tokio::time::timeout(hour, news(&client, &[], &before)).await.is_ok());
        let group = asked.split('/').next().unwrap().to_owned();
        assert!(tokio::time::timeout(hour, news(&client, &[group], &before)).await.is_err(), "no rights to it");
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_server_takes_a_request_and_never_answers_then_it_is_asked_again_within_seconds() {
        let asked = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
        let count = std::sync::Arc::clone(&asked);
        let server = tower::service_fn(move |_: Request<Body>| {
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            std::future::pending::<Result<Response<Body>, std::convert::Infallible>>()
        });
        let client = Client::new(server, "x");
        let stop = CancellationToken::new();
        assert!(tokio::time::timeout(Duration::from_secs(21), first(&client, &[], &stop)).await.is_err());
        assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 3, "at 0, 7 and 14 seconds");
    }
}
