//! A cluster without a network: objects in memory, the planner's operations carried out at once, and a Deployment
//! controller that finishes whatever it is asked for in one step.
#![allow(dead_code, unreachable_pub, missing_docs)] // every test file uses a part of it
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests report by panicking
#![allow(clippy::missing_panics_doc, clippy::must_use_candidate, clippy::needless_pass_by_value)]

pub mod kstatus;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use plan::core::status;
use plan::core::world::MemoryWorld;
use plan::sandbox::Server;
use plan::{Kind, ObjectKey, Op, Plan, Settings, Stored, World, plan};
use serde_json::{Value, json};

pub struct Cluster {
    pub world: MemoryWorld,
    pub now: Timestamp,
    pub settings: Settings,
    /// Every operation that was carried out, in one line each, status writes included.
    pub log: Vec<String>,
    server: Server<ObjectKey>,
}

pub const NAMESPACE: &str = "shop";

impl Cluster {
    pub fn new() -> Self {
        let now = "2026-03-01T10:00:00Z".parse().unwrap();
        let settings = Settings::default();
        let mut cluster =
            Self { world: MemoryWorld::default(), now, settings, log: Vec::new(), server: Server::default() };
        cluster.apply(json!({"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSCluster", "metadata": {"name": "default"}, "spec": {}}));
        cluster.annotate(&json!({"ecs-operator.dev/allowed-placement": "capacity-providers=*,node-labels=*"}));
        cluster
    }

