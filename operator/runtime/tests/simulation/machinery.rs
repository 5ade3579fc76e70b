//! The rest of a cluster: what Kubernetes' own controllers and kubelets do, as far as services notice.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use plan::core::diff::hash;
use serde_json::{Value, json};

use crate::server::Server;
use crate::state::{Id, State};

/// A pod runs this long after it was made.
const START: i64 = 3;

/// Makes pods for Deployments, lets them run, and removes what has no owner, for ever.
pub(crate) async fn run(server: Arc<Server>) {
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        server.change(|state, now| {
            state.collect_garbage(now);
            let deployments: Vec<Id> = state.objects.keys().filter(|id| id.plural == "deployments").cloned().collect();
            for id in deployments {
                deployment(state, &id, now);
            }
            let pods: Vec<Id> = state.objects.keys().filter(|id| id.plural == "pods").cloned().collect();
            for id in pods {
                pod(state, &id, now);
            }
        });
    }
}

/// Replaces pods of another template one at a time, new ones first.
fn deployment(state: &mut State, id: &Id, now: Timestamp) {
    let deployment = state.objects[id].clone();
    let template = hash(&deployment["spec"]["template"]);
    let replicas = deployment["spec"]["replicas"].as_u64().unwrap_or(1);
    let uid = &deployment["metadata"]["uid"];
    let own = |object: &Value| object["metadata"]["ownerReferences"][0]["uid"] == *uid;
    let pods: Vec<(Id, bool, bool)> = state
        .objects
        .iter()
        .filter(|(id, object)| id.plural == "pods" && own(object))
        .map(|(id, object)| {
            let is_new = object["metadata"]["labels"]["pod-template-hash"] == template.as_str();
            (id.clone(), is_new, object["status"]["phase"] == "Running")
        })
        .collect();
    let count = |wanted: fn(&(Id, bool, bool)) -> bool| pods.iter().filter(|pod| wanted(pod)).count() as u64;
    let (new, new_running, old) = (count(|pod| pod.1), count(|pod| pod.1 && pod.2), count(|pod| !pod.1));
    if new < replicas && new == new_running {
        let name = (0..).map(|number| format!("{}-{template}-{number}", id.name));
        let name =
            name.into_iter().find(|name| !state.objects.contains_key(&Id::new("pods", &id.namespace, name))).unwrap();
        let owner = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{}-{template}", id.name),
            "uid": uid, "controller": true}]);
        let mut metadata = deployment["spec"]["template"]["metadata"].clone();
        metadata["labels"]["pod-template-hash"] = json!(template);
        metadata["ownerReferences"] = owner;
        let body = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata,
            "spec": deployment["spec"]["template"]["spec"], "status": {"phase": "Pending"}});
        let _ = state.create(&Id::new("pods", &id.namespace, &name), body, now);
    }
    let surplus = (new + old).saturating_sub(replicas);
    if surplus > 0 && (old == 0 || new_running > 0 || replicas == 0) {
        let is_marked = |pod: &&(Id, bool, bool)| {
            let annotations = &state.objects[&pod.0]["metadata"]["annotations"];
            annotations.get("controller.kubernetes.io/pod-deletion-cost").is_some()
        };
        let last = pods.iter().find(is_marked).or_else(|| pods.iter().rfind(|pod| old == 0 || !pod.1));
        if let Some((pod, _, _)) = last {
            let _ = state.delete(pod, &Value::Null, now);
        }
    }
    let running = count(|pod| pod.2);
    let status = json!({
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": new + old, "updatedReplicas": new, "readyReplicas": running, "availableReplicas": running,
    });
    let _ = state.edit(id, |deployment| deployment["status"] = status);
}

/// Starts a pod after a while.
fn pod(state: &mut State, id: &Id, now: Timestamp) {
    let pod = &state.objects[id];
    let made: Timestamp = pod["metadata"]["creationTimestamp"].as_str().unwrap().parse().unwrap();
    if pod["status"]["phase"] != "Pending" || now.as_second() < made.as_second() + START {
        return;
    }
    let time = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let containers = pod["spec"]["containers"].as_array().cloned().unwrap_or_default();
    let running = |container: &Value| json!({"name": container["name"], "ready": true, "restartCount": 0, "state": {"running": {"startedAt": time}}});
    let condition = |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": time});
    let status = json!({
        "phase": "Running",
        "startTime": time,
        "conditions": [condition("PodScheduled"), condition("ContainersReady"), condition("Ready")],
        "containerStatuses": containers.iter().map(running).collect::<Vec<_>>(),
    });
    let _ = state.edit(id, |pod| {
        pod["spec"]["nodeName"] = json!("node-1");
        pod["status"] = status;
    });
}
