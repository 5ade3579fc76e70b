//! What somebody who may create pods in a namespace does not have by that alone.
//!
//! Whoever may write our kinds in a namespace counts as somebody who may create pods in it: its Secrets and its ordinary
//! ServiceAccounts follow from that. Everything listed here does not, and is given by the administrator alone, as an item
//! of an annotation of the Namespace ([`super::policy`]). There are no other annotations that give something.

use crate::core::labels;

/// Where the operator keeps shared docker volumes on a node: one directory per namespace and volume. What it makes there is
/// nobody's to name, because the directories of other namespaces are beside it.
pub const SHARED_VOLUMES: &str = "/var/lib/ecs-operator/volumes";

/// Capabilities that the Pod Security level `baseline` lets a container add: the default set of container runtimes, but for
/// `NET_RAW`.
const BASELINE_CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Types of SELinux that the level `baseline` lets a container have.
const BASELINE_TYPES: [&str; 5] = ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];

/// One thing that the administrator of a namespace gives, or does not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// To act as a cloud role, an ARN or a bare name.
    TaskRole(String),
    /// To have a secret fetched, by its `valueFrom`.
    Secret(String),
    /// To have volumes made of a file system, by its id.
    FileSystem(String),
    /// To have volumes made of a snapshot, by its id.
    Snapshot(String),
    /// To mount an export of an NFS server, however that was spelled.
    Nfs {
        /// Host name or address.
        server: String,
        /// The export, with its leading `/`.
        path: String,
    },
    /// To mount a share of an SMB server, with a Secret of the namespace.
    Smb {
        /// Host name.
        server: String,
        /// The share, and the directory in it.
        share: String,
    },
    /// To mount a path of the node.
    HostPath(String),
    /// To run a privileged container.
    Privileged,
    /// To add a capability beyond the level `baseline`.
    Capability(String),
    /// To use the network of the node.
    HostNetwork,
    /// To see the processes of the node.
    HostPid,
    /// To use the IPC namespace of the node.
    HostIpc,
    /// To run without the profile of seccomp, `AppArmor` or `SELinux` that confines containers.
    Unconfined,
    /// To choose nodes by a label.
    NodeLabel {
        /// The label.
        key: String,
        /// Its value; empty for any.
        value: String,
    },
    /// To name a RuntimeClass.
    RuntimeClass(String),
    /// To name a PriorityClass.
    PriorityClass(String),
    /// To use a capacity provider that does not say which namespaces may, by its ECS name.
    CapacityProvider(String),
    /// To have a load balancer made.
    LoadBalancer,
    /// To have a port opened on every node.
    NodePort,
    /// To say something to other controllers with an annotation of a Service.
    ServiceAnnotation(String),
}

impl Right {
    /// The right to add a capability, unless everybody has it.
    #[must_use]
    pub fn of_capability(name: &str) -> Option<Self> {
        (!BASELINE_CAPABILITIES.contains(&name)).then(|| Self::Capability(name.to_owned()))
    }

    /// The right to run with a type, user or role of `SELinux`, unless everybody has it.
    #[must_use]
    pub fn of_selinux(type_: &str, user: &str, role: &str) -> Option<Self> {
        let is_confined = BASELINE_TYPES.contains(&type_) && user.is_empty() && role.is_empty();
        (!is_confined).then_some(Self::Unconfined)
    }

    /// The right to a path of the node, whatever its spelling: `//srv/./data/` is `/srv/data`.
    #[must_use]
    pub fn of_host_path(path: &str) -> Self {
        Self::HostPath(plain_path(path))
    }

    /// The right to an export. Names of hosts know no case.
    #[must_use]
    pub fn of_nfs(server: &str, path: &str) -> Self {
        Self::Nfs { server: server.to_ascii_lowercase(), path: plain_path(path) }
    }

    /// The right to a share, without slashes around it.
    #[must_use]
    pub fn of_smb(server: &str, share: &str) -> Self {
        let share = plain_path(share).trim_matches('/').to_owned();
        Self::Smb { server: server.to_ascii_lowercase(), share }
    }

