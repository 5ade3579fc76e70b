//! Tags that become digests when a deployment starts, and only then.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests report by panicking

mod common;

use common::{Cluster, NAMESPACE, condition, service, task_definition};
use plan::{Ask as _, ImageAnswer, ImageQuery, ImageResolution, Kind, ObjectKey};
use serde_json::{Value, json};

const ONE: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
const TWO: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";

fn web() -> ObjectKey {
    ObjectKey::namespaced(Kind::Service, NAMESPACE, "web")
}

/// A cluster whose operator asks registries, with a service that got no answer yet.
fn cluster(patterns: &[&str], container: &Value) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.settings.images = ImageResolution::Registries(patterns.iter().map(|&text| text.to_owned()).collect());
    let mut definition = task_definition("web", "example.com/web:1");
    for (name, value) in container.as_object().unwrap() {
        definition["spec"]["containerDefinitions"][0][name] = value.clone();
    }
    cluster.apply(definition);
    cluster.apply(service("web", "web", 2));
    cluster.run();
    cluster
}

fn questions(cluster: &mut Cluster) -> Vec<ImageQuery> {
    cluster.reconcile(&web()).questions.iter().filter_map(ImageQuery::of).cloned().collect()
}

fn answer(cluster: &mut Cluster, answer: &ImageAnswer) {
    for query in questions(cluster) {
        cluster.world.answers_mut().put(query, answer.clone());
    }
}

fn digest(text: &str) -> ImageAnswer {
    ImageAnswer::Digest(text.to_owned())
}

fn container(cluster: &Cluster) -> Value {
    cluster.deployment("web")["spec"]["template"]["spec"]["containers"][0].clone()
}

fn pinned(digest: &str) -> (Value, Value) {
    (json!(format!("example.com/web@{digest}")), json!("IfNotPresent"))
}

fn image(cluster: &Cluster) -> (Value, Value) {
    let container = container(cluster);
    (container["image"].clone(), container["imagePullPolicy"].clone())
}

#[test]
fn when_the_first_deployment_needs_a_digest_then_it_waits_for_it_and_says_so() {
    let mut cluster = cluster(&["*"], &json!({}));
    assert!(cluster.list(Kind::Deployment).is_empty() && cluster.list(Kind::ServiceDeployment).is_empty());
    let waiting = cluster.get(Kind::Service, "web");
    for (kind, status) in [("Ready", "False"), ("ImagesResolved", "Unknown")] {
        let condition = condition(&waiting, kind);
        assert_eq!(
            (condition["status"].as_str(), condition["reason"].as_str()),
            (Some(status), Some("ResolvingImages"))
        );
        assert!(condition["message"].as_str().unwrap().contains("example.com/web:1"));
    }
    assert_eq!(condition(&waiting, "Stalled")["status"], "False");
    assert_eq!(condition(&waiting, "Accepted")["status"], "True");
    let asked = questions(&mut cluster);
    assert_eq!(asked.len(), 1);
    assert_eq!((&asked[0].root, asked[0].image.as_str()), (&web(), "example.com/web:1"));
    assert_eq!(asked, questions(&mut cluster), "the same question until it is answered");

    answer(&mut cluster, &digest(ONE));
    cluster.run();
    assert_eq!(image(&cluster), pinned(ONE));
    let steady = cluster.get(Kind::Service, "web");
    assert_eq!(condition(&steady, "Ready")["status"], "True");
    assert_eq!(condition(&steady, "ImagesResolved")["reason"], "ImagesResolved");
    assert_eq!(
        cluster.list(Kind::ServiceDeployment)[0]["spec"]["serviceRevision"]["containerImages"],
        json!([{"containerName": "app", "image": "example.com/web:1", "imageDigest": ONE}])
    );
    assert!(questions(&mut cluster).is_empty(), "nothing is asked for what runs");
}