    /// An administrator writes the annotations of the namespace, all of them.
    pub fn annotate(&mut self, annotations: &Value) {
        let metadata = json!({"name": NAMESPACE, "annotations": annotations});
        self.apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}));
    }

    /// What `kubectl replace` does: a new generation when the spec changed, and status left alone.
    pub fn apply(&mut self, mut object: Value) -> ObjectKey {
        let kind = Kind::from_type(object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap()).unwrap();
        if kind.is_namespaced() && object["metadata"].get("namespace").is_none() {
            object["metadata"]["namespace"] = json!(NAMESPACE);
        }
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let namespace = object["metadata"].get("namespace").and_then(Value::as_str).map(ToOwned::to_owned);
        let key = ObjectKey { kind, namespace, name };
        if self.world.get(&key).is_none() {
            self.server.create(&mut self.world, &key, object, self.now).unwrap();
            return key;
        }
        self.change(&key, |live| {
            for field in ["uid", "creationTimestamp", "finalizers", "generation", "resourceVersion"] {
                if let Some(value) = live["metadata"].get(field) {
                    object["metadata"][field] = value.clone();
                }
            }
            if object.get("status").is_none() {
                object["status"] = live.get("status").cloned().unwrap_or_default();
            }
            *live = object;
        });
        key
    }

    pub fn get(&self, kind: Kind, name: &str) -> Value {
        self.stored(kind, name).value()
    }

    pub fn version(&self, kind: Kind, name: &str) -> String {
        self.stored(kind, name).resource_version.clone()
    }

    fn stored(&self, kind: Kind, name: &str) -> Arc<Stored> {
        let key = ObjectKey::namespaced(kind, NAMESPACE, name);
        self.world.get(&key).unwrap_or_else(|| panic!("no {kind} {name}"))
    }

    pub fn list(&self, kind: Kind) -> Vec<Value> {
        self.world.list(kind, None).iter().map(|stored| stored.value()).collect()
    }

    pub fn edit(&mut self, kind: Kind, name: &str, change: impl FnOnce(&mut Value)) {
        let mut object = self.get(kind, name);
        change(&mut object);
        self.apply(object);
    }

    /// The newest Deployment of a service.
    pub fn deployment(&self, service: &str) -> Value {
        let records = self.list(Kind::ServiceDeployment);
        let mut own: Vec<Value> = self
            .list(Kind::Deployment)
            .into_iter()
            .filter(|one| one["metadata"]["labels"]["ecs-operator.dev/service"] == service)
            .collect();
        own.sort_by_key(|one| {
            let id = &one["metadata"]["labels"]["ecs-operator.dev/deployment-id"];
            let id = format!("ecs-svc/{}", id.as_str().unwrap());
            let record = records.iter().find(|record| record["spec"]["deploymentId"] == id.as_str()).unwrap();
            record["spec"]["createdAt"].as_str().unwrap().to_owned()
        });
        own.pop().unwrap_or_else(|| panic!("no Deployment of {service}"))
    }

    /// What somebody else deletes.
    pub fn remove(&mut self, kind: Kind, name: &str) {
        self.world.remove(&ObjectKey::namespaced(kind, NAMESPACE, name)).unwrap();
    }

    /// One reconcile of one root, carried out.
    pub fn reconcile(&mut self, root: &ObjectKey) -> Plan {
        let plan = plan(&self.world, root, &self.settings, self.now);
        let status = plan.status.clone().unwrap_or_default();
        assert!(!kstatus::contradicts_itself(&status), "{root}: {status:#}");
        for op in &plan.ops {
            self.log.push(op.to_string());
            self.carry_out(op);
        }
        if let Some(status) = &plan.status
            && !status::same(status, &plan.previous_status)
        {
            self.log.push(format!("status {root}"));
            self.server.apply_status(&mut self.world, root, status, self.now).unwrap();
        }
        plan
    }

    /// One reconcile of one root in which the status of the root cannot be written at the end.
    pub fn reconcile_without_status(&mut self, root: &ObjectKey) {
        let plan = plan(&self.world, root, &self.settings, self.now);
        for op in &plan.ops {
            self.log.push(op.to_string());
            self.carry_out(op);
        }
    }

    /// Reconciles every root until nothing is written any more; answers how many writes that took.
    pub fn settle(&mut self) -> usize {
        let before = self.log.len();
        for _ in 0..50 {
            let start = self.log.len();
            let roots: Vec<ObjectKey> = Kind::ALL
                .into_iter()
                .filter(|kind| kind.is_root())
                .flat_map(|kind| self.world.list(kind, None))
                .map(|stored| stored.key.clone())
                .collect();
            for root in roots {
                self.reconcile(&root);
            }
            if self.log.len() == start {
                return self.log.len() - before;
            }
        }
        panic!("does not settle: {:#?}", &self.log[before..]);
    }

    /// Settles, lets the Deployment controller finish, and so on until nothing moves, also not after the time in which
    /// tasks without a health check become healthy.
    pub fn run(&mut self) {
        let mut has_waited = false;
        for _ in 0..100 {
            let writes = self.settle();
            let moved = self.deployment_controller();
            if writes > 0 || moved {
                has_waited = false;
            } else if has_waited || !self.is_rolling() {
                return;
            } else {
                self.pass(41);
                has_waited = true;
            }
        }
        panic!("does not come to rest");
    }

    fn is_rolling(&self) -> bool {
        let is_over = |service: &Value| service["status"]["deployments"][0]["rolloutState"] != "IN_PROGRESS";
        let is_steady = |service: &Value| {
            let conditions = service["status"]["conditions"].as_array().cloned().unwrap_or_default();
            conditions.iter().any(|one| one["type"] == "SteadyState" && one["status"] == "True")
        };
        !self.list(Kind::Service).iter().all(|service| is_over(service) && is_steady(service))
    }

    fn carry_out(&mut self, op: &Op) {
        let before = self.world.get(op.key());
        self.server.carry_out(&mut self.world, op, self.now).unwrap_or_else(|refused| panic!("{op}: {refused}"));
        // The server has removed it; tests look at what was left of it.
        if let Op::RemoveFinalizer { key, finalizers, .. } = op
            && self.world.get(key).is_none()
        {
            let mut last = before.unwrap().value();
            last["metadata"]["finalizers"] = json!(finalizers);
            self.world.insert(Stored::accept(key.kind, last).unwrap());
        }
    }

    fn change(&mut self, key: &ObjectKey, change: impl FnOnce(&mut Value)) {
        self.server.edit(&mut self.world, key, change).unwrap();
    }

    fn set_status(&mut self, key: &ObjectKey, status: Value) {
        self.change(key, |object| object["status"] = status);
    }

    /// Finishes every Deployment at once; answers whether anything moved.
    pub fn deployment_controller(&mut self) -> bool {
        let mut moved = false;
        for stored in self.world.list(Kind::Deployment, None) {
            let deployment = stored.value();
            let replicas = deployment["spec"]["replicas"].as_i64().unwrap();
            let generation = deployment["metadata"]["generation"].clone();
            let status = json!({"observedGeneration": generation, "replicas": replicas, "updatedReplicas": replicas,
                "availableReplicas": replicas});
            moved |= self.pods(&stored.key.name, &deployment, replicas);
            if deployment["status"] != status {
                self.set_status(&stored.key, status);
                moved = true;
            }
        }
        moved
    }

    fn pods(&mut self, owner: &str, deployment: &Value, replicas: i64) -> bool {
        let template = &deployment["spec"]["template"];
        let selector = &deployment["spec"]["selector"]["matchLabels"];
        let matches = |pod: &Value| {
            selector.as_object().unwrap().iter().all(|(label, value)| pod["metadata"]["labels"][label] == *value)
        };
        let mut moved = false;
        let mut pods: Vec<_> =
            self.world.list(Kind::Pod, None).into_iter().filter(|pod| matches(&pod.value())).collect();
        // As a ReplicaSet: a pod that is over is none; what is not ready goes first, then what costs least.
        pods.retain(|pod| pod.value()["status"]["phase"] != "Failed");
        pods.sort_by_key(|pod| {
            let pod = pod.value();
            let is_ready = pod["status"]["conditions"][0]["status"] == "True";
            let cost = &pod["metadata"]["annotations"]["controller.kubernetes.io/pod-deletion-cost"];
            (is_ready, cost.as_str().map_or(0, |cost| cost.parse::<i64>().unwrap()))
        });
        let mut kept = i64::try_from(pods.len()).unwrap();
        for pod in pods {
            if kept > replicas {
                self.world.remove(&pod.key);
                kept -= 1;
                moved = true;
            }
        }
        for _ in kept..replicas {
            moved = true;
            let name = format!("{owner}-{}", self.server.version());
            let started = self.now;
            let states: Vec<Value> = template["spec"]["containers"]
                .as_array()
                .unwrap()
                .iter()
                .map(|container| {
                    json!({"name": container["name"], "ready": true, "started": true, "restartCount": 0,
                        "state": {"running": {"startedAt": started.to_string()}}})
                })
                .collect();
            let mut labels = template["metadata"]["labels"].clone();
            labels["pod-template-hash"] = json!("hash");
            let controller = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{owner}-hash"),
                "uid": "replica-set", "controller": true});
            let mut pod = json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": name, "labels": labels, "annotations": template["metadata"]["annotations"],
                    "ownerReferences": [controller]},
                "spec": {"nodeName": "node-1", "containers": template["spec"]["containers"]},
                "status": {"phase": "Running", "containerStatuses": states, "startTime": self.now.to_string(),
                    "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": self.now.to_string()},
                        {"type": "PodScheduled", "status": "True"}]},
            });
            if let Some(gates) = template.pointer("/spec/schedulingGates") {
                pod["spec"] = json!({"schedulingGates": gates, "containers": template["spec"]["containers"]});
                let gated = json!({"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"});
                pod["status"] = json!({"phase": "Pending", "conditions": [gated]});
            }
            self.apply(pod);
        }
        moved
    }

    pub fn pass(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }
}

