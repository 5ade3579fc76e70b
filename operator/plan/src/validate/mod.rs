//! Validation without the API server's help: admission can be bypassed, and `kubectl ecs render` has no server.
//!
//! Three layers, each of which sees only what passed the one before, and before them a bound on the whole ([`size`]):
//!
//! 1. [`schema`]: what the CRD says, structure and CEL rules alike, read from the CRD itself.
//! 2. Rules that CEL cannot say: circles of dependencies, sums of sizes, Fargate's pairs, references that do not parse.
//! 3. [`crate::support::refusals`]: what ECS has and this version must not ignore.

mod capacity;
mod cel;
mod compiled;
mod metadata;
mod ports;
mod scaling;
mod schema;
mod service;
mod size;
mod task_definition;

use api::capacity_provider::ECSCapacityProvider;
use api::cluster::ECSCluster;
use api::conditions::Reason;
use api::scalable_target::ECSScalableTarget;
use api::service::ECSService;
use api::task_definition::ECSTaskDefinition;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use capacity::{capacity_provider, cluster};
pub use scaling::scalable_target;
pub use schema::{schema, unknown_fields};
pub use service::service;
pub use task_definition::task_definition;

use crate::core::kind::Kind;
use crate::core::report::Refusal;
use crate::core::store::Stored;
use crate::core::text::line;
use crate::support::{self, Document};

/// Everything that is wrong with an object as the operator remembers it; `object` is its [`Stored::value`].
#[must_use]
pub fn stored(stored: &Stored, object: &Value) -> Vec<Refusal> {
    match stored.too_long {
        Some(bytes) => vec![size::too_long(stored.key.kind, bytes)],
        None => self::object(stored.key.kind, object),
    }
}

/// Everything that is wrong with `object`, which says it is of `kind`. Empty for kinds that are not ours.
///
/// What is refused is not acted on; what runs already stays as it is.
#[must_use]
pub fn object(kind: Kind, object: &Value) -> Vec<Refusal> {
    if !kind.is_ours() {
        return Vec::new();
    }
    let too_much = size::check(kind, object);
    if !too_much.is_empty() {
        return too_much;
    }
    let mut refusals = metadata::check(kind, object);
    refusals.extend(schema(kind, object));
    let more = match Document::of(kind) {
        Some(document @ Document::TaskDefinition) => {
            decoded(kind, object, document, |object: &ECSTaskDefinition| task_definition(&object.spec))
        }
        Some(document @ Document::Service) => {
            decoded(kind, object, document, |object: &ECSService| service(&object.spec))
        }
        Some(document @ Document::Cluster) => {
            decoded(kind, object, document, |object: &ECSCluster| cluster(&object.spec))
        }
        Some(document @ Document::CapacityProvider) => {
            decoded(kind, object, document, |object: &ECSCapacityProvider| capacity_provider(&object.spec))
        }
        Some(document @ Document::ScalableTarget) => {
            decoded(kind, object, document, |object: &ECSScalableTarget| scalable_target(&object.spec))
        }
        // Written by the operator only.
        None => Vec::new(),
    };
    // One refusal a field and exception is enough: the layers overlap on purpose.
    for refusal in more {
        let is_said = |said: &Refusal| said.path == refusal.path && said.exception == refusal.exception;
        if !refusals.iter().any(is_said) {
            refusals.push(refusal);
        }
    }
    refusals
}

/// The second and third layer. An object that cannot be read was refused by the schema; if not, the reader's own words
/// are the refusal.
fn decoded<T: DeserializeOwned>(
    kind: Kind,
    object: &Value,
    document: Document,
    rules: impl Fn(&T) -> Vec<Refusal>,
) -> Vec<Refusal> {
    match serde_path_to_error::deserialize::<_, T>(object) {
        Ok(typed) => {
            let mut refusals = rules(&typed);
            refusals.extend(object.get("spec").map(|spec| support::refusals(document, spec)).unwrap_or_default());
            refusals
        }
        Err(_) if !schema(kind, object).is_empty() => Vec::new(),
        Err(error) => vec![refusal(kind, &error.path().to_string(), error.into_inner().to_string())],
    }
}

/// The exception with which ECS answers parameters that are malformed.
const fn exception(kind: Kind) -> Reason {
    match Document::of(kind) {
        Some(Document::TaskDefinition) => Reason::ClientException,
        // Application Auto Scaling is an API of its own.
        Some(Document::ScalableTarget) => Reason::ValidationException,
        None if matches!(kind, Kind::TaskDefinitionRevision) => Reason::ClientException,
        Some(Document::Service | Document::Cluster | Document::CapacityProvider) | None => {
            Reason::InvalidParameterException
        }
    }
}

fn refusal(kind: Kind, path: &str, message: impl Into<String>) -> Refusal {
    Refusal { path: line(path), exception: exception(kind), message: line(&message.into()) }
}

/// What the ECS rules say, as refusals of fields below `spec`.
fn from_violations(kind: Kind, violations: impl IntoIterator<Item = ecs::Violation>) -> Vec<Refusal> {
    let refuse = |violation: ecs::Violation| refusal(kind, &format!("spec.{}", violation.path), violation.message);
    violations.into_iter().map(refuse).collect()
}
