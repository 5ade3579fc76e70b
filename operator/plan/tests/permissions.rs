//! What an administrator took back is gone: no deployment starts from it, whoever asks for it and in whatever way.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests report by panicking

mod common;

use common::{Cluster, NAMESPACE, condition, service, task_definition};
use plan::Kind;
use serde_json::{Value, json};

const ROLE: &str = "arn:aws:iam::123456789012:role/app";

/// Everything that a task can be given, allowed.
fn everything() -> Value {
    json!({
        "ecs-operator.dev/allowed-task-roles": ROLE,
        "ecs-operator.dev/allowed-secrets": "/prod/*",
        "ecs-operator.dev/parameter-store": "ClusterSecretStore/aws",
        "ecs-operator.dev/allowed-file-systems": "fs-1,snap-1,nfs/files/srv,smb/fs-2.corp/share",
        "ecs-operator.dev/allowed-host-access": "host-paths=/srv,privileged,host-network",
        "ecs-operator.dev/allowed-placement": "capacity-providers=*,runtime-classes=kata,priority-classes=high",
        "ecs-operator.dev/allowed-services": "load-balancer,annotations=*",
    })
}

fn without(list: &str) -> Value {
    let mut annotations = everything();
    annotations.as_object_mut().unwrap().remove(&format!("ecs-operator.dev/{list}")).unwrap();
    annotations
}

/// A service that used what is not everybody's in its first deployment, and does not any more.
fn cluster(first: &Value) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.settings.facts.served.insert("external-secrets.io/v1".to_owned());
    cluster.annotate(&everything());
    let mut definition = task_definition("web", "example.com/web:1");
    for (member, value) in first.as_object().unwrap() {
        if let Some(members) = value.as_object().filter(|_| member == "container") {
            definition["spec"]["containerDefinitions"][0].as_object_mut().unwrap().extend(members.clone());
        } else {
            definition["spec"][member] = value.clone();
        }
    }
    cluster.apply(definition);
    cluster.apply(service("web", "web", 2));
    cluster.run();
    assert_eq!(condition(&cluster.get(Kind::Service, "web"), "Ready")["status"], "True", "{first}");
    cluster.apply(task_definition("web", "example.com/web:2"));
    cluster.run();
    cluster
}

/// The first deployment of the service.
fn first_record(cluster: &Cluster) -> Value {
    let records = cluster.list(Kind::ServiceDeployment);
    records.into_iter().min_by_key(|record| record["spec"]["createdAt"].as_str().unwrap().to_owned()).unwrap()
}

fn return_to_first(cluster: &mut Cluster) {
    let name = first_record(cluster)["metadata"]["name"].clone();
    cluster.edit(Kind::Service, "web", |web| web["spec"]["kubernetes"] = json!({"serviceRevision": name}));
    cluster.run_or_settle();
}

trait RunOrSettle {
    fn run_or_settle(&mut self);
}

impl RunOrSettle for Cluster {
    /// A refused service never becomes steady.
    fn run_or_settle(&mut self) {
        for _ in 0..3 {
            self.settle();
            self.deployment_controller();
            self.pass(41);
        }
        self.settle();
    }
}

