//! Evaluates a rule.

use std::borrow::Cow;

use serde_json::Value;

use super::CelError;
use super::parse::{Node, Operator, Over};
use super::value::Operand;

/// Names that are bound while a rule is evaluated: `self`, and the items of the macros around the current part.
#[derive(Clone, Copy)]
struct Scope<'s, 'a> {
    name: &'s str,
    value: &'s Operand<'a>,
    outer: Option<&'s Scope<'s, 'a>>,
}

impl<'a> Scope<'_, 'a> {
    fn find(&self, name: &str) -> Option<Operand<'a>> {
        if self.name == name { Some(self.value.clone()) } else { self.outer.and_then(|outer| outer.find(name)) }
    }
}

type Evaluated<'a> = Result<Operand<'a>, CelError>;

pub(super) fn holds(root: &Node, this: &Value) -> Result<bool, CelError> {
    let this = Operand::from(this);
    evaluate(root, &Scope { name: "self", value: &this, outer: None })?.truth()
}

#[cfg(test)]
pub(super) fn allows(root: &Node, this: &Value, before: &Value) -> Result<bool, CelError> {
    let (this, before) = (Operand::from(this), Operand::from(before));
    let outer = Scope { name: "oldSelf", value: &before, outer: None };
    evaluate(root, &Scope { name: "self", value: &this, outer: Some(&outer) })?.truth()
}

fn evaluate<'a>(node: &Node, scope: &Scope<'_, 'a>) -> Evaluated<'a> {
    match node {
        Node::Integer(number) => Ok(Operand::Integer(*number)),
        Node::Double(number) => Ok(Operand::Double(*number)),
        Node::Text(text) => Ok(Operand::Text(Cow::Owned(text.clone()))),
        Node::Bool(flag) => Ok(Operand::Bool(*flag)),
        Node::Null => Ok(Operand::Null),
        Node::Name(name) => scope
            .find(name)
            .or_else(|| type_called(name).map(Operand::Type))
            .ok_or(CelError::Evaluation("a name that is not known")),
        Node::List(items) => {
            Ok(Operand::List(items.iter().map(|item| evaluate(item, scope)).collect::<Result<_, _>>()?))
        }
        Node::Member(value, name) => match evaluate(value, scope)? {
            // After `.?` every further member is optional too.
            Operand::Optional(value) => Ok(optional_member(value.map(|value| *value), name)),
            value => value.member(name).ok_or(CelError::Evaluation("a member that is not there")),
        },
        Node::OptionalMember(value, name) => Ok(match evaluate(value, scope)? {
            Operand::Optional(value) => optional_member(value.map(|value| *value), name),
            value => optional_member(Some(value), name),
        }),
        Node::Has(value, name) => Ok(Operand::Bool(evaluate(value, scope)?.member(name).is_some())),
        Node::Index(value, index) => index_of(evaluate(value, scope)?, &evaluate(index, scope)?),
        Node::Not(inner) => Ok(Operand::Bool(!evaluate(inner, scope)?.truth()?)),
        Node::Negative(inner) => match evaluate(inner, scope)? {
            Operand::Integer(number) => Ok(Operand::Integer(-number)),
            Operand::Double(number) => Ok(Operand::Double(-number)),
            _ => Err(CelError::Evaluation("not a number")),
        },
        // An error on one side is forgiven when the other side decides alone.
        Node::And(left, right) => either(left, right, scope, false),
        Node::Or(left, right) => either(left, right, scope, true),
        Node::Choose(condition, first, second) => {
            evaluate(if evaluate(condition, scope)?.truth()? { first } else { second }, scope)
        }
        Node::Binary(operator, left, right) => binary(*operator, evaluate(left, scope)?, evaluate(right, scope)?),
        Node::Call(name, argument) => call(name, evaluate(argument, scope)?),
        Node::Method(value, name, arguments) => {
            if let ("orValue", [fallback]) = (name.as_str(), arguments.as_slice()) {
                return match evaluate(value, scope)? {
                    Operand::Optional(Some(value)) => Ok(*value),
                    Operand::Optional(None) => evaluate(fallback, scope),
                    _ => Err(CelError::Evaluation("not an optional value")),
                };
            }
            let arguments: Vec<_> = arguments.iter().map(|one| evaluate(one, scope)).collect::<Result<_, _>>()?;
            method(&evaluate(value, scope)?, name, &arguments)
        }
        Node::Matches(value, pattern) => Ok(Operand::Bool(pattern.is_match(evaluate(value, scope)?.text()?))),
        Node::Intersects(first, second) => {
            let (first, second) = (evaluate(first, scope)?.items()?, evaluate(second, scope)?.items()?);
            Ok(Operand::Bool(first.iter().any(|one| second.iter().any(|other| one.equals(other)))))
        }
        Node::Each(over, list, name, body) => each(*over, evaluate(list, scope)?.items()?, name, body, scope),
    }
}