#[test]
fn when_answers_are_forgotten_then_what_runs_keeps_its_digest_and_scales() {
    let mut cluster = cluster(&["*"], &json!({}));
    let asked = questions(&mut cluster);
    answer(&mut cluster, &digest(ONE));
    cluster.run();
    for query in &asked {
        cluster.world.answers_mut().forget(query);
    }
    cluster.edit(Kind::Service, "web", |web| web["spec"]["desiredCount"] = json!(5));
    cluster.run();
    assert_eq!(image(&cluster), pinned(ONE));
    assert_eq!(cluster.get(Kind::Service, "web")["status"]["runningCount"], 5);
    assert_eq!(cluster.list(Kind::ServiceDeployment).len(), 1);
}

#[test]
fn when_a_deployment_is_forced_then_it_asks_again_and_meanwhile_the_running_one_scales() {
    for force in [json!({"kubernetes": {"forceNewDeployment": "now"}}), json!({"forceNewDeployment": true})] {
        let mut cluster = cluster(&["*"], &json!({}));
        answer(&mut cluster, &digest(ONE));
        cluster.run();
        cluster.edit(Kind::Service, "web", |web| {
            for (name, value) in force.as_object().unwrap() {
                web["spec"][name] = value.clone();
            }
        });
        cluster.edit(Kind::Service, "web", |web| web["spec"]["desiredCount"] = json!(4));
        cluster.run();
        assert_eq!(image(&cluster), pinned(ONE));
        let waiting = cluster.get(Kind::Service, "web");
        assert_eq!(waiting["status"]["runningCount"], 4, "{force}");
        assert_eq!(condition(&waiting, "Ready")["reason"], "ResolvingImages");
        answer(&mut cluster, &digest(TWO));
        cluster.run();
        assert_eq!(image(&cluster), pinned(TWO));
        assert_eq!(cluster.list(Kind::ServiceDeployment).len(), 2);
    }
}

