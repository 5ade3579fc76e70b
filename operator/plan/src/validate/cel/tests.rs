use std::collections::BTreeSet;

use api::service::rules::SERVICE_RULES;
use serde_json::{Value, json};

use super::{CelError, Expression};

fn holds(rule: &str, this: &Value) -> Result<bool, CelError> {
    Expression::parse(rule).unwrap().holds(this)
}

#[test]
fn rules_are_evaluated_as_the_language_says() {
    let this = json!({
        "name": "Web_1", "count": 3, "ratio": 0.5, "on": true, "none": null, "empty": "",
        "items": [{"type": "a", "weight": 0}, {"type": "b", "weight": 2}], "map": {"k": "v", "gone": null},
        "hex": "äb", "namespace": "net.core",
    });
    for (rule, expected) in [
        ("has(self.name) && !has(self.none) && !has(self.other)", true),
        ("self.none == null || true", true),
        ("self.count + 1 * 2 == 5 && (self.count + 1) * 2 == 8", true),
        ("self.count - 1 - 1 == 1 && -self.count == -3 && self.count % 2 == 1 && self.count / 2 == 1", true),
        ("self.count > 2 ? self.name == 'Web_1' : false", true),
        ("self.ratio < 1 && self.ratio * 2.0 == 1.0 && self.ratio <= 0.5", true),
        ("self.name.lowerAscii() == 'web_1' && self.name.startsWith('Web') && self.name.endsWith('_1')", true),
        ("self.name.matches('^[A-Za-z0-9_-]+$') && !self.empty.matches('.')", true),
        ("self.name.matches(r'^\\w+$')", true),
        ("self.name in ['x', 'Web_1'] && !(self.count in [1, 2]) && 'k' in self.map && !('gone' in self.map)", true),
        ("self.items.exists(i, i.type == 'b' && i.weight > 1) && self.items.all(i, has(i.type))", true),
        ("self.items.exists_one(i, i.weight == 0) && self.items.filter(i, i.weight > 0).size() == 1", true),
        ("self.items.map(i, i.type) == ['a', 'b'] && self.items[1].type == 'b' && self.map['k'] == 'v'", true),
        ("self.items.all(i, self.items.exists(j, j.type == i.type))", true),
        ("size(self.name) == 5 && self.hex.size() == 2 && self.map.size() == 1", true),
        ("type(self.count) == int && type(self.name) != int && int('7') == 7 && string(7) == '7'", true),
        ("self.name.split('_')[1] == '1' && self.name.indexOf('_') == 3 && self.name.substring(0, 3) == 'Web'", true),
        (
            "self.?none.orValue('x') == 'x' && self.?name.orValue('x') == 'Web_1' && !self.?other.?deeper.hasValue()",
            true,
        ),
        ("self.?map.k.orValue('') == 'v' && self.?map.?gone.orValue('') == '' && self.?on.orValue(false)", true),
        ("self.?__namespace__.orValue('').startsWith('net.')", true),
        ("sets.intersects(['a', 'b'], self.items.map(i, i.type)) && !sets.intersects([], ['a'])", true),
        ("self.count * 10.0 - double(int(self.count * 10.0 + 0.5)) < 0.000001", true),
        ("'it\\'s' == \"it's\"", true),
        ("self.count == 4 || self.on && self.empty != ''", false),
        ("!self.on", false),
    ] {
        assert_eq!(holds(rule, &this), Ok(expected), "{rule}");
    }
}

#[test]
fn when_one_side_decides_then_an_error_on_the_other_is_forgiven() {
    let this = json!({"items": [{}, {"a": 1}]});
    for rule in
        ["self.x == 1 || true", "true || self.x == 1", "!(self.x == 1 && false)", "self.items.exists(i, i.a == 1)"]
    {
        assert_eq!(holds(rule, &this), Ok(true), "{rule}");
    }
    for rule in
        ["self.x == 1", "self.x == 1 || false", "self.items.all(i, i.a == 1)", "self.items[7] == 1", "1 / 0 == 1"]
    {
        assert!(matches!(holds(rule, &this), Err(CelError::Evaluation(_))), "{rule}");
    }
}