fn efs() -> Value {
    json!({"volumes": [{"name": "data", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]})
}

/// What a first deployment used, the list that allowed it, and what its refusal names.
fn rows() -> Vec<(Value, &'static str, &'static str)> {
    let docker =
        |options: Value| json!({"volumes": [{"name": "d", "dockerVolumeConfiguration": {"driverOpts": options}}]});
    let fsx = json!({"volumes": [{"name": "d", "fsxWindowsFileServerVolumeConfiguration": {"fileSystemId": "fs-2",
        "rootDirectory": "share", "authorizationConfig": {"credentialsParameter": "/corp/user", "domain": "corp"}}}]});
    vec![
        (json!({"taskRoleArn": ROLE}), "allowed-task-roles", ROLE),
        (efs(), "allowed-file-systems", "fs-1"),
        (docker(json!({"type": "nfs", "device": ":/srv", "o": "addr=files"})), "allowed-file-systems", "nfs/files/srv"),
        (fsx, "allowed-file-systems", "smb/fs-2.corp/share"),
        (
            json!({"container": {"secrets": [{"name": "A", "valueFrom": "/prod/db"}]}}),
            "allowed-secrets",
            "allowed-secrets=/prod/db",
        ),
        (json!({"container": {"privileged": true}}), "allowed-host-access", "allowed-host-access=privileged"),
        (json!({"networkMode": "host"}), "allowed-host-access", "allowed-host-access=host-network"),
        (json!({"volumes": [{"name": "d", "host": {"sourcePath": "/srv"}}]}), "allowed-host-access", "host-paths=/srv"),
        (json!({"kubernetes": {"runtimeClassName": "kata"}}), "allowed-placement", "runtime-classes=kata"),
    ]
}

#[test]
fn when_a_permission_is_taken_back_then_no_earlier_service_revision_brings_it_back() {
    for (first, list, item) in rows() {
        // While it is allowed, the service may return.
        let mut allowed = cluster(&first);
        return_to_first(&mut allowed);
        let web = allowed.get(Kind::Service, "web");
        assert_eq!(web["status"]["taskDefinition"], "web:1", "{first}: {:#}", web["status"]["conditions"]);

        let mut cluster = cluster(&first);
        cluster.annotate(&without(list));
        cluster.settle();
        let before = cluster.list(Kind::Deployment).len();
        return_to_first(&mut cluster);
        let web = cluster.get(Kind::Service, "web");
        let accepted = condition(&web, "Accepted");
        assert_eq!(accepted["reason"], "AccessDeniedException", "{first}");
        let message = accepted["message"].as_str().unwrap();
        assert!(message.contains(item) && message.contains("spec.kubernetes.serviceRevision"), "{message}");
        assert_eq!(web["status"]["taskDefinition"], "web:2", "{first}");
        assert_eq!(web["status"]["runningCount"], 2, "what runs stays");
        assert_eq!(cluster.list(Kind::Deployment).len(), before);
        // It heals when the administrator allows it again.
        cluster.annotate(&everything());
        cluster.run();
        assert_eq!(cluster.get(Kind::Service, "web")["status"]["taskDefinition"], "web:1", "{first}");
    }
}

#[test]
fn when_a_rollback_would_bring_back_what_was_taken_back_then_it_waits_and_says_why() {
    let mut cluster = cluster(&json!({}));
    let mut privileged = task_definition("web", "example.com/web:3");
    privileged["spec"]["containerDefinitions"][0]["privileged"] = json!(true);
    cluster.apply(privileged);
    cluster.run();
    cluster.apply(task_definition("web", "example.com/web:4"));
    cluster.settle();
    cluster.annotate(&without("allowed-host-access"));
    let newest = cluster.list(Kind::ServiceDeployment);
    let newest = newest.iter().max_by_key(|record| record["spec"]["createdAt"].as_str().unwrap().to_owned()).unwrap();
    let name = newest["metadata"]["name"].clone();
    cluster.edit(Kind::Service, "web", |web| {
        web["spec"]["kubernetes"] = json!({"stopServiceDeployment": {"serviceDeployment": name}});
    });
    let records = cluster.list(Kind::ServiceDeployment).len();
    cluster.run_or_settle();
    let web = cluster.get(Kind::Service, "web");
    let stalled = condition(&web, "Stalled");
    assert_eq!((&stalled["status"], &stalled["reason"]), (&json!("True"), &json!("AccessDeniedException")));
    let message = stalled["message"].as_str().unwrap();
    assert!(message.contains("not rolled back") && message.contains("allowed-host-access=privileged"), "{message}");
    assert_eq!(cluster.list(Kind::ServiceDeployment).len(), records);
    cluster.annotate(&everything());
    cluster.run();
    assert_eq!(cluster.list(Kind::ServiceDeployment).len(), records + 1);
    assert_eq!(cluster.get(Kind::Service, "web")["status"]["taskDefinition"], "web:3");
}

#[test]
fn when_a_permission_is_taken_back_then_what_runs_stays_until_its_deployment_is_deleted() {
    let mut cluster = Cluster::new();
    cluster.annotate(&everything());
    let mut definition = task_definition("web", "example.com/web:1");
    definition["spec"]["containerDefinitions"][0]["privileged"] = json!(true);
    cluster.apply(definition);
    cluster.apply(service("web", "web", 2));
    cluster.run();
    cluster.annotate(&without("allowed-host-access"));
    cluster.run_or_settle();
    let web = cluster.get(Kind::Service, "web");
    assert_eq!(condition(&web, "Accepted")["reason"], "AccessDeniedException");
    assert_eq!((web["status"]["runningCount"].as_i64(), cluster.list(Kind::Pod).len()), (Some(2), 2));
    // The administrator wants the tasks gone: nothing makes them again.
    let name = cluster.list(Kind::Deployment)[0]["metadata"]["name"].as_str().unwrap().to_owned();
    cluster.remove(Kind::Deployment, &name);
    cluster.run_or_settle();
    assert!(cluster.list(Kind::Deployment).is_empty());
}

#[test]
fn when_a_record_is_forged_then_nothing_is_made_of_it_and_the_service_says_so() {
    for change in [
        |revision: &mut Value| revision["podTemplate"]["spec"]["hostPID"] = json!(true),
        |revision: &mut Value| {
            revision["podTemplate"]["spec"]["containers"][0]["securityContext"] = json!({"privileged": true});
        },
        |revision: &mut Value| {
            revision["podTemplate"]["spec"]["volumes"] = json!([{"name": "a", "hostPath": {"path": "/"}}]);
        },
        |revision: &mut Value| {
            revision["podTemplate"]["spec"]["serviceAccountName"] = json!("ecs-role-admin-0123456789abcdef");
        },
        |revision: &mut Value| {
            revision["capacity"][0]["placement"] = json!({"tolerations": [{"operator": "Exists"}]});
        },
        |revision: &mut Value| {
            let annotations = json!({"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/admin"});
            revision["sharedChildren"] = json!([{"apiVersion": "v1", "kind": "ServiceAccount",
                "metadata": {"name": "ecs-role-admin-0123456789abcdef", "annotations": annotations}}]);
        },
        |revision: &mut Value| {
            revision["sharedChildren"] = json!([{"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
                "metadata": {"name": "ecs-secrets-1", "namespace": NAMESPACE,
                    "annotations": {"ecs-operator.dev/value-from": "[\"/prod/db\"]"}},
                "spec": {"secretStoreRef": {"kind": "ClusterSecretStore", "name": "aws"},
                    "target": {"name": "ecs-secrets-1", "creationPolicy": "Owner"},
                    "data": [{"secretKey": "a", "remoteRef": {"key": "/other/db"}}]}}]);
        },
        |revision: &mut Value| {
            revision["clusterChildren"] = json!([{"apiVersion": "v1", "kind": "PersistentVolume",
                "metadata": {"name": "v"}, "spec": {"persistentVolumeReclaimPolicy": "Retain",
                    "claimRef": {"namespace": NAMESPACE, "name": "c"},
                    "csi": {"driver": "efs.csi.aws.com", "volumeHandle": "fs-9:/:fsap-1"}}}]);
        },
    ] {
        let mut cluster = cluster(&json!({}));
        cluster.annotate(&json!({"ecs-operator.dev/parameter-store": "ClusterSecretStore/aws",
            "ecs-operator.dev/allowed-secrets": "/prod/*"}));
        cluster.settle();
        let mut record = first_record(&cluster);
        record["metadata"] = json!({"name": "forged", "namespace": NAMESPACE, "labels": record["metadata"]["labels"],
            "ownerReferences": record["metadata"]["ownerReferences"]});
        record["spec"]["deploymentId"] = json!("ecs-svc/9999999999999999999");
        record["spec"]["createdAt"] = json!("2099-01-01T00:00:00.000000Z");
        let web = cluster.get(Kind::Service, "web");
        let running = cluster.list(Kind::ServiceDeployment);
        let running = running.iter().find(|one| one["metadata"]["name"] == web["status"]["currentServiceDeployment"]);
        for member in ["triggerHash", "forceHash"] {
            record["spec"][member] = running.unwrap()["spec"][member].clone();
        }
        change(&mut record["spec"]["serviceRevision"]);
        record.as_object_mut().unwrap().remove("status");
        let made = |cluster: &Cluster| {
            let kinds = [Kind::Deployment, Kind::ServiceAccount, Kind::ExternalSecret, Kind::PersistentVolume];
            kinds.map(|kind| cluster.list(kind).len())
        };
        let before = made(&cluster);
        cluster.apply(record.clone());
        cluster.run_or_settle();
        assert_eq!(made(&cluster), before, "{}", record["spec"]["serviceRevision"]);
        let stalled = condition(&cluster.get(Kind::Service, "web"), "Stalled").clone();
        assert_eq!(stalled["reason"], "AccessDeniedException", "{stalled}");
        assert!(stalled["message"].as_str().unwrap().contains("forged"), "{stalled}");
    }
}

#[test]
fn when_a_service_wants_more_than_the_cluster_then_its_administrator_allows_it_by_item() {
    let of_service = |service: Value| json!({"service": service});
    for (kubernetes, path, item) in [
        (of_service(json!({"type": "LoadBalancer"})), "service.type", "allowed-services=load-balancer"),
        (of_service(json!({"type": "NodePort"})), "service.type", "allowed-services=node-port"),
        (
            of_service(json!({"annotations": {"external-dns.alpha.kubernetes.io/hostname": "a.example.com"}})),
            "service.annotations[external-dns.alpha.kubernetes.io/hostname]",
            "annotations=external-dns.alpha.kubernetes.io/hostname",
        ),
        (json!({"priorityClassName": "high"}), "priorityClassName", "allowed-placement=priority-classes=high"),
        (
            json!({"podAnnotations": {"container.apparmor.security.beta.kubernetes.io/app": "unconfined"}}),
            "podAnnotations[container.apparmor.security.beta.kubernetes.io/app]",
            "allowed-host-access=unconfined",
        ),
    ] {
        let mut cluster = Cluster::new();
        cluster.annotate(&json!({}));
        cluster.apply(task_definition("web", "example.com/web:1"));
        let mut web = service("web", "web", 1);
        web["spec"]["kubernetes"] = kubernetes;
        cluster.apply(web);
        cluster.run_or_settle();
        let accepted = condition(&cluster.get(Kind::Service, "web"), "Accepted").clone();
        assert_eq!(accepted["reason"], "AccessDeniedException");
        let message = accepted["message"].as_str().unwrap();
        assert!(message.contains(&format!("spec.kubernetes.{path}: ")) && message.contains(item), "{message}");
        let (list, item) = item.split_once('=').unwrap();
        let list = if list == "annotations" { "allowed-services" } else { list };
        let item = if list == "allowed-services" && !item.contains("port") && item != "load-balancer" {
            format!("annotations={item}")
        } else {
            item.to_owned()
        };
        cluster.annotate(&json!({format!("ecs-operator.dev/{list}"): item}));
        cluster.run();
        assert_eq!(condition(&cluster.get(Kind::Service, "web"), "Ready")["status"], "True", "{item}");
    }
}

#[test]
fn when_a_service_adds_labels_and_annotations_then_the_operators_own_stay_and_illegal_ones_are_refused() {
    let mut cluster = Cluster::new();
    cluster.apply(task_definition("web", "example.com/web:1"));
    let mut web = service("web", "web", 1);
    web["spec"]["kubernetes"] = json!({
        "podLabels": {"team": "shop", "ecs-operator.dev/execute-command": "true", "ecs-operator.dev/service": "other",
            "ecs-operator.dev/scheduling-strategy": "DAEMON"},
        "podAnnotations": {"note": "x", "ecs-operator.dev/containers": "[]", "ecs-operator.dev/protected-until": "2100-01-01T00:00:00Z"},
    });
    cluster.apply(web);
    cluster.run();
    let template = cluster.deployment("web")["spec"]["template"].clone();
    let labels = &template["metadata"]["labels"];
    assert_eq!((&labels["team"], &labels["ecs-operator.dev/service"]), (&json!("shop"), &json!("web")));
    assert_eq!(labels.get("ecs-operator.dev/execute-command"), None);
    assert_eq!(labels.get("ecs-operator.dev/scheduling-strategy"), None);
    let annotations = &template["metadata"]["annotations"];
    assert_eq!(annotations["note"], "x");
    assert_ne!(annotations["ecs-operator.dev/containers"], "[]");
    assert_eq!(annotations.get("ecs-operator.dev/protected-until"), None);
    let web = cluster.get(Kind::Service, "web");
    let told = condition(&web, "FieldsNotApplied")["message"].as_str().unwrap();
    assert!(told.contains("kubernetes.podLabels[ecs-operator.dev/execute-command] (no effect"), "{told}");
    for (member, value) in [
        ("podLabels", json!({"bad key": "x"})),
        ("podLabels", json!({"key": "no label value"})),
        ("podAnnotations", json!({"-bad": "x"})),
        ("service", json!({"labels": {"key": "no label value"}})),
        ("service", json!({"annotations": {"bad key": "x"}})),
    ] {
        cluster.edit(Kind::Service, "web", |web| web["spec"]["kubernetes"] = json!({member: value}));
        cluster.run_or_settle();
        let accepted = condition(&cluster.get(Kind::Service, "web"), "Accepted").clone();
        assert_eq!(accepted["reason"], "InvalidParameterException", "{member} {value}");
    }
    // Correcting it is enough: nothing of it was frozen.
    cluster.edit(Kind::Service, "web", |web| web["spec"]["kubernetes"] = json!({"podLabels": {"key": "value"}}));
    cluster.run();
    assert_eq!(condition(&cluster.get(Kind::Service, "web"), "Ready")["status"], "True");
}

#[test]
fn when_a_provider_says_nothing_of_namespaces_then_the_namespace_has_to_list_it() {
    for (kubernetes, annotations, is_allowed) in [
        (json!({"tolerations": [{"operator": "Exists"}]}), json!({}), false),
        (json!({}), json!({"ecs-operator.dev/allowed-placement": "capacity-providers=ed*"}), true),
        (json!({"allowedNamespaces": ["sh*"]}), json!({}), true),
        (json!({"allowedNamespaces": [NAMESPACE]}), json!({}), true),
        (json!({"allowedNamespaces": []}), json!({"ecs-operator.dev/allowed-placement": "*"}), false),
        (json!({"predefined": true}), json!({}), true),
    ] {
        let mut cluster = Cluster::new();
        cluster.annotate(&annotations);
        cluster.apply(json!({"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSCapacityProvider",
            "metadata": {"name": "edge"}, "spec": {"kubernetes": kubernetes}}));
        cluster.edit(Kind::Cluster, "default", |one| one["spec"]["capacityProviders"] = json!(["edge"]));
        cluster.apply(task_definition("web", "example.com/web:1"));
        let mut web = service("web", "web", 1);
        web["spec"]["capacityProviderStrategy"] = json!([{"capacityProvider": "edge", "weight": 1}]);
        cluster.apply(web);
        cluster.run_or_settle();
        let ready = condition(&cluster.get(Kind::Service, "web"), "Ready").clone();
        assert_eq!(ready["status"] == "True", is_allowed, "{kubernetes} {annotations} {ready}");
        assert_eq!(ready["reason"] == "CapacityProviderNotAllowed", !is_allowed, "{ready}");
    }
}

#[test]
fn when_a_cluster_chooses_nodes_by_labels_then_the_namespace_has_to_list_them() {
    let mut cluster = Cluster::new();
    cluster.annotate(&json!({}));
    cluster.edit(Kind::Cluster, "default", |one| {
        one["spec"]["kubernetes"] = json!({"nodeSelector": {"kubernetes.io/hostname": "master-1"}});
    });
    cluster.apply(task_definition("web", "example.com/web:1"));
    cluster.apply(service("web", "web", 1));
    cluster.run_or_settle();
    let item = "ecs-operator.dev/allowed-placement=node-labels=kubernetes.io/hostname=master-1";
    for (kind, name, wanted) in [(Kind::Cluster, "default", "Accepted"), (Kind::Service, "web", "Ready")] {
        let object = cluster.get(kind, name);
        let said = condition(&object, wanted);
        assert_eq!((&said["status"], &said["reason"]), (&json!("False"), &json!("AccessDeniedException")));
        assert!(said["message"].as_str().unwrap().contains(item), "{said}");
    }
    assert!(cluster.list(Kind::Deployment).is_empty());
    cluster.annotate(&json!({"ecs-operator.dev/allowed-placement": "node-labels=kubernetes.io/hostname=master-*"}));
    cluster.run();
    assert_eq!(condition(&cluster.get(Kind::Service, "web"), "Ready")["status"], "True");
}

#[test]
fn when_somebody_labels_a_pod_as_a_task_then_it_is_neither_counted_nor_stopped() {
    let mut cluster = Cluster::new();
    cluster.apply(task_definition("web", "example.com/web:1"));
    cluster.apply(service("web", "web", 1));
    cluster.run();
    let own = cluster.list(Kind::Pod)[0].clone();
    let owner = |kind: &str, name: &str| json!([{"kind": kind, "name": name, "uid": "u", "controller": true}]);
    for (name, owners) in [
        ("alone", json!([])),
        ("of-a-job", owner("Job", "web-hash")),
        ("of-another", owner("ReplicaSet", "other-hash")),
        ("of-a-daemon-set", owner("DaemonSet", "other")),
    ] {
        let mut pod = own.clone();
        pod["metadata"] = json!({"name": name, "labels": own["metadata"]["labels"], "ownerReferences": owners,
            "annotations": own["metadata"]["annotations"]});
        pod["status"]["containerStatuses"][0]["state"] = json!({"terminated": {"exitCode": 1}});
        cluster.apply(pod);
    }
    cluster.settle();
    let web = cluster.get(Kind::Service, "web");
    assert_eq!(web["status"]["runningCount"], 1);
    assert_eq!(cluster.list(Kind::Pod).len(), 5, "nobody's pod was stopped");
}