#[test]
fn when_a_registry_does_not_say_then_the_tag_is_pulled_at_every_start_and_a_condition_names_it() {
    let mut cluster = cluster(&["*"], &json!({}));
    answer(&mut cluster, &ImageAnswer::Unresolved("the registry refused the credentials".to_owned()));
    cluster.run();
    assert_eq!(image(&cluster), (json!("example.com/web:1"), json!("Always")));
    let web = cluster.get(Kind::Service, "web");
    assert_eq!(condition(&web, "Ready")["status"], "True");
    let resolved = condition(&web, "ImagesResolved");
    assert_eq!(
        (resolved["status"].as_str(), resolved["reason"].as_str()),
        (Some("False"), Some("ImageDigestUnresolved"))
    );
    let message = resolved["message"].as_str().unwrap();
    for part in ["container app", "example.com/web:1", "the registry refused the credentials"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn when_a_container_wants_no_digest_or_has_one_then_its_image_is_as_written() {
    let given = format!("example.com/web:1@{TWO}");
    for (patterns, container, image_there, policy) in [
        (&["*"][..], json!({"versionConsistency": "disabled"}), "example.com/web:1", "Always"),
        (&["*"], json!({"image": given}), given.as_str(), "IfNotPresent"),
        (&["ghcr.io"], json!({}), "example.com/web:1", "Always"),
        (&[], json!({"versionConsistency": "enabled"}), "example.com/web:1", "Always"),
    ] {
        let cluster = cluster(patterns, &container);
        assert_eq!(image(&cluster), (json!(image_there), json!(policy)), "{container}");
        let web = cluster.get(Kind::Service, "web");
        let conditions = web["status"]["conditions"].as_array().unwrap();
        assert!(conditions.iter().all(|condition| condition["type"] != "ImagesResolved"), "{container}");
    }
}

#[test]
fn when_the_user_chose_when_to_pull_then_a_digest_does_not_change_it() {
    let mut cluster = cluster(&["*"], &json!({}));
    cluster.edit(Kind::TaskDefinition, "web", |web| web["spec"]["kubernetes"] = json!({"imagePullPolicy": "Always"}));
    cluster.run();
    answer(&mut cluster, &digest(ONE));
    cluster.run();
    assert_eq!(image(&cluster), (json!(format!("example.com/web@{ONE}")), json!("Always")));
}

#[test]
fn when_several_containers_wait_then_each_image_is_asked_once_with_the_secrets_of_the_pod() {
    let mut cluster = Cluster::new();
    cluster.settings.images = ImageResolution::Registries(vec!["*".to_owned()]);
    let mut definition = task_definition("web", "example.com/web:1");
    let credentials =
        json!({"credentialsParameter": "arn:aws:secretsmanager:eu-west-1:000000000000:secret:pull-AbCdEf"});
    definition["spec"]["containerDefinitions"] = json!([
        {"name": "App_1", "image": "example.com/web:1", "memory": 128, "repositoryCredentials": credentials},
        {"name": "copy", "image": "example.com/web:1", "memory": 128},
        {"name": "db", "image": "example.com/db:1", "memory": 128},
        {"name": "app", "image": "Not A Reference".to_lowercase().replace(' ', "_") + ":!", "memory": 128},
    ]);
    definition["spec"]["containerDefinitions"][0]["dependsOn"] = json!([{"containerName": "db", "condition": "START"}]);
    cluster.apply(definition);
    cluster.apply(service("web", "web", 1));
    cluster.run();
    let asked = questions(&mut cluster);
    let images: Vec<&str> = asked.iter().map(|query| query.image.as_str()).collect();
    assert_eq!(images, ["example.com/web:1", "example.com/db:1"]);
    assert!(asked.iter().all(|query| query.pull_secrets.len() == 1), "{asked:?}");
    cluster.world.answers_mut().put(asked[0].clone(), digest(ONE));
    cluster.run();
    let message = cluster.get(Kind::Service, "web");
    let message = condition(&message, "Ready")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("example.com/db:1") && !message.contains("example.com/web:1"), "{message}");
    cluster.world.answers_mut().put(asked[1].clone(), digest(TWO));
    cluster.run();
    let spec = cluster.deployment("web")["spec"]["template"]["spec"].clone();
    let all =
        [spec["initContainers"].as_array().unwrap().clone(), spec["containers"].as_array().unwrap().clone()].concat();
    let mut images: Vec<&str> = all.iter().map(|container| container["image"].as_str().unwrap()).collect();
    images.sort_unstable();
    let (db, web) = (format!("example.com/db@{TWO}"), format!("example.com/web@{ONE}"));
    assert_eq!(images, [db.as_str(), web.as_str(), web.as_str(), "not_a_reference:!"]);
    let resolved = cluster.get(Kind::Service, "web");
    let message = condition(&resolved, "ImagesResolved")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("container app") && message.contains("is not an image reference"));
}

#[test]
fn when_consistency_is_asked_for_and_no_registry_is_asked_then_the_task_definition_says_so() {
    for (patterns, text) in [(None, "image resolution is off"), (Some("ghcr.io"), "leaves this registry out")] {
        let mut cluster = cluster(&["*"], &json!({"versionConsistency": "enabled"}));
        let patterns = patterns.map(|pattern| ImageResolution::Registries(vec![pattern.to_owned()]));
        cluster.settings.images = patterns.unwrap_or_default();
        cluster.run();
        let definition = cluster.get(Kind::TaskDefinition, "web");
        let message = condition(&definition, "FieldsNotApplied")["message"].as_str().unwrap().to_owned();
        assert!(message.contains("containerDefinitions[0].versionConsistency") && message.contains(text), "{message}");
    }
    let cluster = cluster(&["*"], &json!({"versionConsistency": "enabled"}));
    let definition = cluster.get(Kind::TaskDefinition, "web");
    assert!(!condition(&definition, "FieldsNotApplied")["message"].as_str().unwrap().contains("versionConsistency"));
}
