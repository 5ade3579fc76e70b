//! What a scenario does: apply, patch, scale, delete.

use std::time::Duration;

use anyhow::{Context, Result};
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use super::Scenario;
use super::json::{find, text};
use super::kinds::Known;

/// The field manager of what people and pipelines write.
const MANAGER: &str = "scenario";

/// Something that holds manifests: values, or YAML with any number of documents.
pub trait Documents {
    /// The manifests.
    ///
    /// # Errors
    /// When the text is no YAML.
    fn documents(self) -> Result<Vec<Value>>;
}

impl<const N: usize> Documents for [Value; N] {
    fn documents(self) -> Result<Vec<Value>> {
        Ok(self.into())
    }
}

impl Documents for Vec<Value> {
    fn documents(self) -> Result<Vec<Value>> {
        Ok(self)
    }
}

impl Documents for &str {
    fn documents(self) -> Result<Vec<Value>> {
        serde_saphyr::from_multiple(self).context("cannot read the manifest")
    }
}

impl Scenario {
    /// What is there when the scenario begins; applied like everything else.
    ///
    /// # Errors
    /// When the API server refuses one.
    pub async fn given(&self, documents: impl Documents) -> Result<()> {
        self.when_applied(documents).await
    }

    /// `kubectl apply --server-side -f`.
    ///
    /// # Errors
    /// When the API server refuses one.
    pub async fn when_applied(&self, documents: impl Documents) -> Result<()> {
        for document in documents.documents()? {
            let kind = document.get("kind").and_then(Value::as_str).unwrap_or_default();
            let kind = Known::find(kind)?.kind;
            let api = Known::find(kind)?.api(&self.client, &self.namespace);
            let object: DynamicObject = serde_json::from_value(document)?;
            let name = object.name_any();
            let written = api
                .patch(&name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(&object))
                .await
                .with_context(|| format!("cannot apply {kind} {name}"))?;
            self.sees(kind, &name, written.resource_version()).await?;
        }
        Ok(())
    }

    /// What the API server says when it refuses a manifest; an error when it does not refuse it.
    ///
    /// # Errors
    /// When the manifest is accepted.
    pub async fn when_refused(&self, document: Value) -> Result<String> {
        match self.when_applied([document]).await {
            Ok(()) => anyhow::bail!("the API server accepted what it must refuse"),
            Err(error) => Ok(format!("{error:#}")),
        }
    }

    /// A merge patch, as an editor would send it.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn when_patched(&self, kind: &str, name: &str, patch: Value) -> Result<()> {
        let context = || format!("cannot patch {kind} {name}");
        let patch = Patch::Merge(patch);
        let written = self.api(kind)?.patch(name, &PatchParams::default(), &patch).await.with_context(context)?;
        self.sees(kind, name, written.resource_version()).await
    }

    /// Waits until the watches show what was written: an expectation must not be met by what was there before.
    async fn sees(&self, kind: &str, name: &str, version: Option<String>) -> Result<()> {
        let Some(version) = version.and_then(|version| version.parse::<u64>().ok()) else { return Ok(()) };
        // A pod may be replaced before the watch shows it.
        if kind == "Pod" || !self.view.is_watched(kind) {
            return Ok(());
        }
        let limit = Duration::from_secs(30);
        self.view
            .until(&format!("the watch shows {kind} {name} as it was written"), limit, |objects| {
                let object = find(objects, kind, name).ok_or("it shows none")?;
                let is = text(object, "/metadata/resourceVersion");
                let is_new = is.parse::<u64>().is_ok_and(|is| is >= version);
                if is_new { Ok(()) } else { Err(format!("it shows version {is} instead of {version}")) }
            })
            .await
    }

    /// The spec of a service is changed.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn when_service_changed(&self, name: &str, spec: Value) -> Result<()> {
        self.when_patched("ECSService", name, json!({ "spec": spec })).await
    }

    /// `kubectl scale ecssvc NAME --replicas=N`
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn when_scaled(&self, name: &str, desired: i64) -> Result<()> {
        let patch = Patch::Merge(json!({ "spec": { "replicas": desired } }));
        let context = || format!("cannot scale {name} to {desired}");
        let services = self.api("ECSService")?;
        let written = services.patch_scale(name, &PatchParams::default(), &patch).await.with_context(context)?;
        self.sees("ECSService", name, written.metadata.resource_version).await
    }

    /// Every pod of a service gets an annotation, or loses it: its fate changes while it runs.
    ///
    /// # Errors
    /// When a pod cannot be patched.
    pub async fn when_fate_changes(&self, service: &str, annotation: &str, value: Option<&str>) -> Result<()> {
        let names: Vec<String> = self.view.read(|objects| {
            let pods = super::sampler::tasks(objects, service).into_iter().filter(|pod| super::sampler::exists(pod));
            pods.filter_map(|pod| pod.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned)).collect()
        });
        for name in names {
            let patch = json!({ "metadata": { "annotations": { annotation: value } } });
            match self.when_patched("Pod", &name, patch).await {
                // It was replaced in the meantime.
                Err(error) if format!("{error:#}").contains("not found") => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// `kubectl delete --wait=false`; nothing happens when it is gone already.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn when_deleted(&self, kind: &str, name: &str) -> Result<()> {
        match self.api(kind)?.delete(name, &DeleteParams::background()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(error).with_context(|| format!("cannot delete {kind} {name}")),
            Ok(_) => Ok(()),
        }
    }

    /// The administrator of the scenario's namespace says what its tasks may have: annotations of the Namespace.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn given_allowed(&self, annotations: Value) -> Result<()> {
        let patch = json!({ "metadata": { "annotations": annotations } });
        self.when_patched("Namespace", &self.namespace, patch).await
    }

    /// The objects of a kind in the scenario's namespace.
    ///
    /// # Errors
    /// When the kind is not in the table.
    pub fn api(&self, kind: &str) -> Result<Api<DynamicObject>> {
        Ok(Known::find(kind)?.api(&self.client, &self.namespace))
    }
}
