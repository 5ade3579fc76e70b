//! The tables of bad and good input that the crates of types and planner are tested with, and the API server's own words.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use e2e::scenario::Scenario;
use e2e::scenario::kinds::Known;
use e2e::xtask::root;
use kube::core::DynamicObject;
use kube::{Resource as _, client::Body};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// An object that is refused.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Bad {
    pub(crate) name: String,
    /// The field that the refusal names.
    pub(crate) path: String,
    /// What ECS throws.
    pub(crate) exception: String,
    /// Whether the API server refuses it too, or the planner only.
    pub(crate) server: bool,
    pub(crate) document: Value,
}

/// An object that is accepted.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Good {
    pub(crate) name: String,
    pub(crate) document: Value,
}

/// An object that the API server refuses at a path with a text.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) says: String,
    pub(crate) document: Value,
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

fn yaml<T: DeserializeOwned>(file: &Path) -> Result<T> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_saphyr::from_str(&text).with_context(|| format!("cannot understand {}", file.display()))
}

fn planner_folder() -> PathBuf {
    root().join("operator/plan/tests/bad_input")
}

/// Every bad object of the planner's tables.
pub(crate) fn bad() -> Result<Vec<Bad>> {
    let mut cases = Vec::new();
    for file in sorted(&planner_folder())?.iter().filter(|file| !file.ends_with("good.yaml")) {
        cases.extend(yaml::<Vec<Bad>>(file)?);
    }
    Ok(cases)
}

/// Every good object of the planner's table and of the tables of the types.
pub(crate) fn good() -> Result<Vec<Good>> {
    let mut cases: Vec<Good> = yaml(&planner_folder().join("good.yaml"))?;
    for (table, case) in tables("taken")? {
        cases.push(Good { name: name(&case), document: document(&table, &case) });
    }
    Ok(cases)
}

/// Every object that the tables of the types say the API server refuses.
pub(crate) fn refused() -> Result<Vec<Refused>> {
    let text = |case: &Value, member: &str| case[member].as_str().unwrap_or_default().to_owned();
    let cases = tables("refused")?.into_iter().map(|(table, case)| Refused {
        name: name(&case),
        path: text(&case, "path"),
        says: text(&case, "says"),
        document: document(&table, &case),
    });
    Ok(cases.collect())
}

/// The cases under a heading, each with its table.
fn tables(heading: &str) -> Result<Vec<(Value, Value)>> {
    let mut cases = Vec::new();
    for file in sorted(&root().join("operator/api/tests/cases"))? {
        let text = std::fs::read_to_string(&file)?;
        let table: Value = serde_json::from_str(&text).with_context(|| format!("cannot read {}", file.display()))?;
        let list = table[heading].as_array().cloned().unwrap_or_default();
        cases.extend(list.into_iter().map(|case| (table.clone(), case)));
    }
    Ok(cases)
}

fn name(case: &Value) -> String {
    case["name"].as_str().unwrap_or_default().to_owned()
}

/// The table's base with `spec` merged in, `container` merged into the first container and `containers` appended.
fn document(table: &Value, case: &Value) -> Value {
    let merge = |target: &mut Value, members: &Value| {
        if let (Some(target), Some(members)) = (target.as_object_mut(), members.as_object()) {
            target.extend(members.clone());
        }
    };
    let mut spec = table["base"].clone();
    merge(&mut spec, &case["spec"]);
    if let Some(containers) = spec.get_mut("containerDefinitions").and_then(Value::as_array_mut)
        && let Some(first) = containers.first_mut()
    {
        merge(first, &case["container"]);
        containers.extend(case["containers"].as_array().cloned().unwrap_or_default());
    }
    let kind = table.get("kind").cloned().unwrap_or_else(|| "ECSTaskDefinition".into());
    json!({ "apiVersion": "ecs-operator.dev/v1alpha1", "kind": kind, "metadata": { "name": "case" }, "spec": spec })
}

/// What the API server answers to a create.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) is_success: bool,
    /// The `Warning` headers, which kubectl shows.
    pub(crate) warnings: Vec<String>,
    /// The object, or a Status.
    pub(crate) body: Value,
}

impl Answer {
    /// What the server says about each field: path and message.
    pub(crate) fn causes(&self) -> Vec<(&str, &str)> {
        let causes = self.body.pointer("/details/causes").and_then(Value::as_array).into_iter().flatten();
        causes.filter_map(|cause| Some((cause.get("field")?.as_str()?, cause.get("message")?.as_str()?))).collect()
    }
}

/// Whether an object is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storing {
    /// `--dry-run=server --validate=strict`: everything but the storing, and unknown fields are refused.
    Strict,
    /// `--dry-run=server --validate=warn`: everything but the storing.
    DryRun,
    /// It is.
    Kept,
}

/// Creates an object in the scenario's namespace and tells what the server said, headers included.
pub(crate) async fn create(scenario: &Scenario, document: &Value, storing: Storing) -> Result<Answer> {
    let known = Known::find(document["kind"].as_str().unwrap_or_default())?;
    let namespace = known.is_namespaced().then(|| scenario.namespace());
    let path = DynamicObject::url_path(&known.resource(), namespace);
    let query = match storing {
        Storing::Strict => "dryRun=All&fieldValidation=Strict",
        Storing::DryRun => "dryRun=All&fieldValidation=Warn",
        Storing::Kept => "fieldValidation=Warn",
    };
    let request = http::Request::post(format!("{path}?fieldManager=scenario&{query}"))
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(Body::from(serde_json::to_vec(document)?))?;
    let (head, body) = scenario.client().send(request).await?.into_parts();
    let warnings = head.headers.get_all(http::header::WARNING).iter();
    let warnings = warnings.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
    let body = serde_json::from_slice(&body.collect_bytes().await?)?;
    Ok(Answer { is_success: head.status.is_success(), warnings, body })
}
