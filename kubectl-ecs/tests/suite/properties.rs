//! No input makes a command panic or hang, and no text leaves its line.

use documents::{Inputs, parse};
use kubectl_ecs::import;
use kubectl_ecs::print::Format;
use kubectl_ecs::render::{self, Options};
use plan::ClusterFeatures;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::common::{documents, files};

/// Words that mean something to one of the readers.
const WORDS: [&str; 40] = [
    "apiVersion",
    "kind",
    "metadata",
    "name",
    "namespace",
    "spec",
    "items",
    "ecs-operator.dev/v1alpha1",
    "List",
    "ECSService",
    "ECSTaskDefinition",
    "ECSCluster",
    "ECSCapacityProvider",
    "ECSScalableTarget",
    "taskDefinition",
    "family",
    "image",
    "containerDefinitions",
    "service",
    "services",
    "serviceName",
    "cluster",
    "clusters",
    "clusterName",
    "desiredCount",
    "capacityProvider",
    "capacityProviders",
    "autoScalingGroupProvider",
    "ResourceId",
    "PolicyName",
    "ScheduledActionName",
    "ScalableTargets",
    "ScalingPolicies",
    "service/a/b",
    "revision",
    "deployments",
    "failures",
    "tags",
    "FARGATE",
    "EC2",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => proptest::sample::select(&WORDS[..]).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => "[a-z0-9:/._\\[\\]-]{0,12}",
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(text(), inner, 0..7)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Every place in a document, as JSON pointers.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    let escape = |name: &str| name.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| pointers(value, &format!("{at}/{}", escape(name)), all));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(number, value)| pointers(value, &format!("{at}/{number}"), all));
        }
        _ => {}
    }
}

/// Runs everything over a text; what cannot be used is an error of one line.
fn run(text: &str) -> Option<Inputs> {
    let read = parse::documents("a.json", text.as_bytes()).unwrap();
    match documents::inputs(read, "default") {
        Err(errors) => {
            assert!(!errors.is_empty());
            for error in errors {
                assert!(!error.to_string().contains('\n'), "{error:?}");
            }
            None
        }
        Ok(inputs) => {
            for format in [Format::Yaml, Format::Json] {
                let report = render::render(
                    &inputs,
                    &Options { format, is_strict: true, now: None, facts: ClusterFeatures::default() },
                );
                assert!(report.lines.iter().all(|line| !line.contains(char::is_control)), "{:?}", report.lines);
            }
            let imported = import::import(&inputs, None);
            assert!(parse::documents("a.yaml", imported.output.as_bytes()).is_ok(), "{}", imported.output);
            Some(inputs)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn when_an_input_is_any_json_then_it_is_used_or_refused(value in value()) {
        run(&value.to_string());
    }

    #[test]
    fn when_an_input_is_any_bytes_then_it_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for file in ["-", "a.json", "a.yaml"] {
            if let Err(error) = parse::documents(file, &bytes) {
                prop_assert!(!error.to_string().contains('\n'));
            }
        }
    }

    #[test]
    fn when_a_document_has_any_value_in_any_place_then_it_is_used_or_refused(
        (file, place, value) in (any::<proptest::sample::Index>(), any::<proptest::sample::Index>(), value())
    ) {
        let files = files("tests/documents");
        let file = &files[file.index(files.len())];
        let mut documents: Vec<Value> = documents(std::slice::from_ref(file)).into_iter().map(|document| document.value).collect();
        let mut all = Vec::new();
        documents.iter().enumerate().for_each(|(number, document)| pointers(document, &format!("/{number}"), &mut all));
        let mut whole = Value::from(std::mem::take(&mut documents));
        *whole.pointer_mut(&all[place.index(all.len())]).unwrap() = value;
        run(&whole.to_string());
    }
}

#[test]
fn when_a_task_definition_is_as_large_as_ecs_allows_then_it_is_rendered() {
    let environment: Vec<Value> =
        (0..900).map(|number| json!({"name": format!("V{number}"), "value": "x".repeat(42)})).collect();
    let container = |number: usize| json!({"name": format!("c{number}"), "image": "a", "memory": 64});
    let mut containers: Vec<Value> = (0..10).map(container).collect();
    containers[0]["environment"] = Value::from(environment);
    let text = json!({"family": "large", "containerDefinitions": containers}).to_string();
    assert!(text.len() > 60 << 10 && text.len() < 64 << 10, "{}", text.len());
    let inputs = run(&text).unwrap();
    let report = render::render(&inputs, &Options::default());
    assert_eq!((report.exit.code(), report.lines), (0, Vec::new()));
}

#[test]
fn when_a_text_tries_to_leave_its_line_then_it_stays_a_value() {
    let hostile = "x\n---\napiVersion: v1\nkind: Secret\u{1b}[2J\u{2028}";
    let text = json!([
        {"family": "a", "containerDefinitions": [{"name": "a", "image": hostile, "memory": 8, (hostile): 1}]},
        {"serviceName": hostile, "cluster": hostile, "taskDefinition": hostile, "desiredCount": 1},
    ])
    .to_string();
    let inputs = run(&text).unwrap();
    let imported = import::import(&inputs, None);
    let read = parse::documents("a.yaml", imported.output.as_bytes()).unwrap();
    assert_eq!(read.len(), 2);
    assert_eq!(read[0].value["spec"]["containerDefinitions"][0]["image"], hostile);
}
