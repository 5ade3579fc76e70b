//! `/livez`, `/readyz` and `/metrics`.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json};
use axum::routing::get;
use axum::{Router, serve};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::lead::leadership::Leadership;
use crate::serve::health::{Health, Missing};
use crate::serve::metrics::Metrics;

/// What the endpoints read.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// How the feeds are.
    pub health: Arc<Health>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Whether this process leads; shown, but no condition of readiness: followers are ready too.
    pub leadership: Leadership,
}

#[derive(Serialize)]
#[allow(clippy::struct_field_names)] // the field is what people look for in the body
struct Ready {
    ready: bool,
    leads: bool,
    missing: Vec<Missing>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alive {
    alive: bool,
    standing_still: Vec<String>,
}

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The routes.
pub fn router(endpoints: Endpoints) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(endpoints)
}

/// Opens the port.
///
/// # Errors
/// When the address is taken or not ours.
pub async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves until stopped.
///
/// # Errors
/// When the listener breaks.
pub async fn run(listener: TcpListener, endpoints: Endpoints, stop: CancellationToken) -> std::io::Result<()> {
    serve(listener, router(endpoints)).with_graceful_shutdown(stop.cancelled_owned()).await
}

const fn code(is_well: bool) -> StatusCode {
    if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

async fn livez(State(endpoints): State<Endpoints>) -> impl IntoResponse {
    let standing_still = endpoints.health.standing_still();
    let alive = standing_still.is_empty();
    (code(alive), Json(Alive { alive, standing_still }))
}

async fn readyz(State(endpoints): State<Endpoints>) -> impl IntoResponse {
    let missing = endpoints.health.missing();
    let ready = missing.is_empty();
    (code(ready), Json(Ready { ready, leads: endpoints.leadership.may_write(), missing }))
}

async fn metrics(State(endpoints): State<Endpoints>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, OPEN_METRICS)], endpoints.metrics.text())
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use http::Request;
    use plan::Kind;
    use serde_json::{Value, json};
    use tower::ServiceExt;

    use super::*;
    use crate::serve::health::Phase;

    fn endpoints() -> Endpoints {
        Endpoints {
            health: Arc::new(Health::new(&[], &plan::ClusterFeatures::default())),
            metrics: Arc::new(Metrics::default()),
            leadership: Leadership::none(),
        }
    }

    async fn ask(endpoints: &Endpoints, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router(endpoints.clone()).oneshot(request).await.unwrap();
        let code = response.status();
        (code, String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap())
    }

    #[tokio::test]
    async fn when_a_kind_is_not_served_then_the_process_is_alive_and_not_ready_and_says_which() {
        let endpoints = endpoints();
        for feed in endpoints.health.feeds() {
            if feed.kind() == Kind::Service {
                feed.waits(Phase::Absent, std::time::Duration::from_secs(1));
            } else {
                feed.synced();
            }
        }
        assert_eq!(ask(&endpoints, "/livez").await.0, StatusCode::OK);
        let (code, body) = ask(&endpoints, "/readyz").await;
        assert_eq!(code, StatusCode::SERVICE_UNAVAILABLE);
        let expected = json!({"ready": false, "leads": false, "missing": [
            {"kind": "ECSService", "resource": "ecsservices.ecs-operator.dev", "reason": "Absent"}]});
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), expected);
    }

    #[tokio::test]
    async fn when_everything_was_listed_then_a_follower_is_ready() {
        let endpoints = endpoints();
        endpoints.health.feeds().iter().for_each(|feed| feed.synced());
        assert_eq!(ask(&endpoints, "/readyz").await.0, StatusCode::OK);
    }

    #[tokio::test(start_paused = true)]
    async fn when_feeds_stand_still_then_the_process_is_not_alive_and_names_them() {
        let endpoints = endpoints();
        tokio::time::advance(std::time::Duration::from_secs(301)).await;
        let (code, body) = ask(&endpoints, "/livez").await;
        assert_eq!(code, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.contains("\"ECSService\""), "{body}");
    }

    #[tokio::test]
    async fn when_metrics_are_asked_for_then_they_come_as_open_metrics_text() {
        let (code, body) = ask(&endpoints(), "/metrics").await;
        assert_eq!(code, StatusCode::OK);
        assert!(body.ends_with("# EOF\n"));
    }
}