fn optional_member<'a>(value: Option<Operand<'a>>, name: &str) -> Operand<'a> {
    Operand::Optional(value.and_then(|value| value.member(name)).map(Box::new))
}

/// `&&` (decided by false) and `||` (decided by true).
fn either<'a>(left: &Node, right: &Node, scope: &Scope<'_, 'a>, decisive: bool) -> Evaluated<'a> {
    let truth = |node| evaluate(node, scope).and_then(|value| value.truth());
    let left = truth(left);
    if left == Ok(decisive) {
        return Ok(Operand::Bool(decisive));
    }
    let right = truth(right);
    if right == Ok(decisive) {
        return Ok(Operand::Bool(decisive));
    }
    left?;
    Ok(Operand::Bool(right?))
}

fn each<'a>(over: Over, items: Vec<Operand<'a>>, name: &str, body: &Node, scope: &Scope<'_, 'a>) -> Evaluated<'a> {
    let on = |value: &Operand<'a>| evaluate(body, &Scope { name, value, outer: Some(scope) });
    let truth = |value: &Operand<'a>| on(value).and_then(|value| value.truth());
    match over {
        // As `&&` and `||` over all items: one that decides forgives the errors of the others.
        Over::All | Over::Exists => {
            let decisive = over == Over::Exists;
            let results: Vec<_> = items.iter().map(truth).collect();
            if results.contains(&Ok(decisive)) {
                return Ok(Operand::Bool(decisive));
            }
            results.into_iter().collect::<Result<Vec<_>, _>>()?;
            Ok(Operand::Bool(!decisive))
        }
        Over::ExistsOne => {
            let results = items.iter().map(truth).collect::<Result<Vec<_>, _>>()?;
            Ok(Operand::Bool(results.into_iter().filter(|one| *one).count() == 1))
        }
        Over::Filter => {
            let mut kept = Vec::new();
            for item in items {
                if truth(&item)? {
                    kept.push(item);
                }
            }
            Ok(Operand::List(kept))
        }
        Over::Map => Ok(Operand::List(items.iter().map(on).collect::<Result<_, _>>()?)),
    }
}

fn index_of<'a>(value: Operand<'a>, index: &Operand<'a>) -> Evaluated<'a> {
    let absent = CelError::Evaluation("an index or key that is not there");
    match value {
        Operand::List(items) => {
            let index = usize::try_from(index.integer()?).map_err(|_| absent.clone())?;
            items.into_iter().nth(index).ok_or(absent)
        }
        Operand::Object(_) => value.member(index.text()?).ok_or(absent),
        _ => Err(CelError::Evaluation("neither a list nor a map")),
    }
}

fn binary<'a>(operator: Operator, left: Operand<'a>, right: Operand<'a>) -> Evaluated<'a> {
    let answer = match operator {
        Operator::Equal => left.equals(&right),
        Operator::NotEqual => !left.equals(&right),
        Operator::Less => left.order(&right)?.is_lt(),
        Operator::LessOrEqual => left.order(&right)?.is_le(),
        Operator::Greater => left.order(&right)?.is_gt(),
        Operator::GreaterOrEqual => left.order(&right)?.is_ge(),
        Operator::In => match right {
            Operand::Object(_) => right.member(left.text()?).is_some(),
            list => list.items()?.iter().any(|item| item.equals(&left)),
        },
        arithmetic => return calculate(arithmetic, left, right),
    };
    Ok(Operand::Bool(answer))
}

