//! Any JSON of the shape of the ECS model, sense or nonsense: nothing panics, the same input gives the same output, and
//! what is accepted is complete.
//!
//! Runs 200 documents with every test run; `DOCUMENTS=100000 cargo test -p plan --test documents` runs more,
//! `SEED=n` others.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests report by panicking

#[path = "../common/mod.rs"]
mod common;
mod generate;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use plan::{Kind, Settings, plan};
use serde_json::{Value, json};

use common::Cluster;
use generate::{Generator, Model};

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}

/// Registers the document, runs a service of it until nothing changes, and answers whether both were accepted.
fn run(definition: &Value, service: &Value) -> bool {
    let mut cluster = Cluster::new();
    let lists = ["host-access", "placement", "services", "file-systems", "task-roles"];
    cluster.annotate(&lists.iter().map(|list| (format!("ecs-operator.dev/allowed-{list}"), json!("*"))).collect());
    let object = |kind: &str, spec: &Value| json!({"apiVersion": "ecs-operator.dev/v1alpha1", "kind": kind, "metadata": {"name": "web"}, "spec": spec});
    let family = cluster.apply(object("ECSTaskDefinition", definition));
    let planned = || plan(&cluster.world, &family, &Settings::default(), cluster.now);
    assert_eq!(planned(), planned(), "the same input gives the same plan");
    cluster.reconcile(&family);
    cluster.reconcile(&family);
    let family = cluster.get(Kind::TaskDefinition, "web");
    let is_accepted = condition(&family, "Accepted").unwrap()["status"] == "True";
    let revisions = cluster.list(Kind::TaskDefinitionRevision);
    assert_eq!(revisions.len(), usize::from(is_accepted), "{}", family["status"]);
    if !is_accepted {
        let message = condition(&family, "Accepted").unwrap()["message"].as_str().unwrap();
        assert!(message.contains("spec"), "a refusal names its path: {message}");
        return false;
    }
    // The stored document is the given one: nothing is lost.
    assert_eq!(revisions[0]["spec"]["taskDefinition"], *definition);
    cluster.apply(object("ECSService", service));
    cluster.settle();
    let Some(deployment) = cluster.list(Kind::Deployment).pop() else { return false };
    check_containers(definition, &deployment["spec"]["template"]);
    true
}

fn check_containers(definition: &Value, template: &Value) {
    let list = |name: &str| template["spec"][name].as_array().cloned().unwrap_or_default();
    let containers = [list("initContainers"), list("containers")].concat();
    let definitions = definition["containerDefinitions"].as_array().unwrap();
    assert_eq!(containers.len(), definitions.len(), "every container appears exactly once");
    let images = |from: &[Value]| {
        let mut images: Vec<_> = from.iter().map(|container| container["image"].clone()).collect();
        images.sort_by_key(ToString::to_string);
        images
    };
    assert_eq!(images(&containers), images(definitions));
    let names: BTreeSet<_> = containers.iter().map(|container| container["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), containers.len(), "names are unique");
    assert!(list("containers").iter().all(|container| container["restartPolicy"] != "Always"));
}

#[test]
fn when_a_document_has_the_shape_of_the_model_then_it_is_translated_or_refused_and_never_panics() {
    let count = setting("DOCUMENTS", 200);
    let model = Model::read("RegisterTaskDefinition");
    let mut accepted = 0_u64;
    for number in 0..count {
        let mut generator = Generator::new(setting("SEED", 0) * 1_000_003 + number);
        let definition = generator.document(&model);
        let service = generator.service(&definition);
        let ran = catch_unwind(AssertUnwindSafe(|| run(&definition, &service)));
        assert!(ran.is_ok(), "document {number}:\n{definition}\n{service}");
        accepted += u64::from(ran.unwrap_or_default());
    }
    println!("{accepted} of {count} accepted");
    // A generator that only makes nonsense would prove little.
    assert!(accepted * 10 >= count, "only {accepted} of {count} were accepted");
}
