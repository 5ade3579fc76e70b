//! Makes a history happen, and says what its end must look like.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::action::{Action, Fate, History, Start, Stop, Strategy};
use super::recorder::Recorder;
use super::rules::{Breaker, Percentages};
use crate::cluster::{fate, nodes};
use crate::operator::USER;
use crate::scenario::audit::Mark;
use crate::scenario::json::text;
use crate::scenario::records::{records, workloads};
use crate::scenario::sampler::{exists, tasks};
use crate::scenario::{Scenario, manifest};

/// The service, and the family of its task definition.
pub(super) const SERVICE: &str = "web";
/// Nodes of each provider.
const NODES: [&str; 2] = ["a", "b"];
/// What refuses children.
const QUOTA: &str = "refused";
/// Within which time a service with a good revision is steady, whatever happened before.
const CONVERGES: u64 = 120;
/// How long nothing happens at a time.
const REST: Duration = Duration::from_secs(11);
/// For how long nothing is written at rest, and within which time that begins.
const QUIET: (Duration, usize) = (Duration::from_secs(5), 5);

/// What happens to the service, and what was asked of it so far.
pub(super) struct Driver<'a> {
    scenario: &'a Scenario,
    recorder: &'a Recorder,
    /// The capacity providers.
    pools: [String; 2],
    now: Start,
    /// How many revisions of the task definition were applied.
    revisions: u32,
    /// How many deployments users asked for.
    asked_for: usize,
    forced: u32,
}

impl<'a> Driver<'a> {
    pub(super) fn new(scenario: &'a Scenario, recorder: &'a Recorder, pools: [String; 2], start: Start) -> Self {
        Self { scenario, recorder, pools, now: start, revisions: 0, asked_for: 0, forced: 0 }
    }

    /// Everything, from the first revision to the last. Answers what is wrong at the end.
    pub(super) async fn run(&mut self, history: &History) -> Result<Vec<String>> {
        let providers: Vec<&str> = self.pools.iter().map(String::as_str).collect();
        self.scenario.given([manifest::cluster("main", &providers)]).await?;
        self.update(Fate::Good).await?;
        self.create().await?;
        for step in &history.steps {
            sleep(step.pause).await;
            self.recorder.deed(step.action.to_string());
            self.act(step.action).await.with_context(|| step.action.to_string())?;
        }
        self.end(history.end).await
    }

    async fn act(&mut self, action: Action) -> Result<()> {
        match action {
            Action::Update(fate) => self.update(fate).await,
            Action::Scale(desired, by_subresource) => {
                self.now.desired = desired;
                if by_subresource {
                    return self.scenario.when_scaled(SERVICE, desired).await;
                }
                self.change(json!({ "desiredCount": desired })).await
            }
            Action::Percentages(percentages) => {
                self.now.percentages = percentages;
                self.change(percents(percentages)).await
            }
            Action::Strategy(strategy) => {
                self.now.strategy = strategy;
                self.change(json!({ "capacityProviderStrategy": self.strategy() })).await
            }
            Action::Breaker(breaker) => {
                self.now.breaker = breaker;
                self.change(breaker_of(breaker)).await
            }
            Action::Force => {
                self.asked_for += 1;
                self.forced += 1;
                self.change(json!({ "kubernetes": { "forceNewDeployment": self.forced.to_string() } })).await
            }
            Action::Kill(index) => self.kill(index).await,
            Action::Hurt(index) => self.hurt(index).await,
            Action::Cordon(index) => self.cordon(index).await,
            Action::Uncordon => self.uncordon().await,
            Action::Refuse => self.refuse().await,
            Action::Allow => self.allow().await,
            Action::Stop(stop) => {
                let Some(newest) = self.scenario.records(SERVICE).pop() else { return Ok(()) };
                let type_ = if stop == Stop::Abort { "ABORT" } else { "ROLLBACK" };
                let stop = json!({ "serviceDeployment": newest.name, "stopType": type_ });
                self.change(json!({ "kubernetes": { "stopServiceDeployment": stop } })).await
            }
            Action::Revision(index) => {
                let records = self.scenario.records(SERVICE);
                let Some(record) = pick(&records, index) else { return Ok(()) };
                self.asked_for += 1;
                self.change(json!({ "kubernetes": { "serviceRevision": record.name } })).await
            }
            Action::ClearRevision => {
                self.asked_for += 1;
                self.change(json!({ "kubernetes": { "serviceRevision": null } })).await
            }
            Action::Recreate => {
                self.scenario.when_deleted("ECSService", SERVICE).await?;
                self.is_gone().await?;
                self.recorder.deed("the service is gone");
                self.create().await
            }
            Action::Rest => {
                sleep(REST).await;
                Ok(())
            }
        }
    }