#[test]
fn what_is_not_understood_is_an_error_and_not_a_guess() {
    for rule in
        ["", "self.", "self.a ==", "a b", "f(self)", "self.x.sorted()", "{'a': 1}", "'open", "has(self)", "1 ~ 2", "(1"]
    {
        assert!(matches!(Expression::parse(rule), Err(CelError::Syntax(_))), "{rule}");
    }
}

#[test]
fn when_a_rule_compares_with_the_previous_object_then_it_is_a_transition() {
    assert!(Expression::parse("has(self.a) ? self.a == oldSelf.a : true").unwrap().is_transition());
    assert!(!Expression::parse("self.oldSelf == 'oldSelf'").unwrap().is_transition());
}

/// What UpdateService cannot change, in the order of the rules.
fn refused_updates(before: &Value, after: &Value) -> Vec<&'static str> {
    let rules = SERVICE_RULES.iter().filter_map(|rule| {
        let expression = Expression::parse(rule.cel).unwrap();
        (expression.is_transition() && !expression.allows(after, before).unwrap()).then_some(rule.path)
    });
    rules.collect()
}

#[test]
fn when_a_service_is_updated_then_only_what_update_service_does_not_have_is_refused() {
    let arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/shop";
    let provider = json!([{"capacityProvider": "FARGATE"}]);
    for (before, after, expected) in [
        (
            json!({"schedulingStrategy": "REPLICA"}),
            json!({"schedulingStrategy": "DAEMON"}),
            vec![".schedulingStrategy"],
        ),
        (json!({"schedulingStrategy": "DAEMON"}), json!({}), vec![".schedulingStrategy"]),
        (json!({"schedulingStrategy": "REPLICA"}), json!({}), vec![]),
        (json!({}), json!({"schedulingStrategy": "REPLICA"}), vec![]),
        (json!({"cluster": "shop"}), json!({"cluster": "prod"}), vec![".cluster"]),
        (json!({"cluster": "shop"}), json!({}), vec![".cluster"]),
        (json!({}), json!({"cluster": "shop"}), vec![".cluster"]),
        (json!({"cluster": "hop"}), json!({"cluster": arn}), vec![".cluster"]),
        (json!({}), json!({"cluster": "default"}), vec![]),
        (json!({"cluster": "shop"}), json!({"cluster": arn}), vec![]),
        (json!({"cluster": arn}), json!({"cluster": "shop"}), vec![]),
        (json!({"launchType": "EC2"}), json!({"launchType": "FARGATE"}), vec![".launchType"]),
        (json!({"launchType": "EC2"}), json!({"capacityProviderStrategy": provider}), vec![]),
        (json!({"capacityProviderStrategy": provider}), json!({"launchType": "EC2"}), vec![]),
        (json!({"launchType": "EC2"}), json!({"launchType": "EC2", "capacityProviderStrategy": []}), vec![]),
        // Everything that UpdateService does have, and tags, which TagResource changes.
        (
            json!({"tags": [{"key": "a"}], "role": "r", "platformVersion": "1.3.0", "desiredCount": 1}),
            json!({
                "desiredCount": 2, "taskDefinition": "web:2", "deploymentController": {"type": "ECS"}, "propagateTags": "SERVICE",
                "availabilityZoneRebalancing": "ENABLED", "enableECSManagedTags": true, "enableExecuteCommand": true,
                "loadBalancers": [], "networkConfiguration": {}, "deploymentConfiguration": {"maximumPercent": 150},
            }),
            vec![],
        ),
    ] {
        assert_eq!(refused_updates(&before, &after), expected, "{before} to {after}");
    }
}

#[test]
fn when_a_rule_compares_a_service_with_what_it_was_then_the_test_above_has_a_case_of_it() {
    let paths: BTreeSet<&str> = SERVICE_RULES
        .iter()
        .filter(|rule| Expression::parse(rule.cel).unwrap().is_transition())
        .map(|rule| rule.path)
        .collect();
    assert_eq!(paths, BTreeSet::from([".cluster", ".launchType", ".schedulingStrategy"]));
}
