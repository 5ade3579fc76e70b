//! Labels and annotations the operator writes, all under its own domain, besides `app.kubernetes.io/*`.

/// Selects everything the operator made; watches of foreign kinds ask the server for nothing else.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY`].
pub const OPERATOR: &str = "ecs-operator";
/// The ECS service's name, for people and dashboards.
pub const APP_NAME: &str = "app.kubernetes.io/name";

/// Object name of the ECSService, as a label value.
pub const SERVICE: &str = "ecs-operator.dev/service";
/// ECS name of the cluster, as a label value.
pub const CLUSTER: &str = "ecs-operator.dev/cluster";
/// The 19 digits of the `ecs-svc/…` id a task was started by.
pub const DEPLOYMENT: &str = "ecs-operator.dev/deployment-id";
/// ECS name of the capacity provider a task runs on, or `none`.
pub const CAPACITY_PROVIDER: &str = "ecs-operator.dev/capacity-provider";
/// Task definition family.
pub const FAMILY: &str = "ecs-operator.dev/family";
/// Task definition revision number.
pub const REVISION: &str = "ecs-operator.dev/revision";
/// The ECS task group, `service:<name>`, hashed into a label value.
pub const GROUP: &str = "ecs-operator.dev/group";

/// `true` on tasks of a deployment that began while `enableExecuteCommand` was true: the chart's admission policy lets
/// commands be run in them.
pub const EXECUTE_COMMAND: &str = "ecs-operator.dev/execute-command";

/// `none` on tasks with that network mode: a NetworkPolicy denies them all traffic.
pub const NETWORK: &str = "ecs-operator.dev/network";

/// On a node: which capacity provider (object name) its administrator gave it to.
pub const NODE_CAPACITY_PROVIDER: &str = "ecs-operator.dev/capacity-provider";

/// On a node, set by the kubelet: the name by which the scheduler knows it.
pub const HOSTNAME: &str = "kubernetes.io/hostname";

/// On a node: `DRAINING` when its administrator wants no service tasks on it, as UpdateContainerInstancesState says it.
pub const CONTAINER_INSTANCE_STATUS: &str = "ecs-operator.dev/container-instance-status";
/// The value of [`CONTAINER_INSTANCE_STATUS`] on a node that takes no new tasks.
pub const DRAINING: &str = "DRAINING";

/// On a node: [`STOPPED`] while it is drained and no task but those of DAEMON services is left. Written by the operator.
pub const DAEMON_TASKS: &str = "ecs-operator.dev/daemon-tasks";
/// The value of [`DAEMON_TASKS`]: daemons are not for this node.
pub const STOPPED: &str = "STOPPED";
/// On tasks of a DAEMON service, so that they are told from others.
pub const SCHEDULING_STRATEGY: &str = "ecs-operator.dev/scheduling-strategy";
/// The value of [`SCHEDULING_STRATEGY`].
pub const DAEMON: &str = "DAEMON";

/// Hash of the body a child was last applied with: another hash means that something else is wanted now.
pub const APPLIED: &str = "ecs-operator.dev/applied";
/// Label that tells the pods of one ReplicaSet of a Deployment from the others; the name of the ReplicaSet ends with its value.
pub const TEMPLATE_HASH: &str = "pod-template-hash";
/// On a pod: a ReplicaSet deletes ready pods of low cost first.
pub const POD_DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
/// Its value on a task that is to go.
pub const MARKED: &str = "-1000";
/// … and on one that was to go and stays after all: as if it had none.
pub const UNMARKED: &str = "0";
/// On a Deployment: the desired count of the service when its `replicas` were written.
pub const DESIRED_COUNT: &str = "ecs-operator.dev/desired-count";
/// On a pod template: the task's containers in ECS's terms (name, essential), for reading pods without the template.
pub const CONTAINERS: &str = "ecs-operator.dev/containers";
/// On a pod: the tags of the task as a JSON object.
pub const TAGS: &str = "ecs-operator.dev/tags";
/// On a pod: the time until which its task is protected from scale-in, such as `2026-03-01T12:00:00Z`. RFC 3339, set by
/// the task or a person. ECS's limit of 2880 minutes is not enforced: a task could renew its protection forever anyway,
/// and a wrongly stopped task cannot be restored.
pub const PROTECTED_UNTIL: &str = "ecs-operator.dev/protected-until";
/// Scheduling gate of pods whose constraints compare values that nodes have. The operator opens it when it has said which
/// nodes these are now.
pub const PLACEMENT_GATE: &str = "ecs-operator.dev/placement";
/// On a pod whose gate was opened: a hash of the nodes that it may be on, to see whether that is still what its constraints say.
pub const PLACED_BY: &str = "ecs-operator.dev/placed-by";
/// On a pod template: where the values of `secrets` come from, see [`crate::pod::SecretSource`].
pub const SECRET_SOURCE: &str = "ecs-operator.dev/secret-source";
/// On an ECSTaskDefinitionRevision: set to `true` by a user to deregister it.
pub const DEREGISTER: &str = "ecs-operator.dev/deregister";

