//! Constraints on nodes: the affinity they become selects exactly the nodes for which the expression holds.
#![allow(clippy::unwrap_used, clippy::panic)] // tests report by panicking

use std::collections::BTreeMap;

use ecs::query::{Instance, holds, parse};
use plan::core::report::Refusal;
use plan::nodes::constraint::{self, Constraint, NodeRules};
use plan::nodes::instance::Instance as Node;
use proptest::prelude::*;
use serde_json::{Value, json};

fn node(labels: &[(&str, &str)], id: &str) -> Node {
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Node { labels, provider_id: format!("aws:///eu-west-1a/{id}"), ..Node::default() }
}

fn translate(constraints: &[Constraint], nodes: &[Node]) -> Result<NodeRules, Vec<Refusal>> {
    constraint::translate(constraints, nodes)
}

fn constraint(expression: &str) -> [Constraint; 1] {
    [Constraint { path: "spec.placementConstraints[0].expression".to_owned(), expression: expression.to_owned() }]
}

/// As the scheduler reads a required node affinity, written down once more and as plainly as possible.
fn selects(rules: &NodeRules, node: &Node) -> bool {
    let Some(terms) = &rules.terms else { return true };
    terms.iter().any(|term| {
        let requirements: Vec<Value> = term.match_expressions.iter().map(|requirement| json!(requirement)).collect();
        let holds = |requirement: &Value| {
            let value = node.labels.get(requirement["key"].as_str().unwrap());
            let values: Vec<&str> =
                requirement["values"].as_array().into_iter().flatten().map(|value| value.as_str().unwrap()).collect();
            let numbers = || Some((value?.parse::<i64>().ok()?, values.first()?.parse::<i64>().ok()?));
            match requirement["operator"].as_str().unwrap() {
                "In" => value.is_some_and(|value| values.contains(&value.as_str())),
                "NotIn" => value.is_none_or(|value| !values.contains(&value.as_str())),
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                "Gt" => numbers().is_some_and(|(value, bound)| value > bound),
                "Lt" => numbers().is_some_and(|(value, bound)| value < bound),
                other => panic!("{other}"),
            }
        };
        !requirements.is_empty() && requirements.iter().all(holds)
    })
}

#[test]
fn when_an_expression_is_translated_then_it_reads_as_a_node_affinity() {
    let nodes = [
        node(&[("node.kubernetes.io/instance-type", "t3.small"), ("kubernetes.io/hostname", "one")], "i-1"),
        node(&[("node.kubernetes.io/instance-type", "m5.large"), ("kubernetes.io/hostname", "two")], "i-2"),
    ];
    let is_in = |key: &str, values: &[&str]| json!({"key": key, "operator": "In", "values": values});
    let instance_type = "node.kubernetes.io/instance-type";
    for (expression, terms) in [
        ("attribute:ecs.instance-type == t3.small", json!([[is_in(instance_type, &["t3.small"])]])),
        ("attribute:ecs.instance-type =~ t3.*", json!([[is_in(instance_type, &["t3.small"])]])),
        ("attribute:ecs.cpu-architecture == x86_64", json!([[is_in("kubernetes.io/arch", &["amd64"])]])),
        ("attribute:ecs.os-family == LINUX", json!([[is_in("kubernetes.io/os", &["linux"])]])),
        (
            "attribute:ecs.os-family in [WINDOWS_SERVER_2022_CORE, WINDOWS_SERVER_2019_FULL]",
            json!([[is_in("node.kubernetes.io/windows-build", &["10.0.20348", "10.0.17763"])]]),
        ),
        ("ec2InstanceId in [i-2, i-3]", json!([[is_in("kubernetes.io/hostname", &["two"])]])),
        (
            "attribute:stack != prod",
            json!([[
                {"key": "attributes.ecs-operator.dev/stack", "operator": "Exists"},
                {"key": "attributes.ecs-operator.dev/stack", "operator": "NotIn", "values": ["prod"]},
            ]]),
        ),
        (
            "attribute:rack >= 3 and not(attribute:rack > 7)",
            json!([
                [
                    {"key": "attributes.ecs-operator.dev/rack", "operator": "Gt", "values": ["2"]},
                    {"key": "attributes.ecs-operator.dev/rack", "operator": "DoesNotExist"},
                ],
                [
                    {"key": "attributes.ecs-operator.dev/rack", "operator": "Gt", "values": ["2"]},
                    {"key": "attributes.ecs-operator.dev/rack", "operator": "Lt", "values": ["8"]},
                ],
            ]),
        ),
        (
            "attribute:ecs.instance-type =~ z9.*",
            json!([[
                {"key": "kubernetes.io/hostname", "operator": "Exists"},
                {"key": "kubernetes.io/hostname", "operator": "DoesNotExist"},
            ]]),
        ),
    ] {
        let rules = translate(&constraint(expression), &nodes).unwrap();
        let found: Vec<Value> = rules.terms.unwrap().iter().map(|term| json!(term.match_expressions)).collect();
        assert_eq!(json!(found), terms, "{expression}");
    }
    assert_eq!(translate(&constraint("agentConnected == true"), &nodes).unwrap().terms, None);
}