    /// Another revision, of tasks with a fate.
    async fn update(&mut self, fate: Fate) -> Result<()> {
        self.revisions += 1;
        self.asked_for += 1;
        // One failed check is enough: histories are short.
        let soon = json!({ "healthCheck": { "retries": 1 } });
        let definition = manifest::with_container(manifest::task_definition(SERVICE), soon);
        let definition = manifest::revised(definition, &self.revisions.to_string());
        self.scenario.when_applied([manifest::with(definition, fate.settings())]).await
    }

    /// The service as it is asked for now.
    async fn create(&mut self) -> Result<()> {
        self.asked_for += 1;
        let service = manifest::service(SERVICE, self.now.desired);
        let strategy = json!({ "launchType": null, "capacityProviderStrategy": self.strategy() });
        let service = manifest::with(manifest::with(service, strategy), percents(self.now.percentages));
        self.scenario.when_applied([manifest::with(service, breaker_of(self.now.breaker))]).await
    }

    async fn is_gone(&self) -> Result<()> {
        self.scenario.then_within(60).is_gone("ECSService", SERVICE).await
    }

    async fn change(&self, spec: Value) -> Result<()> {
        self.scenario.when_service_changed(SERVICE, spec).await
    }

    fn strategy(&self) -> Value {
        let [first, second] = &self.pools;
        let item = |pool: &String| json!({ "capacityProvider": pool, "weight": 1 });
        match self.now.strategy {
            Strategy::First => json!([item(first)]),
            Strategy::Second => json!([item(second)]),
            Strategy::Both => json!([item(first), item(second)]),
        }
    }

    /// A task that is there: name and uid.
    fn task(&self, index: u64, is_so: impl Fn(&Value) -> bool) -> Option<(String, String)> {
        self.scenario.view().read(|objects| {
            let pods: Vec<&Value> =
                tasks(objects, SERVICE).into_iter().filter(|pod| exists(pod) && is_so(pod)).collect();
            let pod = pick(&pods, index)?;
            Some((text(pod, "/metadata/name").to_owned(), text(pod, "/metadata/uid").to_owned()))
        })
    }

    async fn kill(&self, index: u64) -> Result<()> {
        let Some((name, uid)) = self.task(index, |_| true) else { return Ok(()) };
        self.recorder.hurts(&uid);
        self.recorder.deed(format!("task {name} is deleted"));
        let preconditions = Some(Preconditions { uid: Some(uid), resource_version: None });
        let parameters = DeleteParams { preconditions, ..DeleteParams::default() };
        gone_is_fine(self.scenario.api("Pod")?.delete(&name, &parameters).await.map(|_| ()))
    }

    async fn hurt(&self, index: u64) -> Result<()> {
        let is_running = |pod: &Value| text(pod, "/status/phase") == "Running";
        let Some((name, uid)) = self.task(index, is_running) else { return Ok(()) };
        self.recorder.hurts(&uid);
        self.recorder.deed(format!("task {name} becomes unhealthy"));
        let patch = Patch::Merge(json!({ "metadata": { "annotations": { fate::UNREADY: "true" } } }));
        gone_is_fine(self.scenario.api("Pod")?.patch(&name, &PatchParams::default(), &patch).await.map(|_| ()))
    }

