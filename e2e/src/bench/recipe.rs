//! What the operator writes for one service, taken down once and then written by a raw client for every other.
//!
//! Which writes and in which order is in the audit log. The bodies of creates come from the same planner that the operator
//! runs; those of statuses were seen by a watch while the operator wrote them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail};
use futures::StreamExt as _;
use http::{Method, Request};
use kube::core::DynamicObject;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use plan::core::op::{FIELD_MANAGER, STATUS_FIELD_MANAGER};
use plan::core::world::MemoryWorld;
use plan::{Kind, ObjectKey, Op, Settings, Stored};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::audit;
use super::load::Created;
use crate::scenario::kinds::Known;

/// Kinds whose statuses the operator writes for a service.
const REPORTED: [Kind; 3] = [Kind::Service, Kind::ServiceDeployment, Kind::ScalableTarget];

/// Takes down every status of the sample in the order in which they were written.
pub(super) struct Witness {
    seen: Arc<Mutex<BTreeMap<Kind, Vec<Value>>>>,
    _tasks: JoinSet<()>,
}

impl Witness {
    pub(super) fn watch(client: &Client, namespace: &str) -> Result<Self> {
        let seen: Arc<Mutex<BTreeMap<Kind, Vec<Value>>>> = Arc::default();
        let mut tasks = JoinSet::new();
        for kind in REPORTED {
            let api = Known::find(kind.kind())?.api(client, namespace);
            let seen = Arc::clone(&seen);
            tasks.spawn(async move {
                let mut objects = watcher(api, watcher::Config::default()).default_backoff().applied_objects().boxed();
                while let Some(object) = objects.next().await {
                    let Some(status) = object.ok().and_then(|object| object.data.get("status").cloned()) else {
                        continue;
                    };
                    let mut seen = lock(&seen);
                    let statuses = seen.entry(kind).or_default();
                    if statuses.last() != Some(&status) {
                        statuses.push(status);
                    }
                }
            });
        }
        Ok(Self { seen, _tasks: tasks })
    }
}

/// One write, with the sample's names in it.
#[derive(Debug)]
struct Step {
    kind: Kind,
    is_status: bool,
    /// The sample object's name.
    name: String,
    /// The object to create, or the status.
    body: Value,
}

/// The writes of one service, in order.
#[derive(Debug)]
pub(super) struct Recipe {
    steps: Vec<Step>,
    sample: Created,
    namespace: String,
}

/// What is read of an answer.
#[derive(Deserialize)]
struct Written {
    metadata: WrittenMetadata,
}

#[derive(Deserialize)]
struct WrittenMetadata {
    uid: String,
}

impl Recipe {
    /// Puts together what the operator wrote for the sample.
    pub(super) async fn take(
        client: &Client,
        namespace: &str,
        sample: Created,
        witness: &Witness,
        requests: &[audit::Request],
    ) -> Result<Self> {
        let mut creates = creates(client, namespace, &sample).await?;
        let names: BTreeMap<Kind, String> = creates
            .iter()
            .map(|(kind, body)| (*kind, name_of(body)))
            .chain([(Kind::Service, sample.name.clone()), (Kind::ScalableTarget, sample.name.clone())])
            .collect();
        let mut statuses = lock(&witness.seen).clone();
        let mut steps = Vec::new();
        for request in requests.iter().filter(|request| is_about_a_service(request)) {
            let kind = Kind::ALL.into_iter().find(|kind| kind.plural() == request.resource());
            let kind = kind.filter(|kind| *kind != Kind::Cluster && *kind != Kind::TaskDefinition);
            let Some(kind) = kind else { continue };
            let name = names.get(&kind).cloned().unwrap_or_default();
            let body = match request.verb.as_str() {
                "create" => creates.remove(&kind),
                // Children are made by an apply.
                "patch" if !request.is_status() => creates.remove(&kind),
                "patch" if request.is_status() => statuses.get_mut(&kind).filter(|left| !left.is_empty()).map(|left| {
                    // More writes than changes: the last one is said again.
                    if left.len() > 1 { left.remove(0) } else { left.iter().next().cloned().unwrap_or_default() }
                }),
                _ => None,
            };
            let Some(body) = body else {
                bail!("the operator made a write that cannot be repeated: {}", request.line())
            };
            steps.push(Step { kind, is_status: request.is_status(), name, body });
        }
        if !creates.is_empty() {
            bail!("the operator did not create {:?} for the sample", creates.keys());
        }
        Ok(Self { steps, sample, namespace: namespace.to_owned() })
    }

