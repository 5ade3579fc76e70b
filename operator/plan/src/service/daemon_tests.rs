use proptest::prelude::*;

use super::*;
use crate::capacity::Placement;

fn instance(name: &str, labels: &[(&str, &str)]) -> Instance {
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Instance { name: name.to_owned(), labels, ..Instance::default() }
}

fn tainted(name: &str, key: &str, effect: &str) -> Instance {
    let taint = Taint { key: key.to_owned(), value: String::new(), effect: effect.to_owned() };
    Instance { taints: vec![taint], ..instance(name, &[]) }
}

#[allow(clippy::needless_pass_by_value)] // every caller has just made them
fn part(provider: Option<&str>, terms: Value, tolerations: Value) -> CapacityPart {
    let list = |value: Value| value.as_array().cloned().unwrap_or_default();
    CapacityPart {
        provider: provider.map(str::to_owned),
        base: 0,
        weight: 1,
        placement: Placement { node_selector_terms: list(terms), tolerations: list(tolerations) },
    }
}

fn zone(zone: &str) -> Value {
    json!({"matchExpressions": [{"key": "zone", "operator": "In", "values": [zone]},
        {"key": labels::CONTAINER_INSTANCE_STATUS, "operator": "NotIn", "values": ["DRAINING"]}]})
}

fn names(instances: &[Instance], template: &Value) -> Vec<String> {
    let instances: Vec<Arc<Instance>> = instances.iter().cloned().map(Arc::new).collect();
    eligible(&instances, template).into_iter().collect()
}

#[test]
fn the_integers_of_the_rolling_update_are_those_of_ecs() {
    for (nodes, minimum, is_current, expected) in [
        (4, 50, false, (Update::Rolling(2), false)),
        // ceil(10 * 75 %) = 8: a percentage would have let three be missing.
        (10, 75, false, (Update::Rolling(2), false)),
        (3, 0, false, (Update::Rolling(3), false)),
        (1, 50, false, (Update::OnDelete, true)),
        (4, 100, false, (Update::OnDelete, true)),
        // The first deployment, or one that is everywhere already, replaces nothing.
        (4, 100, true, (Update::OnDelete, false)),
        (0, 0, false, (Update::Rolling(1), false)),
        (0, 100, false, (Update::OnDelete, false)),
    ] {
        assert_eq!(update(nodes, minimum, is_current, false), expected, "{nodes} instances, {minimum} %");
    }
    assert_eq!(update(4, 0, false, true), (Update::OnDelete, true));
    assert_eq!(update(4, 0, true, true), (Update::OnDelete, false));
}

#[test]
fn when_nodes_are_tainted_or_in_trouble_then_only_those_that_a_daemon_set_would_use_are_eligible() {
    let nodes = [
        instance("plain", &[]),
        Instance { is_ready: false, ..tainted("not-ready", "node.kubernetes.io/not-ready", "NoExecute") },
        tainted("full", "node.kubernetes.io/disk-pressure", "NoSchedule"),
        tainted("no-network", "node.kubernetes.io/network-unavailable", "NoSchedule"),
        tainted("team", "team", "NoSchedule"),
        tainted("preferred", "team", "PreferNoSchedule"),
        Instance { is_cordoned: true, ..instance("cordoned", &[]) },
        instance("draining", &[(labels::CONTAINER_INSTANCE_STATUS, "DRAINING")]),
    ];
    assert_eq!(names(&nodes, &json!({"spec": {}})), ["full", "not-ready", "plain", "preferred"]);
    let tolerant = json!({"spec": {"tolerations": [{"key": "team", "operator": "Exists"}]}});
    assert_eq!(names(&nodes, &tolerant), ["full", "not-ready", "plain", "preferred", "team"]);
}

#[test]
fn when_a_strategy_has_several_providers_then_their_nodes_are_joined_and_draining_ones_are_told_by_the_mark() {
    let providers =
        [part(Some("a"), json!([zone("a")]), json!([{"key": "x"}])), part(Some("b"), json!([zone("b")]), json!([]))];
    let constraint = [json!({"matchExpressions": [{"key": "os", "operator": "Exists"}]})];
    let terms = node_terms(&[], &providers);
    let text = Value::from(terms.clone()).to_string();
    assert_eq!(terms.len(), 2);
    assert!(!text.contains(labels::CONTAINER_INSTANCE_STATUS), "{text}");
    let template = json!({"spec": {"affinity": {"nodeAffinity":
        {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}}});
    let marked = (labels::DAEMON_TASKS, labels::STOPPED);
    let nodes = [
        instance("in-a", &[("zone", "a")]),
        instance("in-b", &[("zone", "b")]),
        instance("in-c", &[("zone", "c")]),
        instance("marked", &[("zone", "a"), marked]),
    ];
    assert_eq!(names(&nodes, &template), ["in-a", "in-b"]);
    assert_eq!((provider_label(&providers), provider_label(&providers[..1])), ("none".to_owned(), "a".to_owned()));
    // One provider with any node makes the others' rules mean nothing.
    let anywhere = [providers[0].clone(), part(None, json!([]), json!([]))];
    assert_eq!(node_terms(&constraint, &anywhere).len(), 1);
    let text = Value::from(node_terms(&constraint, &anywhere)).to_string();
    assert!(text.contains("os") && !text.contains("zone"), "{text}");
    assert_eq!(node_terms(&constraint, &providers).len(), 2);
}

#[test]
fn when_a_provider_has_no_node_at_all_then_no_node_is_eligible() {
    let nothing = json!({"matchExpressions": []});
    let terms = node_terms(&[], &[part(Some("a"), json!([nothing]), json!([]))]);
    let template = json!({"spec": {"affinity": {"nodeAffinity":
        {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}}});
    assert_eq!(names(&[instance("a", &[])], &template), Vec::<String>::new());
}

proptest! {
    #[test]
    fn a_rolling_update_never_lets_more_be_missing_than_the_minimum_leaves(nodes in 0_i64..5_000, minimum in 0_i64..=100) {
        let (update, holds) = update(nodes, minimum, false, false);
        if let Update::Rolling(missing) = update && nodes > 0 {
            prop_assert!(missing >= 1);
            // In hundredths: nodes - missing is at least nodes * minimum %.
            prop_assert!((nodes - missing) * 100 >= nodes * minimum);
            prop_assert!((nodes - missing - 1) * 100 < nodes * minimum || missing == nodes);
        } else {
            prop_assert!(nodes == 0 || (nodes - 1) * 100 < nodes * minimum);
            prop_assert_eq!(holds, nodes > 0);
        }
    }
}
