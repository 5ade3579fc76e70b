//! Version 2 of the API of Alertmanager, of which one request is used.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use ::http::uri::PathAndQuery;
use ::http::{HeaderMap, Method, StatusCode, Uri};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use serde::Deserialize;
use tracing::debug;

use super::{Alert, Source, SourceError};
use crate::http_client::{Hosts, Transport};

/// Alerts that fire and that nobody silenced; those inhibited by another are left to the other.
const ALERTS: &str = "api/v2/alerts?active=true&silenced=false&inhibited=false";

/// Names of alerts that are told to the log once and not again.
const MOST_REMEMBERED: usize = 1_000;

/// An Alertmanager.
pub struct Alertmanager {
    url: Uri,
    host: String,
    transport: Transport,
    /// An alert that always fires as long as whatever sends alerts is well.
    watchdog: Option<String>,
    /// Alerts that are everybody's although they have no label `namespace`.
    shared: Vec<String>,
    /// Alerts without that label that were told to the log.
    unshared: Mutex<BTreeSet<String>>,
}

/// Why an Alertmanager cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum AlertmanagerError {
    /// Not a URL.
    #[error("{0:?} is not a URL such as http://alertmanager.monitoring:9093")]
    Url(String),
    /// No TLS.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// The part of an alert that is read.
#[derive(Deserialize)]
struct GettableAlert {
    labels: Labels,
    #[serde(rename = "startsAt")]
    starts_at: Timestamp,
}

#[derive(Deserialize)]
struct Labels {
    #[serde(default)]
    alertname: String,
    namespace: Option<String>,
}

impl Alertmanager {
    /// The Alertmanager behind a URL, which may have a path before `/api`. With a watchdog, answers in which that alert
    /// does not fire tell nothing. Alerts without a label `namespace` count if a pattern of `shared` matches their name.
    ///
    /// # Errors
    /// When it could never be asked.
    pub fn new(url: &str, watchdog: Option<String>, shared: Vec<String>) -> Result<Self, AlertmanagerError> {
        let wrong = || AlertmanagerError::Url(url.to_owned());
        let mut parts = url.parse::<Uri>().map_err(|_| wrong())?.into_parts();
        let is_web = parts.scheme.as_ref().is_some_and(|scheme| matches!(scheme.as_str(), "http" | "https"));
        let path = parts.path_and_query.as_ref().map_or("/", PathAndQuery::as_str);
        let authority = parts.authority.as_ref().map(ToString::to_string).unwrap_or_default();
        if !is_web || authority.is_empty() || authority.contains('@') || path.contains('?') {
            return Err(wrong());
        }
        let path = format!("{}/{ALERTS}", path.trim_end_matches('/'));
        parts.path_and_query = Some(PathAndQuery::try_from(path).map_err(|_| wrong())?);
        Ok(Self {
            url: Uri::from_parts(parts).map_err(|_| wrong())?,
            // An administrator named this host, so it may be plain HTTP and have any address.
            transport: Transport::new(Hosts { insecure: vec![authority.clone()], ..Hosts::default() })?,
            host: authority,
            watchdog: watchdog.filter(|name| !name.is_empty()),
            shared,
            unshared: Mutex::default(),
        })
    }

    async fn ask(&self) -> Result<Vec<Alert>, SourceError> {
        let error = |reason: String, category| SourceError { reason: format!("Alertmanager: {reason}"), category };
        let answer = self.transport.send(Method::GET, &self.url, &HeaderMap::new()).await;
        let answer = answer.map_err(|failed| error(failed.to_string(), failed.category()))?;
        if answer.status != StatusCode::OK {
            return Err(error(format!("{} answered {}", self.host, answer.status.as_u16()), "status"));
        }
        let alerts: Vec<GettableAlert> = serde_json::from_slice(&answer.body)
            .map_err(|_| error(format!("{} did not answer with a list of alerts", self.host), "protocol"))?;
        let alert = |alert: GettableAlert| Alert {
            name: alert.labels.alertname,
            namespace: alert.labels.namespace.filter(|namespace| !namespace.is_empty()),
            since: alert.starts_at,
        };
        let alerts: Vec<Alert> = alerts.into_iter().map(alert).collect();
        match &self.watchdog {
            Some(name) if alerts.iter().all(|alert| alert.name != *name) => {
                Err(error(format!("{} does not have the alert {name}, which always fires", self.host), "watchdog"))
            }
            _ => Ok(alerts.into_iter().filter(|alert| self.is_told(alert)).collect()),
        }
    }

    /// Whether an alert is anybody's business. One about nodes, or about another team's database, is told to nobody who
    /// only has to guess its name.
    fn is_told(&self, alert: &Alert) -> bool {
        if alert.namespace.is_some() || self.shared.iter().any(|pattern| ecs::pattern::matches(pattern, &alert.name)) {
            return true;
        }
        let mut unshared = self.unshared.lock().unwrap_or_else(PoisonError::into_inner);
        if unshared.len() < MOST_REMEMBERED && unshared.insert(alert.name.clone()) {
            debug!(
                step = "alarms",
                alert = alert.name.as_str(),
                "no label namespace and not shared: it counts for no service"
            );
        }
        false
    }
}

impl Source for Alertmanager {
    fn firing(&self) -> BoxFuture<'_, Result<Vec<Alert>, SourceError>> {
        self.ask().boxed()
    }
}

impl fmt::Debug for Alertmanager {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Alertmanager").field("url", &self.url).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "alertmanager_tests.rs"]
mod tests;