pub fn condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    object["status"]["conditions"]
        .as_array()
        .and_then(|conditions| conditions.iter().find(|condition| condition["type"] == kind))
        .unwrap_or_else(|| panic!("no condition {kind} in {object:#}"))
}

pub fn task_definition(family: &str, image: &str) -> Value {
    json!({"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSTaskDefinition", "metadata": {"name": family},
        "spec": {"family": family, "containerDefinitions": [
            {"name": "app", "image": image, "memory": 128, "cpu": 256, "portMappings": [{"containerPort": 8080}]}]}})
}

/// A service of so many healthy tasks, at rest.
pub fn steady(name: &str, count: i64) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.apply(task_definition("web", "example.com/web:1"));
    cluster.apply(service(name, "web", count));
    cluster.run();
    cluster
}

pub fn service(name: &str, family: &str, count: i64) -> Value {
    json!({"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSService", "metadata": {"name": name},
        "spec": {"taskDefinition": family, "desiredCount": count}})
}

/// A steady service on `web:1` with this deployment configuration.
pub fn configured(count: i64, configuration: &Value) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.apply(task_definition("web", "good:1"));
    let mut web = service("web", "web", count);
    web["spec"]["deploymentConfiguration"] = configuration.clone();
    cluster.apply(web);
    cluster.run();
    assert_eq!(condition(&cluster.get(Kind::Service, "web"), "Ready")["status"], "True");
    cluster
}

pub fn breaker(rollback: bool) -> Value {
    json!({"deploymentCircuitBreaker": {"enable": true, "rollback": rollback}})
}

/// The records of the service, oldest first.
pub fn records(cluster: &Cluster) -> Vec<Value> {
    let mut records = cluster.list(Kind::ServiceDeployment);
    records.sort_by_key(|record| record["spec"]["createdAt"].as_str().unwrap().to_owned());
    records
}

/// Images of the tasks that are asked for.
pub fn images(cluster: &Cluster) -> Vec<String> {
    let image = |pod: &Value| pod["spec"]["containers"][0]["image"].as_str().unwrap().to_owned();
    let mut images: Vec<String> = cluster
        .list(Kind::Deployment)
        .iter()
        .flat_map(|one| {
            let replicas = one["spec"]["replicas"].as_u64().unwrap();
            vec![image(&one["spec"]["template"]); usize::try_from(replicas).unwrap()]
        })
        .collect();
    images.sort();
    images
}
