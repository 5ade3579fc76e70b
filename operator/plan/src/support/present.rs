//! Finds what is set in a document and what the registry says about it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::Value;

use super::field::{Field, Level};
use super::{Document, fields};

/// What the registry says about one field that is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Path below `spec`, with indexes.
    pub(super) path: String,
    pub(super) level: Level,
    pub(super) why: &'static str,
}

/// More verdicts than this are not kept: the condition that carries them is cut at 4 KiB, about 40 of them.
pub(super) const MOST_VERDICTS: usize = 64;

/// An object whose switch is off asks for nothing, whatever else it says: (object, member, value that means off).
const SWITCHES: &[(&str, &str, &str)] = &[
    ("containerDefinitions[].restartPolicy", "enabled", "false"),
    ("deploymentConfiguration.deploymentCircuitBreaker", "enable", "false"),
    ("deploymentConfiguration.alarms", "enable", "false"),
    ("deploymentConfiguration.earlySuccessCriteria", "enable", "false"),
    ("serviceConnectConfiguration", "enabled", "false"),
    ("autoScalingGroupProvider.managedScaling", "status", "DISABLED"),
];

/// The fields of `document` by path.
pub(super) fn index(document: Document) -> &'static BTreeMap<&'static str, &'static Field> {
    static INDEXES: OnceLock<BTreeMap<Document, BTreeMap<&'static str, &'static Field>>> = OnceLock::new();
    static EMPTY: BTreeMap<&'static str, &'static Field> = BTreeMap::new();
    INDEXES
        .get_or_init(|| {
            let by_path = |document| fields(document).map(|field| (field.path, field)).collect();
            Document::ALL.into_iter().map(|document| (document, by_path(document))).collect()
        })
        .get(&document)
        .unwrap_or(&EMPTY)
}

/// Everything that is set in `spec` at one of `levels`.
pub(super) fn walk(document: Document, spec: &Value, levels: &[Level]) -> Vec<Verdict> {
    let walk = Walk { index: index(document), levels };
    let mut verdicts = walk.members("", "", spec);
    verdicts.truncate(MOST_VERDICTS);
    verdicts
}

struct Walk<'a> {
    index: &'static BTreeMap<&'static str, &'static Field>,
    levels: &'a [Level],
}

impl Walk<'_> {
    /// Verdicts on the members of an object at `path` (with indexes), which is `pattern` in the registry.
    fn members(&self, path: &str, pattern: &str, object: &Value) -> Vec<Verdict> {
        let Some(members) = object.as_object() else { return Vec::new() };
        members.iter().flat_map(|(name, value)| self.member(&join(path, name), &join(pattern, name), value)).collect()
    }

    fn member(&self, path: &str, pattern: &str, value: &Value) -> Vec<Verdict> {
        // What the registry does not know is no field: the API server has pruned it, or schema validation names it.
        let Some(field) = self.index.get(pattern) else { return Vec::new() };
        match value {
            Value::Null => Vec::new(),
            Value::Array(items) if items.iter().any(Value::is_object) => {
                let inner = items.iter().enumerate().flat_map(|(number, item)| {
                    self.members(&format!("{path}[{number}]"), &format!("{pattern}[]"), item)
                });
                self.collapse(field, path, inner.collect())
            }
            Value::Object(members) if is_off(pattern, value) || members.is_empty() => Vec::new(),
            // A map: its keys are data.
            Value::Object(_) if !self.has_members(pattern) => self.leaf(path, field.level, field.why),
            Value::Object(_) => self.collapse(field, path, self.members(path, pattern, value)),
            Value::Array(items) if items.is_empty() => Vec::new(),
            Value::Array(items) => {
                let mut verdicts: Vec<_> = items
                    .iter()
                    .flat_map(|item| {
                        let (level, why) = field.at(&text(item));
                        self.leaf(path, level, why)
                    })
                    .collect();
                verdicts.dedup();
                verdicts
            }
            Value::String(content) if content.is_empty() => Vec::new(),
            scalar => {
                let (level, why) = field.at(&text(scalar));
                self.leaf(path, level, why)
            }
        }
    }

    fn leaf(&self, path: &str, level: Level, why: &'static str) -> Vec<Verdict> {
        if self.levels.contains(&level) { vec![Verdict { path: path.to_owned(), level, why }] } else { Vec::new() }
    }

    /// One verdict on the parent instead of the same one on each of its members. A parent whose members are all harmless
    /// is harmless too.
    fn collapse(&self, field: &Field, path: &str, inner: Vec<Verdict>) -> Vec<Verdict> {
        let is_same = |verdict: &Verdict| verdict.level == field.level && verdict.why == field.why;
        if !self.levels.contains(&field.level) || !inner.iter().any(is_same) {
            return inner;
        }
        let mut verdicts = self.leaf(path, field.level, field.why);
        verdicts.extend(inner.into_iter().filter(|verdict| !is_same(verdict)));
        verdicts
    }

    fn has_members(&self, pattern: &str) -> bool {
        let prefix = format!("{pattern}.");
        self.index.range(prefix.as_str()..).next().is_some_and(|(path, _)| path.starts_with(&prefix))
    }
}

fn is_off(pattern: &str, object: &Value) -> bool {
    SWITCHES
        .iter()
        .any(|(path, member, off)| *path == pattern && object.get(member).is_some_and(|value| text(value) == *off))
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// A scalar as JSON writes it, without quotes.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}