    /// Cordons one node of a provider; the other one takes tasks.
    async fn cordon(&self, index: u64) -> Result<()> {
        let (Some(pool), Some(node)) = (pick(&self.pools, index / 2), pick(&NODES, index)) else { return Ok(()) };
        for other in NODES {
            nodes::cordon(self.scenario.client(), &format!("{pool}-{other}"), other == *node).await?;
        }
        Ok(())
    }

    async fn uncordon(&self) -> Result<()> {
        for pool in &self.pools {
            for node in NODES {
                nodes::cordon(self.scenario.client(), &format!("{pool}-{node}"), false).await?;
            }
        }
        Ok(())
    }

    /// No Deployment, Service or PodDisruptionBudget more can be made, whatever becomes of those that there are.
    async fn refuse(&self) -> Result<()> {
        let none =
            json!({ "count/deployments.apps": "0", "count/services": "0", "count/poddisruptionbudgets.policy": "0" });
        let quota = json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": QUOTA }, "spec": { "hard": none } });
        self.quotas().patch(QUOTA, &PatchParams::apply("history"), &Patch::Apply(quota)).await?;
        Ok(())
    }

    async fn allow(&self) -> Result<()> {
        gone_is_fine(self.quotas().delete(QUOTA, &DeleteParams::default()).await.map(|_| ()))
    }

    fn quotas(&self) -> Api<ResourceQuota> {
        Api::namespaced(self.scenario.client().clone(), self.scenario.namespace())
    }

    /// Everything is well again, and a good revision is rolled out: it must become steady, and nothing else may be left.
    async fn end(&mut self, desired: i64) -> Result<Vec<String>> {
        self.recorder.deed(format!("the end: a good revision, {desired} tasks"));
        self.uncordon().await?;
        self.allow().await?;
        if self.now.percentages.is_stuck(desired) {
            self.now.percentages = Percentages { minimum: 100, maximum: 200 };
        }
        self.now.desired = desired;
        self.asked_for += 1;
        let more = json!({ "desiredCount": desired, "kubernetes": { "serviceRevision": null, "stopServiceDeployment": null } });
        self.change(manifest::and(percents(self.now.percentages), more)).await?;
        self.update(Fate::Good).await?;
        let is_registered =
            |family: &Value| family.pointer("/status/observedGeneration") == family.pointer("/metadata/generation");
        let then = self.scenario.then_within(30);
        let family = then.object("ECSTaskDefinition", SERVICE, "is registered", is_registered).await?;
        let newest = family.pointer("/status/latestRevision").and_then(Value::as_i64).unwrap_or_default();
        let revision = format!("{SERVICE}:{newest}");
        let mut wrong = Vec::new();
        let mut expect = |outcome: Result<()>| {
            if let Err(error) = outcome {
                wrong.push(format!("{error:#}"));
            }
        };
        let then = self.scenario.then_within(CONVERGES);
        let steady = then.the_service(SERVICE).is_steady_on(&revision).await;
        let is_steady = steady.is_ok();
        expect(steady);
        if is_steady {
            expect(self.only_the_newest_is_left(desired).await);
            expect(self.is_told().await);
            expect(self.is_quiet().await);
        }
        let made = self.scenario.records(SERVICE).len();
        let undone = self.scenario.objects("ECSServiceDeployment");
        let undone = undone.iter().filter(|record| !text(record, "/spec/rollbackOf").is_empty()).count();
        if made > self.asked_for + undone {
            wrong.push(format!(
                "{made} deployments, {undone} of them rollbacks; only {} were asked for",
                self.asked_for
            ));
        }
        Ok(wrong)
    }

