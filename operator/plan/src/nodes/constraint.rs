//! `memberOf` constraints as scheduling rules.
//!
//! The text is parsed and brought into alternatives by [`ecs::query`]; each alternative becomes one term of a required
//! node affinity. What an expression compares with the values that nodes have (`=~`, `ec2InstanceId`) is resolved over the
//! nodes of the moment.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::capacity_provider::{NodeSelectorOperator, NodeSelectorRequirement, NodeSelectorTerm};
use api::conditions::Reason;
use ecs::query::{self, Condition, Expression, MAX_PATTERNS, Subject, Test};
use serde_json::{Map, Value, json};

use crate::core::labels;
use crate::core::report::Refusal;
use crate::core::world::World;
use crate::nodes::attribute::{HOSTNAME, label, label_and_value, value_of_label};
use crate::nodes::instance::{Instance, instances};

/// One expression and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    /// Path of the expression below `spec`.
    pub path: String,
    /// The text.
    pub expression: String,
}

/// Where the tasks of a service may run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeRules {
    /// Alternatives; `None` for any node.
    pub terms: Option<Vec<NodeSelectorTerm>>,
    /// Only beside a task of one of these groups.
    pub beside: BTreeSet<Vec<String>>,
    /// Not beside a task of any of these groups.
    pub apart: BTreeSet<Vec<String>>,
    /// Whether the alternatives follow from the values that nodes have now, so that other nodes can change them.
    pub follow_nodes: bool,
}

/// Every expression of a list of constraints that cannot be told of nodes, with its path.
#[must_use]
pub fn check<'a>(expressions: impl IntoIterator<Item = Option<&'a String>>) -> Vec<Refusal> {
    translate::<Instance>(&listed("spec.", expressions), &[]).err().unwrap_or_default()
}

/// The expressions of `placementConstraints` below `prefix`; empty ones count as absent.
pub(crate) fn listed<'a>(prefix: &str, expressions: impl IntoIterator<Item = Option<&'a String>>) -> Vec<Constraint> {
    let given = |(index, expression): (usize, Option<&'a String>)| {
        let expression = expression.filter(|expression| !expression.is_empty())?.clone();
        Some(Constraint { path: format!("{prefix}placementConstraints[{index}].expression"), expression })
    };
    expressions.into_iter().enumerate().filter_map(given).collect()
}

/// The nodes that constraints are compared with: none where no expression needs them, which most do not.
#[must_use]
pub fn nodes(world: &dyn World, constraints: &[Constraint]) -> Vec<Arc<Instance>> {
    let needs_nodes = |constraint: &Constraint| {
        // One that cannot be parsed is refused, whatever nodes there are.
        let alternatives = query::parse(&constraint.expression).ok().map(|parsed| query::alternatives(&[parsed]));
        alternatives.and_then(Result::ok).is_some_and(|alternatives| alternatives.iter().flatten().any(looks_at_nodes))
    };
    if constraints.iter().any(needs_nodes) { instances(world) } else { Vec::new() }
}

/// The scheduling rules of constraints, all of which must hold.
///
/// # Errors
/// With path and column, when one is no expression, or asks for what cannot be told of nodes.
pub fn translate<N: Borrow<Instance>>(constraints: &[Constraint], nodes: &[N]) -> Result<NodeRules, Vec<Refusal>> {
    let nodes: Vec<&Instance> = nodes.iter().map(Borrow::borrow).collect();
    translate_with(constraints, &mut Rules::new(&nodes))
}

