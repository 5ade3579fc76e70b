//! The cluster query language of `memberOf` constraints (ECS: cluster query language).
//!
//! ```text
//! text ──parse──> Expression ──alternatives──> a list of conjunctions of plain conditions
//! ```
//!
//! ```text
//! expression  := conjunction (("or" | "||") conjunction)*
//! conjunction := negation (("and" | "&&") negation)*
//! negation    := ("not" | "!") negation | "(" expression ")" | comparison
//! comparison  := subject operator [argument]
//! ```

mod alternatives;
mod evaluate;
mod parse;
mod scan;

pub use alternatives::{Condition, MAX_ALTERNATIVES, Test, TooManyAlternatives, alternatives};
pub use evaluate::{Instance, holds, whole};
pub use parse::{MAX_LENGTH, parse};

/// What a comparison looks at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// `attribute:<name>`, built-in or custom.
    Attribute(String),
    /// `task:group`: the groups of the tasks on the instance.
    TaskGroup,
    /// `agentConnected`
    AgentConnected,
    /// `agentVersion`
    AgentVersion,
    /// `ec2InstanceId`
    Ec2InstanceId,
    /// `registeredAt`
    RegisteredAt,
    /// `runningTasksCount`
    RunningTasksCount,
}

/// How a subject is compared with its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operator {
    /// `==`, `equals`
    Equals,
    /// `!=`, `not_equals`: there is a value, and it is another one.
    NotEquals,
    /// `>`, `greater_than`
    GreaterThan,
    /// `>=`, `greater_than_equal`
    GreaterThanEqual,
    /// `<`, `less_than`
    LessThan,
    /// `<=`, `less_than_equal`
    LessThanEqual,
    /// `exists`
    Exists,
    /// `!exists`, `not_exists`
    NotExists,
    /// `in`
    In,
    /// `!in`, `not_in`: there is a value, and it is none of these.
    NotIn,
    /// `=~`, `matches`: a regular expression over the whole value.
    Matches,
    /// `!~`, `not_matches`: there is a value, and it does not match.
    NotMatches,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Comparison {
    /// What is looked at.
    pub subject: Subject,
    /// How.
    pub operator: Operator,
    /// With what: nothing for `exists`, any number of values for `in`, one for the others.
    pub arguments: Vec<String>,
    /// Where it begins in the text, in characters from 1.
    pub column: usize,
}

/// A whole expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// Any of them.
    Or(Vec<Expression>),
    /// All of them.
    And(Vec<Expression>),
    /// The plain complement.
    Not(Box<Expression>),
    /// One comparison.
    Comparison(Comparison),
}

/// Regular expressions that the constraints of one list may have together: each is compiled, and compared with all nodes.
pub const MAX_PATTERNS: usize = 8;

impl Expression {
    /// The columns of the comparisons with regular expressions, in the order of the text.
    #[must_use]
    pub fn patterns(&self) -> Vec<usize> {
        match self {
            Self::Or(parts) | Self::And(parts) => parts.iter().flat_map(Self::patterns).collect(),
            Self::Not(inner) => inner.patterns(),
            Self::Comparison(comparison) => {
                let is_pattern = matches!(comparison.operator, Operator::Matches | Operator::NotMatches);
                is_pattern.then_some(comparison.column).into_iter().collect()
            }
        }
    }
}

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {message}")]
pub struct QueryError {
    /// Where, in characters from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}
