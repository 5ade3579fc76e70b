//! What the processes of a task do, on real nodes.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::LogParams;
use serde_json::Value;

use super::Scenario;
use super::json::text;
use super::sampler::{exists, tasks};
use super::then::Then;
use crate::cluster::until;
use crate::http;

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The pod, as it was then.
    pub pod: Value,
    /// Exit code; 128 and the number of the signal if there was one.
    pub code: i64,
    /// `Completed`, `Error`, `OOMKilled`.
    pub reason: String,
    /// When it started, in whole seconds.
    pub started: String,
    /// When it ended, in whole seconds.
    pub finished: String,
}

/// The status of a container, init containers included.
#[must_use]
pub fn status<'p>(pod: &'p Value, container: &str) -> Option<&'p Value> {
    statuses(pod).find(|status| text(status, "/name") == container)
}

/// The statuses of all containers, init containers first.
pub fn statuses(pod: &Value) -> impl Iterator<Item = &Value> {
    ["/status/initContainerStatuses", "/status/containerStatuses"]
        .into_iter()
        .filter_map(|pointer| pod.pointer(pointer).and_then(Value::as_array))
        .flatten()
}

/// The name of a pod.
#[must_use]
pub fn name(pod: &Value) -> &str {
    text(pod, "/metadata/name")
}

/// `app running, db waiting PodInitializing`
#[must_use]
pub fn describe(pod: &Value) -> String {
    let states = statuses(pod).map(|status| {
        let (name, state) = (text(status, "/name"), status.pointer("/state").and_then(Value::as_object));
        let (state, details) = state.and_then(|state| state.iter().next()).map_or(("", &Value::Null), |(a, b)| (a, b));
        let more = [
            text(details, "/reason").to_owned(),
            details.pointer("/exitCode").map(Value::to_string).unwrap_or_default(),
        ];
        format!("{name} {state} {}", more.join(" ")).trim_end().to_owned()
    });
    let states: Vec<_> = states.collect();
    format!("{} {}: {}", name(pod), text(pod, "/status/phase"), states.join(", "))
}

impl Scenario {
    /// What a container has written so far.
    ///
    /// # Errors
    /// When its node does not have the log.
    pub async fn log(&self, pod: &str, container: &str) -> Result<String> {
        let pods: Api<Pod> = Api::namespaced(self.client().clone(), self.namespace());
        let parameters = LogParams { container: Some(container.to_owned()), ..LogParams::default() };
        Ok(pods.logs(pod, &parameters).await?)
    }
}

impl Then<'_> {
    /// Expects a task of the service whose containers all run, and answers with its pod.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn a_task_of(self, service: &str) -> Result<Value> {
        let runs = |pod: &Value| {
            let mut main = pod.pointer("/status/containerStatuses").and_then(Value::as_array).into_iter().flatten();
            text(pod, "/status/phase") == "Running" && main.all(|status| status.pointer("/state/running").is_some())
        };
        self.pod(service, "all of its containers run", runs).await
    }

    /// Expects a task of the service of which something is true, and answers with its pod.
    ///
    /// # Errors
    /// When there is none in time; says how the containers are instead.
    pub async fn pod(self, service: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Result<Value> {
        self.until(&format!("a task of {service}: {what}"), |objects| {
            let pods: Vec<_> = tasks(objects, service).into_iter().filter(|pod| exists(pod)).collect();
            let found = pods.iter().find(|pod| is_so(pod)).map(|pod| (*pod).clone());
            found.ok_or_else(|| pods.into_iter().map(describe).collect::<Vec<_>>().join("; "))
        })
        .await
    }

    /// Expects that a container of a task of the service ends, and answers with how it ended the first time that was seen.
    /// Whether it is started again afterwards, or its task is replaced, does not matter.
    ///
    /// # Errors
    /// When none ends in time.
    pub async fn ends(self, service: &str, container: &str) -> Result<Ended> {
        self.until(&format!("container {container} of a task of {service} ends"), |objects| {
            let pods = tasks(objects, service);
            let ended = pods.iter().find_map(|pod| {
                let status = status(pod, container)?;
                let end =
                    ["/state/terminated", "/lastState/terminated"].into_iter().find_map(|at| status.pointer(at))?;
                Some(Ended {
                    pod: (*pod).clone(),
                    code: end.pointer("/exitCode")?.as_i64()?,
                    reason: text(end, "/reason").to_owned(),
                    started: text(end, "/startedAt").to_owned(),
                    finished: text(end, "/finishedAt").to_owned(),
                })
            });
            ended.ok_or_else(|| pods.into_iter().map(describe).collect::<Vec<_>>().join("; "))
        })
        .await
    }

    /// Expects the answer 200 from a task, and answers with its body.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn get(self, pod: &Value, port: u16, path: &str) -> Result<String> {
        let address = text(pod, "/status/podIP");
        ensure!(!address.is_empty(), "{} has no address", name(pod));
        self.get_url(&format!("http://{address}:{port}{path}")).await
    }

    /// Expects the answer 200, and answers with the body.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn get_url(self, url: &str) -> Result<String> {
        until(&format!("{url} answers"), self.limit, async || {
            let (code, body) = http::get(url).await?;
            ensure!(code == 200, "it answers {code}: {body}");
            Ok(Some(body))
        })
        .await
    }

    /// Expects what `taskapp id` tells of the process that serves on a port of a task, with these kernel settings.
    ///
    /// # Errors
    /// When it does not answer in time.
    pub async fn id(self, pod: &Value, port: u16, settings: &[&str]) -> Result<Value> {
        let settings: Vec<_> = settings.iter().map(|name| format!("setting={name}")).collect();
        let answer = self.get(pod, port, &format!("/id?{}", settings.join("&"))).await?;
        serde_json::from_str(&answer).with_context(|| format!("this is no JSON: {answer}"))
    }

    /// Expects a file that a task can read and of which something is true, and answers with its lines.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn file(
        self,
        pod: &Value,
        port: u16,
        path: &str,
        is_so: impl Fn(&[&str]) -> bool,
    ) -> Result<Vec<String>> {
        let url = format!("http://{}:{port}/file?path={path}", text(pod, "/status/podIP"));
        until(&format!("{path} holds what is expected"), self.limit, async || {
            let (code, body) = http::get(&url).await?;
            ensure!(code == 200, "it answers {code}: {body}");
            let lines: Vec<_> = body.lines().collect();
            ensure!(is_so(&lines), "it holds {lines:?}");
            Ok(Some(body.lines().map(str::to_owned).collect()))
        })
        .await
    }
}
