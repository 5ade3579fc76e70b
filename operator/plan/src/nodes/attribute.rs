//! Attributes of container instances as labels of nodes.
//!
//! | attribute | label | value |
//! |---|---|---|
//! | `ecs.availability-zone` | `topology.kubernetes.io/zone` | the same |
//! | `ecs.instance-type` | `node.kubernetes.io/instance-type` | the same |
//! | `ecs.os-type` | `kubernetes.io/os` | the same |
//! | `ecs.os-family` | `kubernetes.io/os` for `LINUX`, `node.kubernetes.io/windows-build` for Windows releases | `linux`, `10.0.20348` … |
//! | `ecs.cpu-architecture` | `kubernetes.io/arch` | `x86_64` is `amd64` |
//! | any other | `attributes.ecs-operator.dev/` and the name | the same |
//!
//! A name or value that is no legal label becomes the one [`ecs::name::label_value`] makes of it.

use api::task_definition::OsFamily;
use serde_json::Value;

use crate::pod::windows_build;

/// Nodes of a zone.
pub(crate) const ZONE: &str = "topology.kubernetes.io/zone";
/// A single node.
pub(crate) use crate::core::labels::HOSTNAME;
const OS: &str = "kubernetes.io/os";
const ARCHITECTURE: &str = "kubernetes.io/arch";
const WINDOWS_BUILD: &str = "node.kubernetes.io/windows-build";
const INSTANCE_TYPE: &str = "node.kubernetes.io/instance-type";
/// Custom attributes of container instances are node labels below this prefix.
const PREFIX: &str = "attributes.ecs-operator.dev/";

/// The label that has an attribute's value, or says that there is one.
pub(crate) fn label(attribute: &str) -> String {
    match attribute {
        "ecs.availability-zone" => ZONE.to_owned(),
        "ecs.instance-type" => INSTANCE_TYPE.to_owned(),
        "ecs.os-type" | "ecs.os-family" => OS.to_owned(),
        "ecs.cpu-architecture" => ARCHITECTURE.to_owned(),
        custom => format!("{PREFIX}{}", ecs::name::label_value(custom)),
    }
}

/// The label and the value that stand for an attribute with a value.
pub(crate) fn label_and_value(attribute: &str, value: &str) -> (String, String) {
    let same = || (label(attribute), ecs::name::label_value(value));
    match attribute {
        "ecs.cpu-architecture" if value.eq_ignore_ascii_case("x86_64") => (label(attribute), "amd64".to_owned()),
        "ecs.os-type" | "ecs.cpu-architecture" => {
            (label(attribute), ecs::name::label_value(&value.to_ascii_lowercase()))
        }
        "ecs.os-family" => match serde_json::from_value::<OsFamily>(Value::from(value)) {
            Ok(family) => windows_build(family).map_or_else(
                || (OS.to_owned(), "linux".to_owned()),
                |build| (WINDOWS_BUILD.to_owned(), build.to_owned()),
            ),
            Err(_) => same(),
        },
        _ => same(),
    }
}

/// The value of an attribute that a label's value stands for: what a regular expression looks at.
pub(crate) fn value_of_label<'a>(attribute: &str, label_value: &'a str) -> &'a str {
    match (attribute, label_value) {
        ("ecs.cpu-architecture", "amd64") => "x86_64",
        ("ecs.os-family", "linux") => "LINUX",
        _ => label_value,
    }
}