#[allow(clippy::cast_precision_loss)] // bounds of the schema keep numbers far below 2^53
fn calculate<'a>(operator: Operator, left: Operand<'a>, right: Operand<'a>) -> Evaluated<'a> {
    let overflow = CelError::Evaluation("overflow or division by zero");
    // The server knows from the schema that a member is a double; JSON may write it as 3.
    let (left, right) = match (left, right) {
        (Operand::Integer(a), right @ Operand::Double(_)) => (Operand::Double(a as f64), right),
        (left @ Operand::Double(_), Operand::Integer(b)) => (left, Operand::Double(b as f64)),
        sides => sides,
    };
    match (left, right) {
        (Operand::Integer(a), Operand::Integer(b)) => {
            let result = match operator {
                Operator::Add => a.checked_add(b),
                Operator::Subtract => a.checked_sub(b),
                Operator::Multiply => a.checked_mul(b),
                Operator::Divide => a.checked_div(b),
                Operator::Remainder => a.checked_rem(b),
                _ => None,
            };
            result.map(Operand::Integer).ok_or(overflow)
        }
        (Operand::Double(a), Operand::Double(b)) => match operator {
            Operator::Add => Ok(Operand::Double(a + b)),
            Operator::Subtract => Ok(Operand::Double(a - b)),
            Operator::Multiply => Ok(Operand::Double(a * b)),
            Operator::Divide => Ok(Operand::Double(a / b)),
            _ => Err(overflow),
        },
        (Operand::Text(a), Operand::Text(b)) if operator == Operator::Add => {
            Ok(Operand::Text(Cow::Owned(format!("{a}{b}"))))
        }
        (Operand::List(a), Operand::List(b)) if operator == Operator::Add => {
            Ok(Operand::List(a.into_iter().chain(b).collect()))
        }
        _ => Err(CelError::Evaluation("operands that do not go together")),
    }
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // what int() and double() mean
fn call<'a>(name: &str, argument: Operand<'a>) -> Evaluated<'a> {
    let wrong = CelError::Evaluation("cannot be converted");
    match (name, argument) {
        ("dyn", value) => Ok(value),
        ("size", value) => value.size().map(Operand::Integer),
        ("type", value) => Ok(Operand::Type(value.type_name())),
        ("int", Operand::Integer(number)) => Ok(Operand::Integer(number)),
        ("int", Operand::Double(number)) => Ok(Operand::Integer(number as i64)),
        ("int", Operand::Text(text)) => text.parse().map(Operand::Integer).map_err(|_| wrong),
        ("double", Operand::Double(number)) => Ok(Operand::Double(number)),
        ("double", Operand::Integer(number)) => Ok(Operand::Double(number as f64)),
        ("double", Operand::Text(text)) => text.parse().map(Operand::Double).map_err(|_| wrong),
        ("string", Operand::Text(text)) => Ok(Operand::Text(text)),
        ("string", Operand::Integer(number)) => Ok(Operand::Text(Cow::Owned(number.to_string()))),
        ("string", Operand::Bool(flag)) => Ok(Operand::Text(Cow::Owned(flag.to_string()))),
        _ => Err(wrong),
    }
}

fn method<'a>(value: &Operand<'a>, name: &str, arguments: &[Operand<'a>]) -> Evaluated<'a> {
    match (name, value) {
        ("size", value) => return value.size().map(Operand::Integer),
        ("hasValue", Operand::Optional(value)) => return Ok(Operand::Bool(value.is_some())),
        _ => {}
    }
    let text = value.text()?;
    let owned = |text: &str| Ok(Operand::Text(Cow::Owned(text.to_owned())));
    match (name, arguments) {
        ("lowerAscii", []) => owned(&text.to_ascii_lowercase()),
        ("upperAscii", []) => owned(&text.to_ascii_uppercase()),
        ("trim", []) => owned(text.trim()),
        ("startsWith", [prefix]) => Ok(Operand::Bool(text.starts_with(prefix.text()?))),
        ("endsWith", [suffix]) => Ok(Operand::Bool(text.ends_with(suffix.text()?))),
        ("contains", [part]) => Ok(Operand::Bool(text.contains(part.text()?))),
        ("split", [separator]) => {
            let parts = text.split(separator.text()?).map(|part| Operand::Text(Cow::Owned(part.to_owned())));
            Ok(Operand::List(parts.collect()))
        }
        ("indexOf", [part]) => {
            let before = text.find(part.text()?).and_then(|at| text.get(..at));
            before.map_or(Ok(Operand::Integer(-1)), |before| {
                Operand::Text(Cow::Borrowed(before)).size().map(Operand::Integer)
            })
        }
        ("substring", [start]) => owned(&slice(text, start.integer()?, None)?),
        ("substring", [start, end]) => owned(&slice(text, start.integer()?, Some(end.integer()?))?),
        _ => Err(CelError::Evaluation("a function that is not known")),
    }
}

/// Characters from `start` up to, not including, `end`.
fn slice(text: &str, start: i64, end: Option<i64>) -> Result<String, CelError> {
    let outside = CelError::Evaluation("a position outside of the string");
    let position = |at: i64| usize::try_from(at).map_err(|_| outside.clone());
    let count = text.chars().count();
    let (start, end) = (position(start)?, end.map_or(Ok(count), position)?);
    if start > end || end > count {
        return Err(outside);
    }
    Ok(text.chars().skip(start).take(end - start).collect())
}

fn type_called(name: &str) -> Option<&'static str> {
    ["bool", "int", "double", "string", "list", "map", "null_type"].into_iter().find(|known| *known == name)
}
