//! Objects that a cluster has before anybody uses it: the default storage class and the metrics API.

use anyhow::{Context, Result};
use kube::api::{Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};

/// Server-side apply of one object.
async fn apply(client: &Client, object: Value) -> Result<()> {
    let object: DynamicObject = serde_json::from_value(object)?;
    let types = object.types.clone().context("object without a kind")?;
    let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(&types)?);
    let api: Api<DynamicObject> = match &object.metadata.namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let name = object.metadata.name.clone().context("object without a name")?;
    api.patch(&name, &PatchParams::apply("e2e").force(), &Patch::Apply(&object))
        .await
        .with_context(|| format!("cannot apply {} {name}", types.kind))?;
    Ok(())
}

/// The default storage class; KWOK makes its volumes.
///
/// # Errors
/// When it cannot be applied.
pub(super) async fn storage_class(client: &Client) -> Result<()> {
    apply(
        client,
        json!({
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {
                "name": "standard",
                "annotations": { "storageclass.kubernetes.io/is-default-class": "true" },
            },
            "provisioner": "e2e.local/volumes",
            "reclaimPolicy": "Delete",
            "volumeBindingMode": "WaitForFirstConsumer",
        }),
    )
    .await
}

/// The snapshot API as a cluster with a snapshot controller serves it, without the controller: nobody acts on its objects.
///
/// # Errors
/// When it cannot be applied.
pub(super) async fn snapshot_api(client: &Client) -> Result<()> {
    for (kind, plural, scope) in [
        ("VolumeSnapshot", "volumesnapshots", "Namespaced"),
        ("VolumeSnapshotContent", "volumesnapshotcontents", "Cluster"),
    ] {
        let open = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
        let schema = json!({ "type": "object", "properties": { "spec": open, "status": open } });
        let version = json!({
            "name": "v1", "served": true, "storage": true,
            "schema": { "openAPIV3Schema": schema }, "subresources": { "status": {} },
        });
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "name": format!("{plural}.snapshot.storage.k8s.io"),
                "annotations": { "api-approved.kubernetes.io": "https://github.com/kubernetes-csi/external-snapshotter" },
            },
            "spec": {
                "group": "snapshot.storage.k8s.io",
                "scope": scope,
                "names": { "kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": kind.to_lowercase() },
                "versions": [version],
            },
        });
        apply(client, definition).await?;
    }
    Ok(())
}

/// `metrics.k8s.io`, served by metrics-server on a port of this machine. EndpointSlices may not hold loopback addresses; an
/// ExternalName is what lets the API server reach a process on loopback.
///
/// # Errors
/// When it cannot be applied.
pub(super) async fn metrics_api(client: &Client, port: u16) -> Result<()> {
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": "metrics-server", "namespace": "kube-system" },
        "spec": {
            "type": "ExternalName",
            "externalName": "localhost",
            "ports": [{ "name": "https", "port": port, "protocol": "TCP" }],
        },
    });
    let registration = json!({
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": { "name": "v1beta1.metrics.k8s.io" },
        "spec": {
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": true,
            "service": { "name": "metrics-server", "namespace": "kube-system", "port": port },
        },
    });
    apply(client, service).await?;
    apply(client, registration).await
}