fn translate_with(constraints: &[Constraint], rules: &mut Rules<'_>) -> Result<NodeRules, Vec<Refusal>> {
    let (mut refusals, mut expressions) = (Vec::new(), Vec::new());
    let mut patterns = 0;
    for Constraint { path, expression } in constraints {
        match query::parse(expression).map(|parsed| (query::alternatives(std::slice::from_ref(&parsed)), parsed)) {
            Err(error) => refusals.push(Refusal::invalid(path.as_str(), error.to_string())),
            Ok((Err(error), _)) => refusals.push(unsupported(path, error.to_string())),
            Ok((Ok(alternatives), parsed)) => {
                // Before any is compiled.
                if let Some(column) = one_pattern_too_many(&parsed, &mut patterns) {
                    let message = format!("column {column}: more than {MAX_PATTERNS} regular expressions");
                    refusals.push(unsupported(path, message));
                    continue;
                }
                let conditions = alternatives.iter().flatten();
                let wrong: BTreeSet<_> =
                    conditions.filter_map(|condition| Some((condition.column, rules.of(condition).err()?))).collect();
                let says = |(column, message)| unsupported(path, format!("column {column}: {message}"));
                refusals.extend(wrong.into_iter().map(says));
                expressions.push(parsed);
            }
        }
    }
    let Some(Constraint { path, .. }) = constraints.first().filter(|_| refusals.is_empty()) else {
        return if refusals.is_empty() { Ok(NodeRules::default()) } else { Err(refusals) };
    };
    let alternatives = query::alternatives(&expressions).map_err(|error| vec![unsupported(path, error.to_string())])?;
    let node_rules = join(&alternatives, rules).map_err(|message| vec![unsupported(path, message)])?;
    Ok(NodeRules { follow_nodes: alternatives.iter().flatten().any(looks_at_nodes), ..node_rules })
}

/// The column of the first regular expression beyond [`MAX_PATTERNS`]; `count` goes on with those of this expression.
fn one_pattern_too_many(expression: &Expression, count: &mut usize) -> Option<usize> {
    let columns = expression.patterns();
    let column = columns.get(MAX_PATTERNS.saturating_sub(*count)).copied();
    *count += columns.len();
    column
}

fn unsupported(path: &str, message: impl Into<String>) -> Refusal {
    Refusal { path: path.to_owned(), exception: Reason::UnsupportedFeatureException, message: message.into() }
}

fn looks_at_nodes(condition: &Condition) -> bool {
    condition.subject == Subject::Ec2InstanceId || matches!(condition.test, Test::Matches(_) | Test::MatchesNot(_))
}

/// What one condition comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Labels(NodeSelectorRequirement),
    Always,
    Never,
    Beside(Vec<String>),
    Apart(Vec<String>),
}

/// The rules of conditions. A condition may stand in each of 64 alternatives and is looked at once: comparing values of all
/// nodes with a regular expression is the dearest thing a constraint can ask for.
struct Rules<'a> {
    nodes: &'a [&'a Instance],
    known: BTreeMap<(Subject, Test), Result<Rule, String>>,
}

impl<'a> Rules<'a> {
    const fn new(nodes: &'a [&'a Instance]) -> Self {
        Self { nodes, known: BTreeMap::new() }
    }

    fn of(&mut self, condition: &Condition) -> Result<Rule, String> {
        let known = self.known.entry((condition.subject.clone(), condition.test.clone()));
        known.or_insert_with(|| rule(condition, self.nodes)).clone()
    }
}

/// Alternatives of conjunctions. Pod affinity cannot be one of several alternatives, so all must agree on it.
fn join(alternatives: &[Vec<Condition>], rules_of: &mut Rules<'_>) -> Result<NodeRules, String> {
    let mut rules = NodeRules::default();
    let mut terms = Vec::new();
    let mut is_any_node = false;
    for (index, conjunction) in alternatives.iter().enumerate() {
        let (mut term, mut beside, mut apart) = (NodeSelectorTerm::default(), BTreeSet::new(), BTreeSet::new());
        let mut is_possible = true;
        for condition in conjunction {
            match rules_of.of(condition)? {
                Rule::Labels(requirement) => term.match_expressions.push(requirement),
                Rule::Always => {}
                Rule::Never => is_possible = false,
                Rule::Beside(groups) => drop(beside.insert(groups)),
                Rule::Apart(groups) => drop(apart.insert(groups)),
            }
        }
        if index > 0 && (&rules.beside, &rules.apart) != (&beside, &apart) {
            return Err("task:group cannot be one of several alternatives: it has to hold for all of them".to_owned());
        }
        (rules.beside, rules.apart) = (beside, apart);
        match term.match_expressions.is_empty() {
            _ if !is_possible => {}
            true => is_any_node = true,
            false => terms.push(term),
        }
    }
    if !is_any_node {
        // Without alternatives nothing would be required.
        rules.terms = Some(if terms.is_empty() { vec![no_node()] } else { terms });
    }
    Ok(rules)
}

