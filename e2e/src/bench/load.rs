//! What users do in the benchmark: create services with a scalable target each, as fast as the server takes them.

use std::ops::Range;

use anyhow::{Context, Result};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, DynamicObject, PostParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

use crate::scenario::kinds::Known;
use crate::scenario::manifest;

/// As many requests at a time as the operator has workers by default.
pub(super) const CONCURRENCY: usize = 16;
/// The family all services share.
const FAMILY: &str = "web";

/// A service with its target, as the server stored them.
#[derive(Clone, Debug)]
pub(super) struct Created {
    pub(super) name: String,
    pub(super) service_uid: String,
    pub(super) target_uid: String,
}

/// All names are equally long, so that the objects of all services are equally large.
pub(super) fn service_name(index: usize) -> String {
    format!("web-{index:05}")
}

/// A namespace with a cluster and a task definition in it.
pub(super) async fn prepare(client: &Client, namespace: &str) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let object = json!({ "metadata": { "name": namespace } });
    namespaces.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
    create(client, namespace, manifest::cluster("main", &[])).await?;
    create(client, namespace, manifest::task_definition(FAMILY)).await?;
    Ok(())
}

/// Creates services; `then` is called with each.
pub(super) async fn create_services(
    client: &Client,
    namespace: &str,
    range: Range<usize>,
    then: impl Fn(Created) + Sync,
) -> Result<()> {
    let then = &then;
    futures::stream::iter(range)
        .map(|index| async move {
            then(create_service(client, namespace, index).await?);
            anyhow::Ok(())
        })
        .buffer_unordered(CONCURRENCY)
        .try_collect()
        .await
}

async fn create_service(client: &Client, namespace: &str, index: usize) -> Result<Created> {
    let name = service_name(index);
    let service = manifest::with(manifest::service(&name, 0), json!({ "taskDefinition": FAMILY }));
    let service = create(client, namespace, service).await?;
    let target = create(client, namespace, manifest::cpu_target(&name, (1, 10), 60)).await?;
    Ok(Created { name, service_uid: uid(&service)?, target_uid: uid(&target)? })
}

pub(super) async fn create(client: &Client, namespace: &str, object: Value) -> Result<DynamicObject> {
    let object: DynamicObject = serde_json::from_value(object)?;
    let kind = object.types.as_ref().map(|types| types.kind.clone()).unwrap_or_default();
    let api = Known::find(&kind)?.api(client, namespace);
    let created = api.create(&PostParams::default(), &object).await;
    created.with_context(|| format!("cannot create {kind} {}", object.name_any()))
}

fn uid(object: &DynamicObject) -> Result<String> {
    object.uid().context("the server gave no uid")
}

/// Removes a namespace and waits until it is gone, so that each part of the run begins on an empty cluster.
pub(super) async fn remove(client: &Client, namespace: &str) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces.delete(namespace, &DeleteParams::default()).await?;
    let limit = std::time::Duration::from_mins(15);
    crate::cluster::until(&format!("namespace {namespace} is gone"), limit, async || {
        Ok(namespaces.get_opt(namespace).await?.is_none().then_some(()))
    })
    .await
}