    /// As many tasks as desired, all healthy, of the newest deployment and on the right providers; no other Deployment.
    async fn only_the_newest_is_left(&self, desired: i64) -> Result<()> {
        let strategy = self.now.strategy;
        let [first, second] = self.pools.clone();
        self.scenario
            .then_within(20)
            .until("only the newest deployment is left", |objects| {
                let newest = records(objects, SERVICE).pop().ok_or("there is no deployment")?;
                let label = |pod: &Value, name: &str| {
                    let labels = pod.pointer("/metadata/labels");
                    labels.and_then(|labels| labels.get(name)?.as_str()).unwrap_or_default().to_owned()
                };
                let pods = tasks(objects, SERVICE);
                let its =
                    pods.iter().filter(|pod| label(pod, plan::core::labels::DEPLOYMENT) == newest.digits()).count();
                let on = |pool: &str| {
                    let is_on = |pod: &&&Value| label(pod, plan::core::labels::CAPACITY_PROVIDER) == pool;
                    pods.iter().filter(is_on).count()
                };
                let (one, other) = (on(&first), on(&second));
                let is_split = match strategy {
                    Strategy::First => other == 0,
                    Strategy::Second => one == 0,
                    Strategy::Both => one.abs_diff(other) <= 1,
                };
                let deployments: BTreeSet<String> =
                    workloads(objects, SERVICE).iter().map(|one| label(one, plan::core::labels::DEPLOYMENT)).collect();
                let is_alone = deployments.iter().all(|digits| digits == newest.digits());
                let is_all = i64::try_from(pods.len()).ok() == Some(desired) && its == pods.len();
                if is_all && is_split && is_alone && newest.status == "SUCCESSFUL" {
                    return Ok(());
                }
                Err(format!(
                    "{} pods, {its} of {}; {one} on the first provider and {other} on the second with {strategy:?}; \
                     Deployments of {deployments:?}",
                    pods.len(),
                    newest.line(),
                ))
            })
            .await
    }

    async fn is_told(&self) -> Result<()> {
        let then = self.scenario.then_within(10);
        let id = self.scenario.records(SERVICE).pop().map(|record| record.id).unwrap_or_default();
        then.the_service(SERVICE).tells(&format!("(deployment {id}) deployment completed.")).await?;
        then.the_service(SERVICE).tells("has reached a steady state.").await
    }

    /// At rest nothing is written.
    async fn is_quiet(&self) -> Result<()> {
        let Some(log) = &self.scenario.environment.audit_log else { return Ok(()) };
        let mut writes: Vec<String> = Vec::new();
        for _ in 0..QUIET.1 {
            let mark = Mark::now(log)?;
            sleep(QUIET.0).await;
            let all = mark.writes(USER, Some(self.scenario.namespace()))?.into_keys();
            // A cluster counts all nodes, and those of other histories come and go.
            writes = all.filter(|write| !write.contains("ecsclusters/")).collect();
            if writes.is_empty() {
                return Ok(());
            }
        }
        anyhow::bail!("the operator never rests: {}", writes.join(", "))
    }
}

fn pick<T>(from: &[T], index: u64) -> Option<&T> {
    let count = u64::try_from(from.len()).ok().filter(|count| *count > 0)?;
    from.get(usize::try_from(index % count).ok()?)
}

fn percents(percentages: Percentages) -> Value {
    manifest::percents(percentages.minimum, percentages.maximum)
}

fn breaker_of(breaker: Option<Breaker>) -> Value {
    let breaker = match breaker {
        None => json!({ "enable": false, "rollback": false }),
        Some(Breaker { rollback, type_, value, resets }) => json!({
            "enable": true,
            "rollback": rollback,
            "resetOnHealthyTask": resets,
            "thresholdConfiguration": { "type": type_.as_str(), "value": value },
        }),
    };
    json!({ "deploymentConfiguration": { "deploymentCircuitBreaker": breaker } })
}

/// The task may have gone in the meantime.
fn gone_is_fine(outcome: kube::Result<()>) -> Result<()> {
    match outcome {
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        other => Ok(other?),
    }
}