#[test]
fn when_groups_are_compared_then_pods_attract_or_repel_pods() {
    let rules = translate(&constraint("task:group == service:db and task:group != service:batch"), &[]).unwrap();
    assert_eq!(rules.terms, None);
    let group = |name: &str| [vec![ecs::name::label_value(name)]].into_iter().collect();
    assert_eq!((rules.beside, rules.apart), (group("service:db"), group("service:batch")));
}

#[test]
fn when_an_expression_cannot_be_told_of_nodes_then_path_and_column_say_so() {
    for (expression, message) in [
        ("attribute:a ==", "column 15: a value is missing"),
        (
            "attribute:a exists and agentVersion > 1",
            "column 24: nodes have no ECS agent, so agentVersion cannot be compared",
        ),
        ("runningTasksCount < 3", "column 1: runningTasksCount cannot be compared by the scheduler"),
        ("registeredAt > 3", "column 1: registeredAt cannot be compared by the scheduler"),
        (
            "attribute:a =~ (?=x)",
            "column 1: no regular expression without look-around and back references, or one that is too large",
        ),
        (
            "task:group == a or attribute:b exists",
            "task:group cannot be one of several alternatives: it has to hold for all of them",
        ),
        (
            "attribute:ecs.os-family in [LINUX, WINDOWS_SERVER_2022_CORE]",
            "column 1: the values of ecs.os-family are in different labels of nodes: compare them one by one",
        ),
    ] {
        let refusals = translate(&constraint(expression), &[]).unwrap_err();
        assert_eq!(refusals.len(), 1, "{expression}");
        assert_eq!(refusals[0].path, "spec.placementConstraints[0].expression");
        assert_eq!(refusals[0].message, message, "{expression}");
    }
}

fn text() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["a", "b", "ecs.instance-type"]);
    let value = prop::sample::select(vec!["1", "2", "3", "x", "y"]);
    let number = prop::sample::select(vec!["0", "1", "2", "3"]);
    let pattern = prop::sample::select(vec!["x", "[xy]", ".*", "1|2", "z"]);
    let comparison = (name, 0..12_u8, value.clone(), value, number, pattern).prop_map(
        |(name, operator, one, other, number, pattern)| match operator {
            0 => format!("attribute:{name} == {one}"),
            1 => format!("attribute:{name} != {one}"),
            2 => format!("attribute:{name} in [{one}, {other}]"),
            3 => format!("attribute:{name} !in [{one},{other}]"),
            4 => format!("attribute:{name} exists"),
            5 => format!("attribute:{name} not_exists"),
            6 => format!("attribute:{name} =~ {pattern}"),
            7 => format!("attribute:{name} !~ {pattern}"),
            8 => format!("attribute:{name} in [{one}] and ec2InstanceId != i-{number}"),
            9 => format!("ec2InstanceId == i-{number}"),
            // Numbers are compared where all values are numbers; see the next attribute.
            10 => format!("attribute:n >= {number}"),
            _ => format!("attribute:n < {number}"),
        },
    );
    comparison.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one}) and ({other})")),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("{one} || {other}")),
            inner.prop_map(|one| format!("not({one})")),
        ]
    })
}

fn instance() -> impl Strategy<Value = BTreeMap<String, String>> {
    let value = prop::sample::select(vec!["1", "2", "3", "x", "y"]);
    let number = prop::sample::select(vec!["0", "1", "2", "3"]);
    (
        prop::option::of(value.clone()),
        prop::option::of(value.clone()),
        prop::option::of(value),
        prop::option::of(number),
    )
        .prop_map(|(a, b, kind, number)| {
            let pairs = [("a", a), ("b", b), ("ecs.instance-type", kind), ("n", number)];
            pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect()
        })
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").map_or(2_000, |text| text.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    /// `PROPTEST_CASES=100000 cargo test -p plan --test constraint` for more.
    #[test]
    fn when_an_expression_holds_for_an_instance_then_its_affinity_selects_the_node_and_no_other(
        text in text(),
        instances in prop::collection::vec(instance(), 1..5),
    ) {
        let expression = parse(&text).unwrap();
        let label = |attribute: &str| match attribute {
            "ecs.instance-type" => "node.kubernetes.io/instance-type".to_owned(),
            custom => format!("attributes.ecs-operator.dev/{custom}"),
        };
        let nodes: Vec<Node> = instances
            .iter()
            .enumerate()
            .map(|(index, attributes)| {
                let mut labels: BTreeMap<String, String> =
                    attributes.iter().map(|(name, value)| (label(name), value.clone())).collect();
                labels.insert("kubernetes.io/hostname".to_owned(), format!("node-{index}"));
                Node { labels, provider_id: format!("aws:///eu-west-1a/i-{index}"), ..Node::default() }
            })
            .collect();
        let Ok(rules) = translate(&constraint(&text), &nodes) else { return Ok(()) };
        for (index, (attributes, node)) in instances.into_iter().zip(&nodes).enumerate() {
            let instance = Instance {
                attributes,
                ec2_instance_id: Some(format!("i-{index}")),
                is_connected: true,
                ..Instance::default()
            };
            prop_assert_eq!(holds(&expression, &instance), selects(&rules, node), "{} on {:?}", text, instance);
        }
    }
}