    /// The annotation of the Namespace that gives it.
    #[must_use]
    pub const fn list(&self) -> &'static str {
        match self {
            Self::TaskRole(_) => labels::ALLOWED_TASK_ROLES,
            Self::Secret(_) => labels::ALLOWED_SECRETS,
            Self::FileSystem(_) | Self::Snapshot(_) | Self::Nfs { .. } | Self::Smb { .. } => {
                labels::ALLOWED_FILE_SYSTEMS
            }
            Self::HostPath(_)
            | Self::Privileged
            | Self::Capability(_)
            | Self::HostNetwork
            | Self::HostPid
            | Self::HostIpc
            | Self::Unconfined => labels::ALLOWED_HOST_ACCESS,
            Self::NodeLabel { .. } | Self::RuntimeClass(_) | Self::PriorityClass(_) | Self::CapacityProvider(_) => {
                labels::ALLOWED_PLACEMENT
            }
            Self::LoadBalancer | Self::NodePort | Self::ServiceAnnotation(_) => labels::ALLOWED_SERVICES,
        }
    }

    /// What patterns of that annotation are compared with, and what an administrator can write to give exactly this.
    #[must_use]
    pub fn item(&self) -> String {
        match self {
            Self::TaskRole(text) | Self::Secret(text) | Self::FileSystem(text) | Self::Snapshot(text) => text.clone(),
            Self::Nfs { server, path } => format!("nfs/{server}{path}"),
            Self::Smb { server, share } => format!("smb/{server}/{share}"),
            Self::HostPath(path) => format!("host-paths={path}"),
            Self::Privileged => "privileged".to_owned(),
            Self::Capability(name) => format!("capabilities={name}"),
            Self::HostNetwork => "host-network".to_owned(),
            Self::HostPid => "host-pid".to_owned(),
            Self::HostIpc => "host-ipc".to_owned(),
            Self::Unconfined => "unconfined".to_owned(),
            Self::NodeLabel { key, value } if value.is_empty() => format!("node-labels={key}"),
            Self::NodeLabel { key, value } => format!("node-labels={key}={value}"),
            Self::RuntimeClass(name) => format!("runtime-classes={name}"),
            Self::PriorityClass(name) => format!("priority-classes={name}"),
            Self::CapacityProvider(name) => format!("capacity-providers={name}"),
            Self::LoadBalancer => "load-balancer".to_owned(),
            Self::NodePort => "node-port".to_owned(),
            Self::ServiceAnnotation(key) => format!("annotations={key}"),
        }
    }

    /// What it is, for people.
    #[must_use]
    pub fn what(&self) -> String {
        match self {
            Self::TaskRole(role) => format!("role {role}"),
            Self::Secret(value_from) => format!("secret {value_from}"),
            Self::FileSystem(id) => format!("file system {id}"),
            Self::Snapshot(id) => format!("snapshot {id}"),
            Self::Nfs { server, path } => format!("NFS export {server}:{path}"),
            Self::Smb { server, share } => format!("share //{server}/{share}"),
            Self::HostPath(path) => format!("host path {path}"),
            Self::Privileged => "a privileged container".to_owned(),
            Self::Capability(name) => format!("capability {name}"),
            Self::HostNetwork => "the network of the node".to_owned(),
            Self::HostPid => "the process namespace of the node".to_owned(),
            Self::HostIpc => "the IPC namespace of the node".to_owned(),
            Self::Unconfined => "an unconfined security profile".to_owned(),
            Self::NodeLabel { key, value } if value.is_empty() => format!("node label {key}"),
            Self::NodeLabel { key, value } => format!("node label {key}={value}"),
            Self::RuntimeClass(name) => format!("RuntimeClass {name}"),
            Self::PriorityClass(name) => format!("PriorityClass {name}"),
            Self::CapacityProvider(name) => format!("capacity provider {name}"),
            Self::LoadBalancer => "a Service of type LoadBalancer".to_owned(),
            Self::NodePort => "a Service of type NodePort".to_owned(),
            Self::ServiceAnnotation(key) => format!("annotation {key} of a Service"),
        }
    }

    /// Whether nobody can give it: a path below the directory of the operator's own volumes, or one with `..`, which says
    /// something else to the node than to whoever reads it.
    #[must_use]
    pub fn is_nobodys(&self) -> bool {
        let Self::HostPath(path) = self else { return false };
        let is_below = path.strip_prefix(SHARED_VOLUMES).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        is_below || path.split('/').any(|segment| segment == "..")
    }

    /// Whether the item can stand in a command that an administrator copies: it means nothing to a shell, and nothing but
    /// itself in the list.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.item().bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/_+=.@-".contains(&byte))
    }
}

/// A path without empty segments, `.` and a slash at its end. Windows writes `\`.
fn plain_path(path: &str) -> String {
    let path = path.replace('\\', "/");
    let segments: Vec<&str> = path.split('/').filter(|segment| !matches!(*segment, "" | ".")).collect();
    let root = if path.starts_with('/') { "/" } else { "" };
    format!("{root}{}", segments.join("/"))
}

#[cfg(test)]
#[path = "right_tests.rs"]
mod tests;