/// Prefix of every label and annotation of the operator's own.
pub const DOMAIN: &str = "ecs-operator.dev/";
/// On a Namespace: roles that tasks in it may act as, patterns separated by commas.
pub const ALLOWED_TASK_ROLES: &str = "ecs-operator.dev/allowed-task-roles";
/// On a Namespace: what `valueFrom` the operator may have fetched for tasks in it.
pub const ALLOWED_SECRETS: &str = "ecs-operator.dev/allowed-secrets";
/// On a Namespace: `SecretStore/name` or `ClusterSecretStore/name` that reads Secrets Manager.
pub const SECRET_STORE: &str = "ecs-operator.dev/secret-store";
/// On a Namespace: `SecretStore/name` or `ClusterSecretStore/name` that reads the parameters of Systems Manager.
pub const PARAMETER_STORE: &str = "ecs-operator.dev/parameter-store";
/// On a Namespace: how long External Secrets keep what they fetched, such as `1h`; without it, as long as the deployment.
pub const SECRET_REFRESH_INTERVAL: &str = "ecs-operator.dev/secret-refresh-interval";
/// On a Namespace: the provider of the Secrets Store CSI driver that reads secrets and parameters; `aws`.
pub const SECRETS_STORE_CSI: &str = "ecs-operator.dev/secrets-store-csi";
/// On a Namespace: ids of the file systems that tasks in it may mount, `nfs/SERVER/PATH` and `smb/SERVER/SHARE`.
pub const ALLOWED_FILE_SYSTEMS: &str = "ecs-operator.dev/allowed-file-systems";
/// On a Namespace: what tasks in it may have of their nodes, such as `host-paths=/srv/*` and `host-network`.
pub const ALLOWED_HOST_ACCESS: &str = "ecs-operator.dev/allowed-host-access";
/// On a Namespace: what may decide where tasks in it run, such as `capacity-providers=edge` and `priority-classes=high`.
pub const ALLOWED_PLACEMENT: &str = "ecs-operator.dev/allowed-placement";
/// On a Namespace: what its Services may be besides reachable in the cluster, such as `load-balancer`.
pub const ALLOWED_SERVICES: &str = "ecs-operator.dev/allowed-services";
/// On a Namespace, set by its administrator: the Pod Security level that the API server enforces in it.
pub const POD_SECURITY: &str = "pod-security.kubernetes.io/enforce";
/// The strictest value of [`POD_SECURITY`].
pub const RESTRICTED: &str = "restricted";
/// Prefix of annotations on a Namespace that say what stands for a file system; its id stands behind it.
pub const FILE_SYSTEM: &str = "ecs-operator.dev/file-system.";
/// On a Namespace: the StorageClass of volumes that services configure at launch.
pub const EBS_STORAGE_CLASS: &str = "ecs-operator.dev/ebs-storage-class";
/// On what fetches secrets: the `valueFrom` of each, as a JSON list, by which the administrator's list is asked again.
pub const VALUE_FROM: &str = "ecs-operator.dev/value-from";
/// On the ServiceAccount of a role: the role as the task definition gives it.
pub const TASK_ROLE: &str = "ecs-operator.dev/task-role";
/// On a StorageClass that was made for managed volumes: the namespace that it was made for.
pub const NAMESPACE: &str = "ecs-operator.dev/namespace";
/// On a child that no service owns, because files would go with it.
pub const KEPT: &str = "ecs-operator.dev/kept";

/// Keeps a cluster or capacity provider while something uses it.
pub const FINALIZER: &str = "ecs-operator.dev/in-use";
