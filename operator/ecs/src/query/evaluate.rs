//! An expression, evaluated over one instance as the language defines it: what every translation has to agree with.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::{Comparison, Expression, Operator, Subject};

/// A container instance as expressions see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    /// Attributes, built-in ones included.
    pub attributes: BTreeMap<String, String>,
    /// Groups of the tasks on it.
    pub task_groups: BTreeSet<String>,
    /// `i-…`
    pub ec2_instance_id: Option<String>,
    /// Whether its agent answers.
    pub is_connected: bool,
}

/// Whether an expression holds for an instance. Subjects that no instance has (agentVersion, registeredAt,
/// runningTasksCount) have no value.
#[must_use]
pub fn holds(expression: &Expression, instance: &Instance) -> bool {
    match expression {
        Expression::Or(parts) => parts.iter().any(|part| holds(part, instance)),
        Expression::And(parts) => parts.iter().all(|part| holds(part, instance)),
        Expression::Not(inner) => !holds(inner, instance),
        Expression::Comparison(comparison) => compare(comparison, instance),
    }
}

fn compare(comparison: &Comparison, instance: &Instance) -> bool {
    let values: Vec<String> = match &comparison.subject {
        Subject::Attribute(name) => instance.attributes.get(name).cloned().into_iter().collect(),
        Subject::TaskGroup => instance.task_groups.iter().cloned().collect(),
        Subject::Ec2InstanceId => instance.ec2_instance_id.clone().into_iter().collect(),
        Subject::AgentConnected => vec![instance.is_connected.to_string()],
        Subject::AgentVersion | Subject::RegisteredAt | Subject::RunningTasksCount => Vec::new(),
    };
    let arguments = &comparison.arguments;
    let is_one = || values.iter().any(|value| arguments.contains(value));
    let is_match = || {
        let pattern = arguments.first().and_then(|pattern| whole(pattern));
        pattern.is_some_and(|pattern| values.iter().any(|value| pattern.is_match(value)))
    };
    let bound = arguments.first().and_then(|text| text.parse::<i64>().ok());
    let ordered = |accepts: fn(i64, i64) -> bool| {
        let numbers = values.iter().filter_map(|value| value.parse::<i64>().ok());
        bound.is_some_and(|bound| numbers.into_iter().any(|number| accepts(number, bound)))
    };
    match comparison.operator {
        Operator::Exists => !values.is_empty(),
        Operator::NotExists => values.is_empty(),
        Operator::Equals | Operator::In => is_one(),
        Operator::NotEquals | Operator::NotIn => !values.is_empty() && !is_one(),
        Operator::Matches => is_match(),
        Operator::NotMatches => !values.is_empty() && !is_match(),
        Operator::GreaterThan => ordered(|number, bound| number > bound),
        Operator::GreaterThanEqual => ordered(|number, bound| number >= bound),
        Operator::LessThan => ordered(|number, bound| number < bound),
        Operator::LessThanEqual => ordered(|number, bound| number <= bound),
    }
}

/// A regular expression over whole values; `None` when it is none, or one that cannot be evaluated in linear time
/// (look-around, back references), which Java knows and this does not.
#[must_use]
pub fn whole(pattern: &str) -> Option<Regex> {
    Regex::new(&format!("^(?:{pattern})$")).ok()
}