/// A term that no node meets. One without requirements would do, but empty things are left out of objects.
fn no_node() -> NodeSelectorTerm {
    let requirement = |operator| NodeSelectorRequirement { key: HOSTNAME.to_owned(), operator, values: Vec::new() };
    let match_expressions = [NodeSelectorOperator::Exists, NodeSelectorOperator::DoesNotExist].map(requirement).into();
    NodeSelectorTerm { match_expressions }
}

fn rule(condition: &Condition, nodes: &[&Instance]) -> Result<Rule, String> {
    match &condition.subject {
        Subject::Attribute(name) => attribute_rule(name, &condition.test, nodes),
        Subject::Ec2InstanceId => instance_rule(&condition.test, nodes),
        Subject::TaskGroup => group_rule(&condition.test),
        // A node that the API server knows is connected as far as placement goes.
        Subject::AgentConnected => match &condition.test {
            Test::Exists => Ok(Rule::Always),
            Test::OneOf(values) if values.iter().any(|value| value == "true") => Ok(Rule::Always),
            Test::NoneOf(values) if !values.iter().any(|value| value == "true") => Ok(Rule::Always),
            _ => Ok(Rule::Never),
        },
        Subject::AgentVersion => Err("nodes have no ECS agent, so agentVersion cannot be compared".to_owned()),
        Subject::RegisteredAt => Err("registeredAt cannot be compared by the scheduler".to_owned()),
        Subject::RunningTasksCount => Err("runningTasksCount cannot be compared by the scheduler".to_owned()),
    }
}

fn labels_rule(key: String, operator: NodeSelectorOperator, values: Vec<String>) -> Rule {
    Rule::Labels(NodeSelectorRequirement { key, operator, values })
}

/// `In` with these values; without any, nothing is among them.
fn is_in(key: String, values: Vec<String>) -> Rule {
    if values.is_empty() { Rule::Never } else { labels_rule(key, NodeSelectorOperator::In, values) }
}

/// `NotIn`; without any values, everything is outside.
fn is_not_in(key: String, values: Vec<String>) -> Rule {
    if values.is_empty() { Rule::Always } else { labels_rule(key, NodeSelectorOperator::NotIn, values) }
}

fn attribute_rule(name: &str, test: &Test, nodes: &[&Instance]) -> Result<Rule, String> {
    let key = label(name);
    Ok(match test {
        Test::Exists => labels_rule(key, NodeSelectorOperator::Exists, Vec::new()),
        Test::Absent => labels_rule(key, NodeSelectorOperator::DoesNotExist, Vec::new()),
        Test::OneOf(values) => one_label(name, values).map(|(key, values)| is_in(key, values))?,
        Test::NoneOf(values) => one_label(name, values).map(|(key, values)| is_not_in(key, values))?,
        Test::Matches(pattern) => is_in(key.clone(), matching(name, &key, pattern, nodes)?),
        Test::MatchesNot(pattern) => is_not_in(key.clone(), matching(name, &key, pattern, nodes)?),
        Test::Above(bound) => labels_rule(key, NodeSelectorOperator::Gt, vec![bound.to_string()]),
        Test::Below(bound) => labels_rule(key, NodeSelectorOperator::Lt, vec![bound.to_string()]),
    })
}

/// The one label that has all these values of an attribute.
fn one_label(attribute: &str, values: &[String]) -> Result<(String, Vec<String>), String> {
    let mut by_label: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, value) in values.iter().map(|value| label_and_value(attribute, value)) {
        by_label.entry(key).or_default().push(value);
    }
    match (by_label.pop_first(), by_label.is_empty()) {
        (Some(only), true) => Ok(only),
        _ => Err(format!("the values of {attribute} are in different labels of nodes: compare them one by one")),
    }
}

