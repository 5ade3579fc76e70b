//! Secrets of a service through its deployments, and what an administrator allows.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests report by panicking

mod common;

use std::collections::BTreeSet;

use common::{Cluster, NAMESPACE, condition, service, task_definition};
use plan::{ClusterFeatures, Kind, Settings};
use serde_json::{Value, json};

const ROLE: &str = "arn:aws:iam::123456789012:role/web";

fn namespace(annotations: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "annotations": annotations}})
}

fn with_store() -> Value {
    json!({"ecs-operator.dev/parameter-store": "ClusterSecretStore/aws", "ecs-operator.dev/allowed-secrets": "/prod/*"})
}

fn serving(groups: &[&str]) -> Settings {
    let served: BTreeSet<String> = groups.iter().map(|group| (*group).to_owned()).collect();
    Settings { facts: ClusterFeatures { served, ..ClusterFeatures::default() }, ..Settings::default() }
}

fn web() -> Value {
    let mut definition = task_definition("web", "example.com/web:1");
    definition["spec"]["containerDefinitions"][0]["secrets"] = json!([
        {"name": "PASSWORD", "valueFrom": "/prod/password"}, {"name": "USER", "valueFrom": "/prod/user"}]);
    definition
}

/// A service whose secrets are fetched, at rest.
fn fetched() -> Cluster {
    let mut cluster = Cluster::new();
    cluster.settings = serving(&["external-secrets.io/v1"]);
    cluster.apply(namespace(&with_store()));
    cluster.apply(web());
    cluster.apply(service("web", "web", 2));
    cluster.run();
    cluster
}

