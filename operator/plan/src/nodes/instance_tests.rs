use serde_json::json;

use super::*;
use crate::core::world::MemoryWorld;

#[allow(clippy::needless_pass_by_value)] // every caller has just made them
fn node(name: &str, labels: Value, spec: Value) -> Stored {
    let object = json!({"metadata": {"name": name, "uid": name, "labels": labels}, "spec": spec, "status":
        {"conditions": [{"type": "Ready", "status": "True"}, {"type": "DiskPressure", "status": "True"}]}});
    Stored::accept(Kind::Node, object).unwrap()
}

fn draining(world: &dyn World) -> BTreeSet<String> {
    world.find(Kind::Node, None, &Term::Draining).iter().map(|node| node.key.name.clone()).collect()
}

#[test]
fn when_a_node_is_labelled_or_cordoned_then_it_is_draining() {
    let mut world = MemoryWorld::default();
    let status = |value: &str| json!({ labels::CONTAINER_INSTANCE_STATUS: value });
    world.insert(node("a", json!({}), json!({})));
    world.insert(node("b", status("DRAINING"), json!({})));
    world.insert(node("c", json!({}), json!({"unschedulable": true})));
    world.insert(node("d", status("ACTIVE"), json!({})));
    world.insert(node("e", status("draining"), json!({"unschedulable": false})));
    assert_eq!(draining(&world), ["b", "c"].map(str::to_owned).into());
    assert!(instances(&world).iter().all(|instance| instance.is_ready));
}

#[test]
fn when_a_node_is_tainted_then_only_those_who_tolerate_the_taint_may_be_on_it() {
    let taint = |effect: &str| Taint { key: "team".into(), value: "data".into(), effect: effect.into() };
    let toleration = |key: &str, operator: &str, value: &str, effect: &str| Toleration {
        key: key.into(),
        operator: operator.into(),
        value: value.into(),
        effect: effect.into(),
    };
    let tainted = |effect: &str| Instance { taints: vec![taint(effect)], ..Instance::default() };
    for (toleration, expected) in [
        (toleration("team", "", "data", ""), true),
        (toleration("team", "Equal", "data", "NoSchedule"), true),
        (toleration("team", "Equal", "web", ""), false),
        (toleration("team", "Exists", "", ""), true),
        (toleration("team", "Exists", "", "NoExecute"), false),
        (toleration("", "Exists", "", ""), true),
        (toleration("", "Equal", "data", ""), false),
        (toleration("other", "Exists", "", ""), false),
    ] {
        assert_eq!(tainted("NoSchedule").admits(std::slice::from_ref(&toleration)), expected, "{toleration:?}");
    }
    assert!(!tainted("NoExecute").admits(&[]));
    assert!(tainted("PreferNoSchedule").admits(&[]));
    assert!(Instance::default().admits(&[]));
}

#[test]
fn when_draining_nodes_are_left_out_then_every_alternative_leaves_them_out() {
    let zone = |zone: &str| NodeSelectorTerm {
        match_expressions: vec![NodeSelectorRequirement {
            key: "zone".into(),
            operator: NodeSelectorOperator::In,
            values: vec![zone.into()],
        }],
    };
    let read = |terms: &[NodeSelectorTerm]| -> Vec<NodeSelectorTerm> {
        let terms = without_draining(terms).into_iter();
        terms.map(|term| serde_json::from_value(term).unwrap()).collect()
    };
    let on = |labels: &[(&str, &str)]| Instance {
        labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        ..Instance::default()
    };
    let draining = (labels::CONTAINER_INSTANCE_STATUS, labels::DRAINING);
    let (any, two, none) = (read(&[]), read(&[zone("a"), zone("b")]), read(&[NodeSelectorTerm::default()]));
    assert!(on(&[]).matches_any(&any) && !on(&[draining]).matches_any(&any));
    assert!(on(&[("zone", "a")]).matches_any(&two) && on(&[("zone", "b")]).matches_any(&two));
    assert!(!on(&[("zone", "b"), draining]).matches_any(&two) && !on(&[("zone", "c")]).matches_any(&two));
    assert!(!on(&[]).matches_any(&none) && !on(&[("zone", "a")]).matches_any(&none));
}