/// Why a pattern is refused.
const NO_PATTERN: &str = "no regular expression without look-around and back references, or one that is too large";

/// Values of the label that the pattern matches, of the nodes there are.
fn matching(attribute: &str, key: &str, pattern: &str, nodes: &[&Instance]) -> Result<Vec<String>, String> {
    let Some(pattern) = query::whole(pattern) else {
        return Err(NO_PATTERN.to_owned());
    };
    let values: BTreeSet<&String> = nodes.iter().filter_map(|node| node.labels.get(key)).collect();
    let matching = values.into_iter().filter(|value| pattern.is_match(value_of_label(attribute, value).as_bytes()));
    Ok(matching.cloned().collect())
}

/// Instance ids are the last part of `providerID`; the scheduler knows nodes by their host name.
fn instance_rule(test: &Test, nodes: &[&Instance]) -> Result<Rule, String> {
    let named = |accepts: &dyn Fn(&str) -> bool| -> Vec<String> {
        let id = |node: &Instance| node.provider_id.rsplit('/').next().is_some_and(accepts);
        let found = nodes.iter().filter(|node| !node.provider_id.is_empty() && id(node));
        let names: BTreeSet<String> = found.filter_map(|node| node.labels.get(HOSTNAME).cloned()).collect();
        names.into_iter().collect()
    };
    let matching = |pattern: &str| {
        let pattern = query::whole(pattern).ok_or(NO_PATTERN)?;
        Ok::<_, String>(named(&|id| pattern.is_match(id.as_bytes())))
    };
    let key = HOSTNAME.to_owned();
    Ok(match test {
        Test::Exists => is_in(key, named(&|_| true)),
        Test::Absent => is_not_in(key, named(&|_| true)),
        Test::OneOf(ids) => is_in(key, named(&|id| ids.iter().any(|wanted| wanted == id))),
        Test::NoneOf(ids) => is_not_in(key, named(&|id| ids.iter().any(|wanted| wanted == id))),
        Test::Matches(pattern) => is_in(key, matching(pattern)?),
        Test::MatchesNot(pattern) => is_not_in(key, matching(pattern)?),
        Test::Above(_) | Test::Below(_) => return Err("an instance id is not a number".to_owned()),
    })
}

fn group_rule(test: &Test) -> Result<Rule, String> {
    let encoded = |groups: &[String]| groups.iter().map(|group| ecs::name::label_value(group)).collect();
    match test {
        Test::OneOf(groups) => Ok(Rule::Beside(encoded(groups))),
        Test::NoneOf(groups) => Ok(Rule::Apart(encoded(groups))),
        // The first half of `!=`: a node without tasks of any group is as good as one without tasks of this one.
        Test::Exists => Ok(Rule::Always),
        _ => Err("task:group can be compared with ==, !=, in and !in".to_owned()),
    }
}

impl NodeRules {
    /// Adds the rules to the affinity of a pod spec.
    pub(crate) fn apply(&self, pod_spec: &mut Map<String, Value>) {
        const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
        let mut add = |affinity: &str, value: Value| {
            let all = pod_spec.entry("affinity").or_insert_with(|| json!({}));
            let Some(all) = all.as_object_mut() else { return };
            let one = all.entry(affinity).or_insert_with(|| json!({}));
            match (one.get_mut(REQUIRED).and_then(Value::as_array_mut), value) {
                (Some(terms), Value::Array(more)) => terms.extend(more),
                (_, value) => drop(one.as_object_mut().map(|one| one.insert(REQUIRED.to_owned(), value))),
            }
        };
        let pods = |groups: &BTreeSet<Vec<String>>| -> Value {
            let term = |groups: &Vec<String>| {
                let group = json!({"key": labels::GROUP, "operator": "In", "values": groups});
                json!({"topologyKey": HOSTNAME, "labelSelector": {"matchExpressions": [group]}})
            };
            groups.iter().map(term).collect()
        };
        if let Some(terms) = &self.terms {
            add("nodeAffinity", json!({ "nodeSelectorTerms": terms }));
        }
        if !self.beside.is_empty() {
            add("podAffinity", pods(&self.beside));
        }
        if !self.apart.is_empty() {
            add("podAntiAffinity", pods(&self.apart));
        }
    }
}

