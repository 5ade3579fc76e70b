use std::sync::{Arc, Mutex};

use ::http::Request;
use axum::Router;
use axum::body::Body;
use axum::response::Response;

use super::*;

/// Two alerts as Alertmanager 0.27 answers them.
const ALERTS: &str = r#"[
  {"annotations": {"summary": "many errors"}, "endsAt": "2026-01-01T00:09:00.000Z", "fingerprint": "0f",
   "receivers": [{"name": "default"}], "startsAt": "2026-01-01T00:05:00.123Z",
   "status": {"inhibitedBy": [], "silencedBy": [], "state": "active"}, "updatedAt": "2026-01-01T00:05:00.130Z",
   "generatorURL": "http://prometheus/graph", "labels": {"alertname": "errors", "namespace": "shop", "pod": "a"}},
  {"annotations": {}, "endsAt": "2026-01-01T00:09:00.000Z", "fingerprint": "10", "receivers": [],
   "startsAt": "2026-01-01T01:00:00+01:00", "status": {"inhibitedBy": [], "silencedBy": [], "state": "active"},
   "updatedAt": "2026-01-01T00:05:00.130Z", "labels": {"alertname": "Watchdog"}}
]"#;

type Seen = Arc<Mutex<Vec<String>>>;

/// Serves one answer on loopback; tells where, and what it is asked.
async fn serve(status: u16, body: impl Into<String>) -> (String, Seen) {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (seen, body) = (Seen::default(), body.into());
    let log = Arc::clone(&seen);
    let router = Router::new().fallback(move |request: Request<Body>| {
        log.lock().unwrap().push(format!("{} {}", request.method(), request.uri()));
        let response = Response::builder().status(status).header("location", "/other").body(Body::from(body.clone()));
        async move { response.unwrap() }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, seen)
}

async fn ask(url: &str, watchdog: Option<&str>) -> Result<Vec<Alert>, SourceError> {
    ask_sharing(url, watchdog, "*").await
}

async fn ask_sharing(url: &str, watchdog: Option<&str>, shared: &str) -> Result<Vec<Alert>, SourceError> {
    let alertmanager = Alertmanager::new(url, watchdog.map(ToOwned::to_owned), vec![shared.to_owned()]).unwrap();
    alertmanager.firing().await
}

fn errors() -> Alert {
    let since = "2026-01-01T00:05:00.123Z".parse().unwrap();
    Alert { name: "errors".to_owned(), namespace: Some("shop".to_owned()), since }
}

#[tokio::test]
async fn when_alerts_fire_then_one_request_reads_their_names_namespaces_and_beginnings() {
    let (address, seen) = serve(200, ALERTS).await;
    let since = "2026-01-01T00:00:00Z".parse().unwrap();
    let watchdog = Alert { name: "Watchdog".to_owned(), namespace: None, since };
    assert_eq!(ask(&format!("http://{address}"), None).await, Ok(vec![errors(), watchdog.clone()]));
    assert_eq!(ask(&format!("http://{address}/behind/a/path/"), Some("Watchdog")).await, Ok(vec![errors(), watchdog]));
    let query = "api/v2/alerts?active=true&silenced=false&inhibited=false";
    assert_eq!(*seen.lock().unwrap(), [format!("GET /{query}"), format!("GET /behind/a/path/{query}")]);
}

#[tokio::test]
async fn when_an_alert_has_no_namespace_then_it_counts_only_if_its_name_is_shared() {
    let (address, _) = serve(200, ALERTS).await;
    let url = format!("http://{address}");
    for (shared, count) in [("*", 2), ("Watch*", 2), ("watchdog", 1), ("", 1), ("errors", 1)] {
        let alerts = ask_sharing(&url, Some("Watchdog"), shared).await.unwrap();
        assert_eq!((alerts.len(), &alerts[0]), (count, &errors()), "{shared:?}");
    }
}

#[tokio::test]
async fn when_the_answer_is_none_of_an_alertmanager_then_the_reason_is_said_without_showing_it() {
    for (status, body, reason, category) in [
        (503, "secret", "answered 503", "status"),
        (302, "secret", "answered 302", "status"),
        (200, "secret", "did not answer with a list of alerts", "protocol"),
        (200, "{\"labels\": {}}", "did not answer with a list of alerts", "protocol"),
        (200, "[{\"labels\": {\"alertname\": \"a\"}}]", "did not answer with a list of alerts", "protocol"),
    ] {
        let (address, _) = serve(status, body).await;
        let reason = format!("Alertmanager: {address} {reason}");
        assert_eq!(ask(&format!("http://{address}"), None).await, Err(SourceError { reason, category }), "{body}");
    }
}

#[tokio::test]
async fn when_the_answer_is_too_long_or_nobody_listens_then_the_reason_is_said() {
    let (address, _) = serve(200, format!("[{}]", " ".repeat(5 * 1024 * 1024))).await;
    let error = ask(&format!("http://{address}"), None).await.unwrap_err();
    assert!(error.reason.contains("is longer than 4 MiB"), "{error}");
    let free = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
    let error = ask(&format!("http://{free}"), None).await.unwrap_err();
    assert!(error.category == "unreachable" && error.reason.starts_with(&format!("Alertmanager: {free} ")), "{error}");
}

#[tokio::test]
async fn when_the_watchdog_does_not_fire_then_the_other_alerts_tell_nothing() {
    let (address, _) = serve(200, ALERTS).await;
    let error = ask(&format!("http://{address}"), Some("DeadMansSwitch")).await.unwrap_err();
    let reason = format!("Alertmanager: {address} does not have the alert DeadMansSwitch, which always fires");
    assert_eq!(error, SourceError { reason, category: "watchdog" });
    assert_eq!(ask(&format!("http://{address}"), Some("")).await.unwrap().len(), 2);
}

#[test]
fn when_a_url_could_never_be_asked_then_it_is_refused() {
    for url in ["", "alertmanager:9093", "/api", "ftp://a", "http://user:pass@a", "http://a/?b=c", "http://a b"] {
        assert!(
            matches!(Alertmanager::new(url, None, Vec::new()), Err(AlertmanagerError::Url(text)) if text == url),
            "{url}"
        );
    }
}