    /// Number of creates and of status writes.
    pub(super) fn size(&self) -> (usize, usize) {
        let statuses = self.steps.iter().filter(|step| step.is_status).count();
        (self.steps.len() - statuses, statuses)
    }

    /// Makes the same writes for another service.
    pub(super) async fn repeat(&self, client: &Client, namespace: &str, created: &Created) -> Result<()> {
        let mut uids = BTreeMap::from([
            (Kind::Service, created.service_uid.clone()),
            (Kind::ScalableTarget, created.target_uid.clone()),
        ]);
        for step in &self.steps {
            let name = step.name.replace(&self.sample.name, &created.name);
            let collection = collection(step.kind, namespace);
            let (method, path, content_type, body) = if step.is_status {
                let uid = uids.get(&step.kind).cloned().unwrap_or_default();
                let body = json!({
                    "apiVersion": step.kind.api_version(),
                    "kind": step.kind.kind(),
                    "metadata": { "name": name, "namespace": namespace, "uid": uid },
                    "status": step.body,
                });
                let query = format!("fieldManager={STATUS_FIELD_MANAGER}&force=true&fieldValidation=Strict");
                (Method::PATCH, format!("{collection}/{name}/status?{query}"), "application/apply-patch+yaml", body)
            } else {
                let query = format!("fieldManager={FIELD_MANAGER}&fieldValidation=Strict");
                (Method::POST, format!("{collection}?{query}"), "application/json", step.body.clone())
            };
            let body = body
                .to_string()
                .replace(&self.sample.service_uid, &created.service_uid)
                .replace(&self.sample.target_uid, &created.target_uid)
                .replace(&self.sample.name, &created.name)
                .replace(&self.namespace, namespace);
            let request = Request::builder().method(method).uri(path).header(http::header::CONTENT_TYPE, content_type);
            let written: Written = client
                .request(request.body(body.into_bytes())?)
                .await
                .with_context(|| format!("cannot write {} {name}", step.kind))?;
            uids.insert(step.kind, written.metadata.uid);
        }
        Ok(())
    }
}

/// What counts as a write for one service: neither leader election nor Events, and nothing about what services share.
pub(super) fn is_about_a_service(request: &audit::Request) -> bool {
    request.is_write()
        && request.succeeded()
        && !matches!(
            request.resource(),
            "leases" | "events" | "ecsclusters" | "ecstaskdefinitions" | "ecscapacityproviders"
        )
        && !request.resource().starts_with("ecstaskdefinitionrevisions")
}

fn collection(kind: Kind, namespace: &str) -> String {
    let root = if kind.group().is_empty() { "/api".to_owned() } else { format!("/apis/{}", kind.group()) };
    format!("{root}/{}/namespaces/{namespace}/{}", kind.version(), kind.plural())
}

/// The children of the sample as the planner makes them: what the server stores is larger by its defaults.
async fn creates(client: &Client, namespace: &str, sample: &Created) -> Result<BTreeMap<Kind, Value>> {
    let mut world = MemoryWorld::default();
    for kind in [Kind::Cluster, Kind::TaskDefinition, Kind::TaskDefinitionRevision, Kind::Service, Kind::ScalableTarget]
    {
        let api: Api<DynamicObject> = Known::find(kind.kind())?.api(client, namespace);
        for object in api.list(&kube::api::ListParams::default()).await?.items {
            let is_ours = !matches!(kind, Kind::Service | Kind::ScalableTarget) || object.name_any() == sample.name;
            let mut object = serde_json::to_value(object)?;
            if let (Some(map), Kind::Service | Kind::ScalableTarget) = (object.as_object_mut(), kind) {
                map.remove("status");
            }
            if is_ours {
                world.insert(Stored::accept(kind, object)?);
            }
        }
    }
    let mut bodies = BTreeMap::new();
    for kind in [Kind::Service, Kind::ScalableTarget] {
        let root = ObjectKey::namespaced(kind, namespace, sample.name.clone());
        for op in plan::plan(&world, &root, &Settings::default(), jiff::Timestamp::now()).ops {
            if let Op::Create { key, body } = op {
                bodies.insert(key.kind, body);
            }
        }
    }
    Ok(bodies)
}

fn name_of(body: &Value) -> String {
    body.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_kind_has_a_group_then_its_collection_is_below_it() {
        let table = [
            (Kind::KubernetesService, "/api/v1/namespaces/a/services"),
            (Kind::Deployment, "/apis/apps/v1/namespaces/a/deployments"),
            (Kind::Service, "/apis/ecs-operator.dev/v1alpha1/namespaces/a/ecsservices"),
        ];
        for (kind, path) in table {
            assert_eq!(collection(kind, "a"), path);
        }
    }
}
