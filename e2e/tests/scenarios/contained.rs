//! Whose pods are whose: selectors against owner references, which nobody can forge with a name.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use e2e::scenario::Scenario;
use e2e::scenario::json::text;
use kube::api::ListParams;
use kube::core::DynamicObject;
use serde_json::Value;

/// Kind and uid of the controller, else of the first owner.
fn owner(object: &Value) -> Option<(&str, &str)> {
    let owners = object.pointer("/metadata/ownerReferences")?.as_array()?;
    let is_controller = |owner: &&Value| owner.get("controller") == Some(&Value::Bool(true));
    let owner = owners.iter().find(is_controller).or_else(|| owners.first())?;
    Some((owner.get("kind")?.as_str()?, owner.get("uid")?.as_str()?))
}

/// Whether an equality selector selects the labels.
fn selects(selector: &Value, labels: &Value) -> bool {
    selector
        .as_object()
        .is_some_and(|wanted| !wanted.is_empty() && wanted.iter().all(|(name, value)| labels.get(name) == Some(value)))
}

/// Every selector of a child selects exactly the pods of its own service, and every child belongs to one service.
/// Answers with the names of the Deployments of each service.
pub(crate) async fn selectors_select_their_own(scenario: &Scenario) -> Result<BTreeMap<String, Vec<String>>> {
    let list = async |kind: &str| -> Result<Vec<Value>> {
        let found = scenario.api(kind)?.list(&ListParams::default()).await?;
        found.items.into_iter().map(|object: DynamicObject| Ok(serde_json::to_value(object)?)).collect()
    };
    let services = list("ECSService").await?;
    let services: BTreeMap<_, _> =
        services.iter().map(|service| (text(service, "/metadata/uid"), text(service, "/metadata/name"))).collect();
    let (deployments, replica_sets) = (list("Deployment").await?, list("ReplicaSet").await?);
    let uid = |object: &Value| text(object, "/metadata/uid").to_owned();
    let parents: BTreeMap<_, _> = deployments
        .iter()
        .chain(&replica_sets)
        .filter_map(|object| Some((uid(object), owner(object)?.1.to_owned())))
        .collect();
    // A pod belongs to a ReplicaSet, this to a Deployment, this to an ECSService.
    let mut pods = Vec::new();
    for pod in list("Pod").await? {
        let (_, replica_set) = owner(&pod).unwrap_or_default();
        let deployment = parents.get(replica_set).cloned().unwrap_or_default();
        let service = parents.get(&deployment).cloned().unwrap_or_default();
        ensure!(services.contains_key(service.as_str()), "whose is pod {}?", text(&pod, "/metadata/name"));
        pods.push((deployment, service, pod["metadata"]["labels"].clone()));
    }
    let mut names = BTreeMap::<_, Vec<_>>::new();
    for (kind, pointer) in [
        ("Deployment", "/spec/selector/matchLabels"),
        ("Service", "/spec/selector"),
        ("PodDisruptionBudget", "/spec/selector/matchLabels"),
    ] {
        for object in list(kind).await? {
            let name = text(&object, "/metadata/name");
            let Some(("ECSService", owner)) = owner(&object) else { anyhow::bail!("whose is {kind} {name}?") };
            let selector = object.pointer(pointer).unwrap_or(&Value::Null);
            for (deployment, service, labels) in &pods {
                let is_its_own = if kind == "Deployment" { *deployment == uid(&object) } else { service == owner };
                let is_selected = selects(selector, labels);
                ensure!(is_selected == is_its_own, "{kind} {name} selects {is_selected} of {service}: {selector}");
            }
            let service = services.get(owner).copied().unwrap_or_default().to_owned();
            if kind == "Deployment" {
                names.entry(service).or_default().push(name.to_owned());
            }
        }
    }
    Ok(names)
}
