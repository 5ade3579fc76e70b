//! Alarms of one scenario: alerts that carry its namespace, sent to a real Alertmanager as Prometheus would send them.

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Scenario;
use crate::http::{get, send};

/// How long an alert fires that nobody resolves, and how long a silence holds: longer than any scenario.
const LONG: SignedDuration = SignedDuration::from_mins(30);

/// The alarms of one namespace.
#[derive(Clone, Debug)]
pub struct Alarms {
    url: String,
    namespace: String,
}

impl Scenario {
    /// The alarms of this scenario's namespace; `None` when the operator asks no Alertmanager that is known here.
    #[must_use]
    pub fn alarms(&self) -> Option<Alarms> {
        let url = self.environment.alertmanager.clone()?;
        Some(Alarms { url, namespace: self.namespace().to_owned() })
    }
}

impl Alarms {
    /// The same Alertmanager with alerts about another namespace.
    #[must_use]
    pub fn of(&self, namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), ..self.clone() }
    }

    /// An alert begins to fire now. Answers when the Alertmanager tells of it.
    ///
    /// # Errors
    /// When it does not take the alert.
    pub async fn fire(&self, name: &str) -> Result<()> {
        self.fire_since(name, Timestamp::now()).await
    }

    /// The same for one that began before.
    ///
    /// # Errors
    /// When it does not take the alert.
    pub async fn fire_since(&self, name: &str, since: Timestamp) -> Result<()> {
        self.post(name, since, Timestamp::now() + LONG).await?;
        ensure!(self.is_known(name).await?, "the Alertmanager does not tell of {name}");
        Ok(())
    }

    /// An alert fires no longer.
    ///
    /// # Errors
    /// When the Alertmanager does not take that.
    pub async fn resolve(&self, name: &str) -> Result<()> {
        let now = Timestamp::now();
        self.post(name, now - SignedDuration::from_secs(2), now - SignedDuration::from_secs(1)).await?;
        ensure!(!self.is_known(name).await?, "the Alertmanager still tells of {name}");
        Ok(())
    }

    /// Silences an alert, and answers with the id of the silence.
    ///
    /// # Errors
    /// When the Alertmanager does not take it.
    pub async fn silence(&self, name: &str) -> Result<String> {
        let matcher = |name: &str, value: &str| json!({ "name": name, "value": value, "isRegex": false });
        let now = Timestamp::now();
        let silence = json!({
            "matchers": [matcher("alertname", name), matcher("namespace", &self.namespace)],
            "startsAt": now.to_string(), "endsAt": (now + LONG).to_string(),
            "createdBy": "scenario", "comment": "somebody works on it",
        });
        let answer: Value = serde_json::from_str(&self.send("POST", "silences", &silence.to_string()).await?)?;
        let id = answer.get("silenceID").and_then(Value::as_str);
        Ok(id.context("the silence has no id")?.to_owned())
    }

    /// Ends a silence.
    ///
    /// # Errors
    /// When the Alertmanager does not know it.
    pub async fn unsilence(&self, id: &str) -> Result<()> {
        self.send("DELETE", &format!("silence/{id}"), "").await.map(drop)
    }

    async fn post(&self, name: &str, since: Timestamp, until: Timestamp) -> Result<()> {
        let alert = json!([{
            "labels": { "alertname": name, "namespace": self.namespace, "severity": "critical" },
            "startsAt": since.to_string(), "endsAt": until.to_string(),
        }]);
        self.send("POST", "alerts", &alert.to_string()).await.map(drop)
    }

    /// Whether the Alertmanager has the alert, silenced or not.
    async fn is_known(&self, name: &str) -> Result<bool> {
        let (status, body) = get(&format!("{}/api/v2/alerts", self.url)).await?;
        ensure!(status == 200, "the Alertmanager answered {status}");
        let alerts: Vec<Value> = serde_json::from_str(&body)?;
        let label = |alert: &Value, name: &str| alert.pointer("/labels")?.get(name)?.as_str().map(str::to_owned);
        Ok(alerts.iter().any(|alert| {
            label(alert, "alertname").as_deref() == Some(name)
                && label(alert, "namespace").as_deref() == Some(self.namespace.as_str())
        }))
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> Result<String> {
        let (status, answer) = send(method, &format!("{}/api/v2/{path}", self.url), body).await?;
        ensure!(status == 200, "{method} {path}: {status} {answer}");
        Ok(answer)
    }
}
