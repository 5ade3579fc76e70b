//! The definitions of the kinds as they are installed: the description of each field ends with how the field acts, so that
//! `kubectl explain` says it.

use api::crds::{self, Error};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};

use super::{Document, Field, field};
use crate::core::kind::Kind;

/// Every definition, with the level of each field.
///
/// # Errors
/// As [`crds::all`].
pub fn definitions() -> Result<Vec<CustomResourceDefinition>, Error> {
    let mut definitions = crds::all()?;
    for definition in &mut definitions {
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| kind.group() == definition.spec.group && kind.kind() == definition.spec.names.kind);
        let Some(document) = kind.and_then(Document::of) else { continue };
        for version in &mut definition.spec.versions {
            let schema = version.schema.as_mut().and_then(|validation| validation.open_api_v3_schema.as_mut());
            let spec = schema.and_then(|schema| schema.properties.as_mut()?.get_mut("spec"));
            if let Some(spec) = spec {
                explain(spec, document, "");
            }
        }
    }
    Ok(definitions)
}

fn explain(schema: &mut JSONSchemaProps, document: Document, path: &str) {
    for (name, member) in schema.properties.iter_mut().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if let (Some(field), Some(description)) = (field(document, &path), member.description.as_mut()) {
            description.push(' ');
            description.push_str(&sentence(field));
        }
        explain(member, document, &path);
        if let Some(JSONSchemaPropsOrArray::Schema(items)) = member.items.as_mut() {
            explain(items, document, &format!("{path}[]"));
        }
    }
}

/// How the field acts, as the last sentence of a description.
#[must_use]
pub fn sentence(field: &Field) -> String {
    let level = field.level.as_str();
    if field.cases.is_empty() {
        format!("Support: {level}.")
    } else {
        format!("Support: {level}; some values otherwise.")
    }
}
