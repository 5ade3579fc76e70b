//! `/livez`, `/readyz` and `/metrics`.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

/// What the endpoints read. They answer from the start of the process on, also while the API server is away.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// What is counted.
    metrics: Arc<Metrics>,
    /// What works at the moment.
    working: Arc<Mutex<Option<Working>>>,
}

/// What works on the cluster.
#[derive(Clone, Debug)]
struct Working {
    /// How the feeds are.
    health: Arc<Health>,
    /// Whether this process leads; shown, but no condition of readiness: followers are ready too.
    leadership: Leadership,
}

impl Endpoints {
    /// Nothing works yet.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, working: Arc::default() }
    }

    /// From now on this is reported.
    pub fn begin(&self, health: Arc<Health>, leadership: Leadership) {
        *self.lock() = Some(Working { health, leadership });
    }

    /// What worked does not any more: the API server is asked again what it serves.
    pub fn pause(&self) {
        *self.lock() = None;
    }

    fn working(&self) -> Option<Working> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Working>> {
        self.working.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_field_names)] // the field is what people look for in the body
struct Ready {
    ready: bool,
    leads: bool,
    missing: Vec<Missing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_for: Option<&'static str>,
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
    let standing_still = endpoints.working().map(|working| working.health.standing_still()).unwrap_or_default();
    let alive = standing_still.is_empty();
    (code(alive), Json(Alive { alive, standing_still }))
}

async fn readyz(State(endpoints): State<Endpoints>) -> impl IntoResponse {
    let Some(Working { health, leadership }) = endpoints.working() else {
        let waits_for = Some("the API server to say what it serves");
        return (code(false), Json(Ready { ready: false, leads: false, missing: Vec::new(), waits_for }));
    };
    let missing = health.missing();
    let ready = missing.is_empty();
    (code(ready), Json(Ready { ready, leads: leadership.may_write(), missing, waits_for: None }))
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

    fn endpoints() -> (Endpoints, Arc<Health>) {
        let endpoints = Endpoints::new(Arc::new(Metrics::default()));
        let health = Arc::new(Health::new(&[], &plan::ClusterFeatures::default()));
        endpoints.begin(Arc::clone(&health), Leadership::none());
        (endpoints, health)
    }

    async fn ask(endpoints: &Endpoints, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router(endpoints.clone()).oneshot(request).await.unwrap();
        let code = response.status();
        (code, String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap())
    }

    #[tokio::test]
    async fn when_a_kind_is_not_served_then_the_process_is_alive_and_not_ready_and_says_which() {
        let (endpoints, health) = endpoints();
        for feed in health.feeds() {
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
    async fn when_the_api_server_is_away_at_the_start_then_the_process_is_alive_and_says_what_it_waits_for() {
        let (endpoints, _) = endpoints();
        endpoints.pause();
        assert_eq!(ask(&endpoints, "/livez").await.0, StatusCode::OK);
        let (code, body) = ask(&endpoints, "/readyz").await;
        assert_eq!(code, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.contains(r#""waitsFor":"the API server to say what it serves""#), "{body}");
    }

    #[tokio::test]
    async fn when_everything_was_listed_then_a_follower_is_ready() {
        let (endpoints, health) = endpoints();
        health.feeds().iter().for_each(|feed| feed.synced());
        assert_eq!(ask(&endpoints, "/readyz").await.0, StatusCode::OK);
    }

    #[tokio::test(start_paused = true)]
    async fn when_feeds_stand_still_then_the_process_is_not_alive_and_names_them() {
        let (endpoints, _) = endpoints();
        tokio::time::advance(std::time::Duration::from_secs(301)).await;
        let (code, body) = ask(&endpoints, "/livez").await;
        assert_eq!(code, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.contains("\"ECSService\""), "{body}");
    }

    #[tokio::test]
    async fn when_metrics_are_asked_for_then_they_come_as_open_metrics_text() {
        let (code, body) = ask(&endpoints().0, "/metrics").await;
        assert_eq!(code, StatusCode::OK);
        assert!(body.ends_with("# EOF\n"));
    }
}