/// Alternatives that hold when one of each list does: a node has to be right for the constraint and for the provider.
pub(crate) fn all_of(one: &[Value], other: &[Value]) -> Vec<Value> {
    if one.is_empty() || other.is_empty() {
        return [one, other].concat();
    }
    let requirements =
        |term: &Value| term.get("matchExpressions").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut all = Vec::with_capacity(one.len() * other.len());
    for one in one.iter().map(requirements) {
        for other in other.iter().map(requirements) {
            // A term without requirements matches nothing, whatever is added to it.
            let both = if one.is_empty() || other.is_empty() { Vec::new() } else { [one.clone(), other].concat() };
            all.push(json!({ "matchExpressions": both }));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constraints(expressions: &[String]) -> Vec<Constraint> {
        listed("spec.", expressions.iter().map(Some))
    }

    /// Alternatives, each of which repeats all other conditions: what multiplies the most.
    fn alternatives(count: usize) -> String {
        (0..count).map(|number| format!("attribute:a == {number}")).collect::<Vec<_>>().join(" or ")
    }

    #[test]
    fn when_each_of_the_most_alternatives_repeats_the_most_patterns_then_each_pattern_is_compiled_once() {
        let pattern = format!(r"\w{{{}}}", 128);
        let patterns: Vec<String> =
            (0..MAX_PATTERNS).map(|number| format!("attribute:b{number} =~ {pattern}")).collect();
        let expressions = [alternatives(64), patterns.join(" and ")];
        let nodes: Vec<Instance> = (0..100).map(|_| Instance::default()).collect();
        let nodes: Vec<&Instance> = nodes.iter().collect();
        let mut rules = Rules::new(&nodes);
        translate_with(&constraints(&expressions), &mut rules).unwrap();
        let compiled = rules.known.keys().filter(|(_, test)| matches!(test, Test::Matches(_) | Test::MatchesNot(_)));
        assert_eq!(compiled.count(), MAX_PATTERNS);
        assert_eq!(rules.known.len(), 64 + MAX_PATTERNS);
    }

    #[test]
    fn when_a_list_of_constraints_has_too_many_patterns_then_none_is_compiled_after_them_and_the_first_is_named() {
        let many = |count: usize| vec!["attribute:a =~ x"; count].join(" and ");
        let list = constraints(&[many(5), many(3)]);
        assert!(translate::<Instance>(&list, &[]).is_ok());
        let list = constraints(&[many(5), many(4), many(1)]);
        let refusals = translate::<Instance>(&list, &[]).unwrap_err();
        let said: Vec<_> = refusals.iter().map(|refusal| (refusal.path.as_str(), refusal.message.as_str())).collect();
        assert_eq!(
            said,
            [
                ("spec.placementConstraints[1].expression", "column 64: more than 8 regular expressions"),
                ("spec.placementConstraints[2].expression", "column 1: more than 8 regular expressions"),
            ]
        );
    }

    #[test]
    fn when_a_pattern_is_long_or_large_then_its_place_is_named() {
        for (pattern, says) in [
            ("x".repeat(129), "column 1: a value or pattern has at most 128 characters"),
            (r"((\w{99}){99}){99}".to_owned(), NO_PATTERN),
        ] {
            for operator in ["=~", "!~"] {
                let list = constraints(&[format!("attribute:a {operator} {pattern}")]);
                let refusals = translate::<Instance>(&list, &[]).unwrap_err();
                assert!(refusals.iter().all(|refusal| refusal.message.contains(says)), "{refusals:?}");
            }
        }
    }
}
