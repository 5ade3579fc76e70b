//! How many StorageClasses the managed volumes of a namespace may have.
//!
//! A class has no namespace, so no quota of the namespace counts it, and each set of parameters and tags is another one.

use serde_json::Value;

use super::{Asked, Found, text};
use crate::core::kind::{Kind, ObjectKey};
use crate::core::world::{Term, World};

/// Most classes of a namespace. Those that nothing uses are removed, so this is how many kinds of disks its services run
/// with at a time.
const MOST: usize = 8;

/// Refuses classes that are not there yet where the namespace has as many as it may.
pub(super) fn of(world: &dyn World, namespace: &str, cluster_scoped: &[Value]) -> Vec<Found> {
    let key = |object: &Value| ObjectKey::cluster_scoped(Kind::StorageClass, text(object, "/metadata/name"));
    let is_new =
        |object: &&Value| text(object, "/kind") == Kind::StorageClass.kind() && world.get(&key(object)).is_none();
    let new = cluster_scoped.iter().filter(is_new).count();
    let there = world.find(Kind::StorageClass, None, &Term::Namespace(namespace.to_owned())).len();
    if new == 0 || there + new <= MOST {
        return Vec::new();
    }
    let message = format!(
        "the services of namespace {namespace} have {there} different kinds of managed volumes, by type, size of the \
         performance, key and tags, and may have {MOST}: use the parameters and tags of another service, or a StorageClass \
         that an administrator names"
    );
    vec![("volumeConfigurations".to_owned(), Asked::Refused(message))]
}