fn names(cluster: &Cluster, kind: Kind) -> BTreeSet<String> {
    let list = cluster.list(kind).into_iter();
    list.map(|object| object["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

/// The Secret that tasks started now read.
fn secret(cluster: &Cluster) -> String {
    let template = &cluster.deployment("web")["spec"]["template"];
    let name = &template["spec"]["containers"][0]["env"][0]["valueFrom"]["secretKeyRef"]["name"];
    name.as_str().unwrap().to_owned()
}

fn force(cluster: &mut Cluster, nonce: &str) {
    cluster.edit(Kind::Service, "web", |web| web["spec"]["kubernetes"] = json!({"forceNewDeployment": nonce}));
}

#[test]
fn when_a_deployment_is_forced_then_its_tasks_wait_for_values_that_are_fetched_anew() {
    let mut cluster = fetched();
    let first = secret(&cluster);
    assert_eq!(names(&cluster, Kind::ExternalSecret), BTreeSet::from([first.clone()]));
    force(&mut cluster, "again");
    cluster.settle();
    // Tasks of the first deployment still run: what they were started with stays until they are gone.
    let second = secret(&cluster);
    assert_eq!(names(&cluster, Kind::ExternalSecret), BTreeSet::from([first, second.clone()]));
    cluster.run();
    assert_eq!(names(&cluster, Kind::ExternalSecret), BTreeSet::from([second.clone()]));
    assert_eq!(secret(&cluster), second);
    assert_eq!(cluster.settle(), 0);
}

#[test]
fn when_nothing_starts_a_deployment_then_nothing_is_fetched_again() {
    let mut cluster = fetched();
    let first = secret(&cluster);
    cluster.edit(Kind::Service, "web", |web| web["spec"]["desiredCount"] = json!(5));
    cluster.run();
    cluster.pass(3600);
    assert_eq!(cluster.settle(), 0);
    assert_eq!((secret(&cluster), names(&cluster, Kind::ExternalSecret)), (first.clone(), BTreeSet::from([first])));
}

#[test]
fn when_two_services_run_one_task_definition_then_each_fetches_for_itself() {
    let mut cluster = fetched();
    cluster.apply(service("other", "web", 1));
    cluster.run();
    assert_eq!(names(&cluster, Kind::ExternalSecret).len(), 2);
}

#[test]
fn when_the_external_secrets_operator_is_removed_then_the_service_goes_on_without_asking_for_it() {
    let mut cluster = fetched();
    cluster.settings = serving(&[]);
    for object in cluster.list(Kind::ExternalSecret) {
        cluster.remove(Kind::ExternalSecret, object["metadata"]["name"].as_str().unwrap());
    }
    cluster.run();
    assert!(names(&cluster, Kind::ExternalSecret).is_empty());
    force(&mut cluster, "again");
    cluster.run();
    assert!(secret(&cluster).starts_with("prod-password-"), "{}", secret(&cluster));
    let web = cluster.get(Kind::TaskDefinition, "web");
    let said = condition(&web, "FieldsNotApplied")["message"].as_str().unwrap().to_owned();
    assert!(said.contains("does not serve external-secrets.io/v1"), "{said}");
}

/// Lets every task wait for the Secret that its template names.
fn wait(cluster: &mut Cluster, secret: &str) {
    let message = format!("secret \"{secret}\" not found");
    let state = json!({"waiting": {"reason": "CreateContainerConfigError", "message": message}});
    for pod in cluster.list(Kind::Pod) {
        cluster.edit(Kind::Pod, pod["metadata"]["name"].as_str().unwrap(), |pod| {
            pod["status"] = json!({"phase": "Pending", "containerStatuses": [
                {"name": "app", "ready": false, "restartCount": 0, "state": state}]});
        });
    }
    cluster.settle();
}

#[test]
fn when_tasks_wait_for_a_secret_then_its_name_its_keys_and_the_word_of_its_maker_are_told() {
    let mut cluster = fetched();
    let name = secret(&cluster);
    wait(&mut cluster, &name);
    let message = |cluster: &Cluster| {
        let web = cluster.get(Kind::Service, "web");
        let resolved = condition(&web, "SecretsResolved").clone();
        assert_eq!((&resolved["status"], &resolved["reason"]), (&json!("False"), &json!("SecretNotFound")));
        let ready = condition(&web, "Ready")["message"].as_str().unwrap().to_owned();
        assert!(ready.starts_with("ResourceInitializationError"), "{ready}");
        resolved["message"].as_str().unwrap().to_owned()
    };
    let said = message(&cluster);
    assert!(said.contains(&name) && said.ends_with("has not reported yet"), "{said}");
    assert!(
        said.contains("prod-password-") && said.contains("prod-user-") && said.contains("(container app)"),
        "{said}"
    );
    cluster.edit(Kind::ExternalSecret, &name, |external| {
        external["status"] = json!({"conditions": [{"type": "Ready", "status": "False", "reason": "SecretSyncedError",
                "message": "could not get secret data"}]});
    });
    cluster.settle();
    let said = message(&cluster);
    assert!(said.ends_with("reports SecretSyncedError") && !said.contains("could not get"), "{said}");
}

#[test]
fn when_nobody_fetches_then_the_expected_secret_is_named_with_its_keys() {
    let mut cluster = Cluster::new();
    let mut definition = web();
    definition["spec"]["containerDefinitions"][0]["secrets"] = json!([
        {"name": "PASSWORD", "valueFrom": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf:password::"},
        {"name": "USER", "valueFrom": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf:user::"}]);
    cluster.apply(definition);
    cluster.apply(service("web", "web", 1));
    cluster.run();
    let web = cluster.get(Kind::Service, "web");
    let said = condition(&web, "SecretsResolved")["message"].as_str().unwrap().to_owned();
    assert_eq!(said, "no task waits for a secret; where they come from: Secret");
    wait(&mut cluster, "db");
    let web = cluster.get(Kind::Service, "web");
    let said = condition(&web, "SecretsResolved")["message"].as_str().unwrap().to_owned();
    assert_eq!(
        said,
        "Secret db does not exist, or not with these keys: password (container app), user (container app)"
    );
}

#[test]
fn when_an_administrator_takes_a_secret_off_the_list_then_what_runs_stays_and_the_next_deployment_is_refused() {
    let mut cluster = fetched();
    let before = (secret(&cluster), names(&cluster, Kind::ExternalSecret));
    cluster.apply(namespace(&json!({"ecs-operator.dev/allowed-secrets": "/test/*"})));
    force(&mut cluster, "again");
    cluster.run();
    let web = cluster.get(Kind::Service, "web");
    assert_eq!(condition(&web, "Accepted")["reason"], "AccessDeniedException");
    assert_eq!((secret(&cluster), names(&cluster, Kind::ExternalSecret)), before);
    cluster.apply(namespace(&with_store()));
    cluster.run();
    assert_eq!(condition(&cluster.get(Kind::Service, "web"), "Accepted")["status"], "True");
    assert_ne!(secret(&cluster), before.0);
}

#[test]
fn when_a_role_is_no_longer_allowed_then_new_deployments_act_as_an_account_without_it() {
    let mut cluster = Cluster::new();
    cluster.apply(namespace(&json!({"ecs-operator.dev/allowed-task-roles": "arn:aws:iam::123456789012:role/*"})));
    let mut definition = task_definition("web", "example.com/web:1");
    definition["spec"]["taskRoleArn"] = json!(ROLE);
    cluster.apply(definition);
    cluster.apply(service("web", "web", 1));
    cluster.run();
    let account = |cluster: &Cluster| {
        let name = cluster.deployment("web")["spec"]["template"]["spec"]["serviceAccountName"].clone();
        cluster.get(Kind::ServiceAccount, name.as_str().unwrap())
    };
    let role = |account: &Value| account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"].clone();
    assert_eq!(role(&account(&cluster)), json!(ROLE));
    cluster.apply(namespace(&json!({})));
    cluster.run();
    assert_eq!(role(&account(&cluster)), json!(ROLE), "what runs keeps its role");
    force(&mut cluster, "again");
    cluster.run();
    assert_eq!(role(&account(&cluster)), Value::Null);
    let said = condition(&cluster.get(Kind::TaskDefinition, "web"), "FieldsNotApplied")["message"].clone();
    let said = said.as_str().unwrap().to_owned();
    let command = format!("kubectl annotate namespace {NAMESPACE} ecs-operator.dev/allowed-task-roles={ROLE}");
    assert!(said.contains(&command), "{said}");
}
