//! Containers of a task definition: process, environment, ports, order, health, logs.

use super::field::{Field, approximated, fine, honoured, no_effect, nothing, refused, roughly, with_note};

const REGISTRY: &str = "becomes an imagePullSecret: External Secrets creates the Secret if the namespace's \
    administrator allows it; otherwise you create it under the name derived from the parameter";
const RESTART: &str =
    "the kubelet restarts the container in place, with its own back-off instead of restartAttemptPeriod";
const IGNORED: &str = "a non-essential container stays stopped after these exit codes (from Kubernetes 1.35 on; \
    reported before); an essential one stops the task";
const ESSENTIAL: &str = "the exit of an essential container replaces the task (see kubernetes.essentialContainerExit); \
    a non-essential one stays stopped (from Kubernetes 1.35 on; restarted before), and the effect on the pod is \
    reported";
const ENVIRONMENT_FILES: &str = "read from a ConfigMap with a name derived from the file's ARN and one key per \
    variable; `kubectl ecs env-file` creates it";
const SECRETS: &str = "External Secrets or the Secrets Store CSI driver fetches the value if the namespace's \
    administrator allows it; otherwise it is read from a Secret with a name and key derived from valueFrom";
const EVERY_CONTAINER: &str = "applies to all containers of the task, which is reported if there are several";
const LOGS: &str = "standard output and error go to the log files of the node; an annotation of the pod carries the configuration for \
        the node's log agent";
const AWSLOGS: &str = "standard output and error go to the log files of the node; an annotation of the pod carries log \
    group, region and stream prefix for the node's log agent";
const ROUTED: &str = "the router receives what is sent to FLUENT_HOST and FLUENT_PORT; standard output and error go to \
    the log files of the node, and an annotation of the pod asks the node's log agent to forward them";
const DOCKER_ONLY: &str = "a log driver of Docker, which Kubernetes nodes do not have: standard output and error go to \
    the log files of the node";
const ROUTER: &str = "the router is configured and starts first, but standard output and error of the other containers \
    reach it only through a log agent on the node";
const HEALTH: &str = "becomes a readiness probe: it decides whether the task receives traffic and whether a \
    deployment proceeds, and a service replaces unhealthy tasks; the first result may come up to one interval later, and \
    a task that was healthy is replaced after it failed for another `retries` checks, because a restarted kubelet also \
    shows tasks as unready";

