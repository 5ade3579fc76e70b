//! What a task needs the administrator of its namespace for, asked where the field that wants it is translated.

use api::conditions::Reason;

use super::notes::Notes;
use super::{TaskInput, restricted};
use crate::core::right::Right;

/// Whether the namespace has a right; refuses the field at `path` when it has not.
pub(super) fn has(input: &TaskInput<'_>, right: &Right, path: &str, notes: &mut Notes) -> bool {
    if let Some(message) = input.policy.refusal(input.namespace, right) {
        notes.refuse_because(Reason::AccessDeniedException, path, message);
        return false;
    }
    let is_beyond_restricted = match right {
        Right::HostPath(_)
        | Right::Nfs { .. }
        | Right::Privileged
        | Right::Capability(_)
        | Right::HostNetwork
        | Right::HostPid
        | Right::HostIpc
        | Right::Unconfined => true,
        Right::TaskRole(_)
        | Right::Secret(_)
        | Right::FileSystem(_)
        | Right::Snapshot(_)
        | Right::Smb { .. }
        | Right::NodeLabel { .. }
        | Right::RuntimeClass(_)
        | Right::PriorityClass(_)
        | Right::CapacityProvider(_)
        | Right::LoadBalancer
        | Right::NodePort
        | Right::ServiceAnnotation(_) => false,
    };
    if is_beyond_restricted {
        restricted::keeps_from(input, path, notes);
    }
    true
}
