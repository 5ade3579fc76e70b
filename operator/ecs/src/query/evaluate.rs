//! An expression, evaluated over one instance as the language defines it: what every translation has to agree with.

use std::collections::{BTreeMap, BTreeSet};

use regex::bytes::{Regex, RegexBuilder};

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
        pattern.is_some_and(|pattern| values.iter().any(|value| pattern.is_match(value.as_bytes())))
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

/// Bytes that a compiled regular expression, or what it keeps while it matches, may have. `\w{128}` needs a quarter of it;
/// one that needs more is refused after a fraction of a millisecond, where the library's own limit of 10 MB allows 40.
const MOST_BYTES: usize = 64 * 1024;

/// Compiles a regular expression that must match the whole value. Returns `None` if the pattern is invalid, if it compiles to
/// more than [`MOST_BYTES`], or if it uses Java features that cannot be evaluated in linear time (look-around, back
/// references). As in Java, `\w`, `\d` and `\s` match ASCII characters only: attributes have no others.
#[must_use]
pub fn whole(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(&format!("^(?:{pattern})$"))
        .unicode(false)
        .size_limit(MOST_BYTES)
        .dfa_size_limit(MOST_BYTES)
        .build()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_pattern_would_be_large_then_it_is_refused() {
        for small in [r"t3\.(micro|small)", r"\w{128}", "(?i)eu-west-1[a-c]", ".*", r"[\w.-]+/\d+"] {
            assert!(whole(small).is_some(), "{small}");
        }
        for large in [r"\w{10000}", "((a{50}){50}){50}", r"(?u:\w{50})", "(?=a)b", r"(a)\1", "("] {
            assert!(whole(large).is_none(), "{large}");
        }
    }

    #[test]
    fn when_a_pattern_is_compiled_then_it_matches_whole_values() {
        let pattern = whole("t3|t3a").unwrap();
        assert!(pattern.is_match(b"t3a") && !pattern.is_match(b"xt3") && !pattern.is_match(b"t3.x"));
    }
}