/// In the order of the model.
pub(super) const FIELDS: &[Field] = &[
    honoured("containerDefinitions"),
    honoured("containerDefinitions[].name"),
    honoured("containerDefinitions[].image"),
    honoured("containerDefinitions[].repositoryCredentials"),
    with_note("containerDefinitions[].repositoryCredentials.credentialsParameter", REGISTRY),
    honoured("containerDefinitions[].cpu"),
    honoured("containerDefinitions[].memory"),
    honoured("containerDefinitions[].memoryReservation"),
    approximated(
        "containerDefinitions[].links",
        "containers of a task share one network namespace, so every link resolves to the task itself",
    ),
    honoured("containerDefinitions[].portMappings"),
    honoured("containerDefinitions[].portMappings[].containerPort"),
    with_note(
        "containerDefinitions[].portMappings[].hostPort",
        "with network mode bridge, 0 reserves no port of the node, which is reported; so is a port that ECS instances \
            reserve",
    ),
    honoured("containerDefinitions[].portMappings[].protocol"),
    honoured("containerDefinitions[].portMappings[].name"),
    with_note("containerDefinitions[].portMappings[].appProtocol", "the appProtocol of the Kubernetes Service"),
    with_note(
        "containerDefinitions[].portMappings[].containerPortRange",
        "its ports are listed individually, up to 100, and reserve no ports of the node; both differences are reported",
    ),
    with_note("containerDefinitions[].essential", ESSENTIAL),
    with_note("containerDefinitions[].restartPolicy", RESTART),
    with_note("containerDefinitions[].restartPolicy.enabled", RESTART),
    with_note("containerDefinitions[].restartPolicy.ignoredExitCodes", IGNORED),
    no_effect(
        "containerDefinitions[].restartPolicy.restartAttemptPeriod",
        "the kubelet uses its own back-off between restarts: 10 seconds, doubling up to 5 minutes",
    ),
    honoured("containerDefinitions[].entryPoint"),
    honoured("containerDefinitions[].command"),
    honoured("containerDefinitions[].environment"),
    honoured("containerDefinitions[].environment[].name"),
    honoured("containerDefinitions[].environment[].value"),
    honoured("containerDefinitions[].environmentFiles"),
    with_note("containerDefinitions[].environmentFiles[].value", ENVIRONMENT_FILES),
    honoured("containerDefinitions[].environmentFiles[].type"),
    honoured("containerDefinitions[].mountPoints"),
    honoured("containerDefinitions[].mountPoints[].sourceVolume"),
    honoured("containerDefinitions[].mountPoints[].containerPath"),
    honoured("containerDefinitions[].mountPoints[].readOnly"),
    honoured("containerDefinitions[].volumesFrom"),
    honoured("containerDefinitions[].volumesFrom[].sourceContainer"),
    honoured("containerDefinitions[].volumesFrom[].readOnly"),
    honoured("containerDefinitions[].secrets"),
    honoured("containerDefinitions[].secrets[].name"),
    with_note("containerDefinitions[].secrets[].valueFrom", SECRETS),
    honoured("containerDefinitions[].dependsOn"),
    honoured("containerDefinitions[].dependsOn[].containerName"),
    with_note(
        "containerDefinitions[].dependsOn[].condition",
        "a failed SUCCESS stops the task; with COMPLETE, the container is retried after a non-zero exit code, which is \
            reported",
    ),
    with_note(
        "containerDefinitions[].startTimeout",
        "the operator stops the task after this time, counted from the earliest known start of the container",
    ),
    with_note(
        "containerDefinitions[].stopTimeout",
        "the grace period of the pod is the largest sum along a chain of dependencies; a container that could take \
            longer than its own stopTimeout is reported",
    ),
    with_note(
        "containerDefinitions[].versionConsistency",
        "if image resolution is off or excludes the registry, tasks pull the tag at every start, which is reported; a \
            tag that cannot be resolved is reported in the condition ImagesResolved",
    ),
    with_note("containerDefinitions[].hostname", EVERY_CONTAINER),
    honoured("containerDefinitions[].workingDirectory"),
    refused(
        "containerDefinitions[].disableNetworking",
        "the containers of a pod share one network, which cannot be disabled for one of them",
    )
    .cases(&[fine("false")]),
    approximated(
        "containerDefinitions[].dnsServers",
        "applies to all containers of the task, and cluster DNS names no longer resolve",
    ),
    with_note("containerDefinitions[].dnsSearchDomains", EVERY_CONTAINER),
    with_note("containerDefinitions[].extraHosts", EVERY_CONTAINER),
    with_note("containerDefinitions[].extraHosts[].hostname", EVERY_CONTAINER),
    with_note("containerDefinitions[].extraHosts[].ipAddress", EVERY_CONTAINER),
    honoured("containerDefinitions[].interactive"),
    honoured("containerDefinitions[].pseudoTerminal"),
    approximated(
        "containerDefinitions[].dockerLabels",
        "containers of a pod have no labels: they become annotations of the pod",
    ),
    no_effect("containerDefinitions[].logConfiguration", LOGS),
    no_effect("containerDefinitions[].logConfiguration.logDriver", LOGS).cases(&[
        fine("json-file"),
        nothing("awslogs", AWSLOGS),
        roughly("awsfirelens", ROUTED),
        nothing("syslog", DOCKER_ONLY),
        nothing("journald", DOCKER_ONLY),
        nothing("gelf", DOCKER_ONLY),
        nothing("fluentd", DOCKER_ONLY),
    ]),
    no_effect("containerDefinitions[].logConfiguration.options", LOGS),
    no_effect("containerDefinitions[].logConfiguration.secretOptions", LOGS),
    no_effect("containerDefinitions[].logConfiguration.secretOptions[].name", LOGS),
    no_effect("containerDefinitions[].logConfiguration.secretOptions[].valueFrom", LOGS),
    approximated("containerDefinitions[].healthCheck", HEALTH),
    approximated("containerDefinitions[].healthCheck.command", HEALTH),
    approximated("containerDefinitions[].healthCheck.interval", HEALTH),
    approximated("containerDefinitions[].healthCheck.timeout", HEALTH),
    approximated("containerDefinitions[].healthCheck.retries", HEALTH),
    approximated("containerDefinitions[].healthCheck.startPeriod", HEALTH),
    approximated("containerDefinitions[].firelensConfiguration", ROUTER),
    approximated("containerDefinitions[].firelensConfiguration.type", ROUTER),
    approximated("containerDefinitions[].firelensConfiguration.options", ROUTER),
];
