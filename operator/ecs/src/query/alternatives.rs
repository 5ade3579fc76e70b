//! [`Expression`] to alternatives, each a conjunction of conditions without negations around them.

use super::{Comparison, Expression, Operator, Subject};

/// More alternatives than this are refused: each becomes a term of the scheduler's.
pub const MAX_ALTERNATIVES: usize = 64;

/// An expression that has more than [`MAX_ALTERNATIVES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the expression comes to more than {MAX_ALTERNATIVES} alternatives")]
pub struct TooManyAlternatives;

/// One condition of a conjunction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    /// What is looked at.
    pub subject: Subject,
    /// Where it stands in the text, in characters from 1.
    pub column: usize,
    /// What must hold.
    pub test: Test,
}

/// What must hold of a value, or of its absence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Test {
    /// There is a value.
    Exists,
    /// There is none.
    Absent,
    /// There is a value, and it is one of these.
    OneOf(Vec<String>),
    /// There is none, or it is none of these.
    NoneOf(Vec<String>),
    /// There is a value, and it matches as a whole.
    Matches(String),
    /// There is none, or it does not match.
    MatchesNot(String),
    /// There is a whole number above this one.
    Above(i64),
    /// There is a whole number below this one.
    Below(i64),
}

/// The alternatives of all `expressions` together: one of each holds.
///
/// `a and (b or c)` with `not d` comes to `[a, b, not d]` and `[a, c, not d]`.
///
/// # Errors
/// When there are more than [`MAX_ALTERNATIVES`].
pub fn alternatives(expressions: &[Expression]) -> Result<Vec<Vec<Condition>>, TooManyAlternatives> {
    let mut all = expand_all(expressions.iter().map(|expression| (expression, false)))?;
    for conjunction in &mut all {
        conjunction.sort();
        conjunction.dedup();
    }
    all.sort();
    all.dedup();
    Ok(all)
}

type Alternatives = Vec<Vec<Condition>>;

fn expand(expression: &Expression, is_negated: bool) -> Result<Alternatives, TooManyAlternatives> {
    match (expression, is_negated) {
        (Expression::Not(inner), _) => expand(inner, !is_negated),
        // De Morgan: not (a or b) is (not a) and (not b).
        (Expression::Or(parts), false) | (Expression::And(parts), true) => {
            let mut any = Vec::new();
            for part in parts {
                any.extend(expand(part, is_negated)?);
                if any.len() > MAX_ALTERNATIVES {
                    return Err(TooManyAlternatives);
                }
            }
            Ok(any)
        }
        (Expression::And(parts), false) | (Expression::Or(parts), true) => {
            expand_all(parts.iter().map(|part| (part, is_negated)))
        }
        (Expression::Comparison(comparison), _) => Ok(conditions(comparison, is_negated)),
    }
}

fn expand_all<'a>(parts: impl Iterator<Item = (&'a Expression, bool)>) -> Result<Alternatives, TooManyAlternatives> {
    let mut all: Alternatives = vec![Vec::new()];
    for (part, is_negated) in parts {
        let part = expand(part, is_negated)?;
        if all.len() * part.len() > MAX_ALTERNATIVES {
            return Err(TooManyAlternatives);
        }
        let pairs = all.iter().flat_map(|one| part.iter().map(move |other| [one.as_slice(), other].concat()));
        all = pairs.collect();
    }
    Ok(all)
}

/// A comparison or its plain complement. `!=` wants a value, so its complement is two alternatives: no value, or that one.
fn conditions(comparison: &Comparison, is_negated: bool) -> Alternatives {
    let condition = |test| Condition { subject: comparison.subject.clone(), column: comparison.column, test };
    let values = || comparison.arguments.clone();
    let text = || comparison.arguments.first().cloned().unwrap_or_default();
    let number = || text().parse::<i64>().unwrap_or_default();
    let one = |test| vec![vec![condition(test)]];
    let both = |first, second| vec![vec![condition(first), condition(second)]];
    let either = |first, second| vec![vec![condition(first)], vec![condition(second)]];
    match (comparison.operator, is_negated) {
        (Operator::Equals | Operator::In, false) => one(Test::OneOf(values())),
        (Operator::Equals | Operator::In, true) => one(Test::NoneOf(values())),
        (Operator::NotEquals | Operator::NotIn, false) => both(Test::Exists, Test::NoneOf(values())),
        (Operator::NotEquals | Operator::NotIn, true) => either(Test::Absent, Test::OneOf(values())),
        (Operator::Exists, false) | (Operator::NotExists, true) => one(Test::Exists),
        (Operator::NotExists, false) | (Operator::Exists, true) => one(Test::Absent),
        (Operator::Matches, false) => one(Test::Matches(text())),
        (Operator::Matches, true) => one(Test::MatchesNot(text())),
        (Operator::NotMatches, false) => both(Test::Exists, Test::MatchesNot(text())),
        (Operator::NotMatches, true) => either(Test::Absent, Test::Matches(text())),
        // n > 3 is n above 3; n >= 3 is n above 2.
        (Operator::GreaterThan, false) => one(Test::Above(number())),
        (Operator::GreaterThanEqual, false) => one(Test::Above(number().saturating_sub(1))),
        (Operator::LessThan, false) => one(Test::Below(number())),
        (Operator::LessThanEqual, false) => one(Test::Below(number().saturating_add(1))),
        // The complement holds where there is no number, too.
        (Operator::GreaterThan, true) => either(Test::Absent, Test::Below(number().saturating_add(1))),
        (Operator::GreaterThanEqual, true) => either(Test::Absent, Test::Below(number())),
        (Operator::LessThan, true) => either(Test::Absent, Test::Above(number().saturating_sub(1))),
        (Operator::LessThanEqual, true) => either(Test::Absent, Test::Above(number())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[test]
    fn when_an_expression_multiplies_out_beyond_the_limit_then_it_is_refused() {
        let pair = |index: usize| format!("(attribute:a{index} exists or attribute:b{index} exists)");
        let product = |count: usize| (0..count).map(pair).collect::<Vec<_>>().join(" and ");
        assert_eq!(alternatives(&[parse(&product(6)).unwrap()]).map(|all| all.len()), Ok(64));
        assert_eq!(alternatives(&[parse(&product(7)).unwrap()]), Err(TooManyAlternatives));
        let sum = |count: usize| (0..count).map(pair).collect::<Vec<_>>().join(" or ");
        assert_eq!(alternatives(&[parse(&sum(33)).unwrap()]), Err(TooManyAlternatives));
    }

    #[test]
    fn when_two_constraints_apply_then_both_must_hold() {
        let both = [parse("attribute:a == 1 or attribute:a == 2"), parse("attribute:b == 3")].map(Result::unwrap);
        let all = alternatives(&both).unwrap();
        assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    }
}
