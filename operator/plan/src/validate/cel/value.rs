//! Values while a rule is evaluated.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::CelError;

/// A value of a rule. Objects and lists of the document stay where they are.
#[derive(Clone, Debug)]
pub(super) enum Operand<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Double(f64),
    Text(Cow<'a, str>),
    List(Vec<Operand<'a>>),
    Object(&'a serde_json::Map<String, Value>),
    /// Name of a type, as `type(x)` and `int` give it.
    Type(&'static str),
    /// What `.?` gives: a value or nothing.
    Optional(Option<Box<Operand<'a>>>),
}

impl<'a> From<&'a Value> for Operand<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Number(number) => {
                number.as_i64().map_or_else(|| Self::Double(number.as_f64().unwrap_or_default()), Self::Integer)
            }
            Value::String(text) => Self::Text(Cow::Borrowed(text)),
            Value::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Value::Object(members) => Self::Object(members),
        }
    }
}

impl<'a> Operand<'a> {
    pub(super) fn truth(&self) -> Result<bool, CelError> {
        match self {
            Self::Bool(flag) => Ok(*flag),
            _ => Err(CelError::Evaluation("a condition is neither true nor false")),
        }
    }

    pub(super) fn text(&self) -> Result<&str, CelError> {
        match self {
            Self::Text(text) => Ok(text),
            _ => Err(CelError::Evaluation("not a string")),
        }
    }

    pub(super) fn integer(&self) -> Result<i64, CelError> {
        match self {
            Self::Integer(number) => Ok(*number),
            _ => Err(CelError::Evaluation("not an integer")),
        }
    }

    /// The member of an object; a null one is absent.
    pub(super) fn member(&self, name: &str) -> Option<Operand<'a>> {
        match self {
            Self::Object(members) => members.get(name).filter(|value| !value.is_null()).map(Operand::from),
            _ => None,
        }
    }

    /// What a macro runs over: items of a list, keys of a map.
    pub(super) fn items(self) -> Result<Vec<Operand<'a>>, CelError> {
        match self {
            Self::List(items) => Ok(items),
            Self::Object(members) => {
                let keys = members.iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| key);
                Ok(keys.map(|key| Self::Text(Cow::Borrowed(key.as_str()))).collect())
            }
            _ => Err(CelError::Evaluation("neither a list nor a map")),
        }
    }

    /// Strings are counted in characters.
    pub(super) fn size(&self) -> Result<i64, CelError> {
        let size = match self {
            Self::Text(text) => text.chars().count(),
            Self::List(items) => items.len(),
            Self::Object(members) => members.values().filter(|value| !value.is_null()).count(),
            _ => return Err(CelError::Evaluation("has no size")),
        };
        i64::try_from(size).map_err(|_| CelError::Evaluation("too large"))
    }

    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Integer(_) => "int",
            Self::Double(_) => "double",
            Self::Text(_) => "string",
            Self::List(_) => "list",
            Self::Object(_) => "map",
            Self::Type(_) => "type",
            Self::Optional(_) => "optional_type",
        }
    }

    /// Numbers are equal whatever their type, values of other different types never are.
    pub(super) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Type(a), Self::Type(b)) => a == b,
            (Self::List(a), Self::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.equals(b)),
            (Self::Object(a), Self::Object(b)) => a == b,
            _ => self.order(other).is_ok_and(Ordering::is_eq),
        }
    }

    #[allow(clippy::cast_precision_loss)] // bounds of the schema keep numbers far below 2^53
    pub(super) fn order(&self, other: &Self) -> Result<Ordering, CelError> {
        let order = match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => Some(a.cmp(b)),
            (Self::Double(a), Self::Double(b)) => a.partial_cmp(b),
            (Self::Integer(a), Self::Double(b)) => (*a as f64).partial_cmp(b),
            (Self::Double(a), Self::Integer(b)) => a.partial_cmp(&(*b as f64)),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            _ => None,
        };
        order.ok_or(CelError::Evaluation("values of these types have no order"))
    }
}
