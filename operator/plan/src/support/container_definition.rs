//! Containers of a task definition: process, environment, ports, order, health, logs.

use super::field::{Field, approximated, fine, honoured, no_effect, nothing, refused, roughly, with_note};

const REGISTRY: &str = "pulled with a Secret that External Secrets makes of them where the namespace's administrator allows it; otherwise with the one that is named after them";
const RESTART: &str =
    "the kubelet restarts the container in place, with its own back-off in place of restartAttemptPeriod";
const IGNORED: &str = "a container that is not essential stays stopped after these (Kubernetes 1.35; reported before); an \
    essential one ends the task";
const ESSENTIAL: &str = "the exit of an essential container replaces the task (see kubernetes.essentialContainerExit); \
    another one stays stopped (Kubernetes 1.35; started again before), and what that does to the pod is reported";
const ENVIRONMENT_FILES: &str = "taken from a ConfigMap that is named after the file and has a key for each variable; `kubectl ecs env-file` makes it";
const SECRETS: &str = "fetched by External Secrets or the Secrets Store CSI driver where the namespace's administrator allows it; otherwise read from a Secret whose name and key follow from it";
const EVERY_CONTAINER: &str = "holds for every container of the task, which is reported where there are several";
const LOGS: &str =
    "standard output and error go to the log files of the node; an annotation tells its log agent what is wanted";
const AWSLOGS: &str = "standard output and error go to the log files of the node; an annotation tells its log agent the \
                       log group, region and stream prefix";
const ROUTED: &str = "the router gets what is sent to FLUENT_HOST and FLUENT_PORT; standard output and error go to the \
                      log files of the node, and an annotation tells its log agent to pass them on";
const DOCKER_ONLY: &str = "a log driver of docker, which Kubernetes nodes do not have: standard output and error go to the \
                           log files of the node";
const ROUTER: &str = "its configuration is written and it starts first, but standard output and error of the other \
                      containers reach it only by a log agent of the node";
const HEALTH: &str = "decides whether the task gets traffic and whether a deployment goes on, and an unhealthy task of a \
    service is replaced; the kubelet looks at it by a probe, whose first result may come up to one interval later";

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
        "with network mode bridge, 0 takes no port of the node and is reported; so is a port that instances of ECS keep for themselves",
    ),
    honoured("containerDefinitions[].portMappings[].protocol"),
    honoured("containerDefinitions[].portMappings[].name"),
    with_note("containerDefinitions[].portMappings[].appProtocol", "the appProtocol of the Kubernetes Service"),
    with_note(
        "containerDefinitions[].portMappings[].containerPortRange",
        "its ports are listed one by one, up to 100, and take no ports of the node; both differences are reported",
    ),
    with_note("containerDefinitions[].essential", ESSENTIAL),
    with_note("containerDefinitions[].restartPolicy", RESTART),
    with_note("containerDefinitions[].restartPolicy.enabled", RESTART),
    with_note("containerDefinitions[].restartPolicy.ignoredExitCodes", IGNORED),
    no_effect(
        "containerDefinitions[].restartPolicy.restartAttemptPeriod",
        "the kubelet spaces restarts by its own back-off, 10 seconds doubling to 5 minutes",
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
        "a failed SUCCESS ends the task; COMPLETE tries again after an exit code other than 0, which is reported",
    ),
    with_note(
        "containerDefinitions[].startTimeout",
        "the operator ends the task when it is over, counted from the earliest start of the container that is known",
    ),
    with_note(
        "containerDefinitions[].stopTimeout",
        "the pod gets the largest sum along a chain; a container that could take longer than its own is reported",
    ),
    with_note(
        "containerDefinitions[].versionConsistency",
        "where image resolution is switched off, or leaves the registry out, the tag is pulled at every start, which is \
         reported; a digest that cannot be learnt is a condition",
    ),
    with_note("containerDefinitions[].hostname", EVERY_CONTAINER),
    honoured("containerDefinitions[].workingDirectory"),
    refused(
        "containerDefinitions[].disableNetworking",
        "one container of a pod cannot be cut off from the network of the others",
    )
    .cases(&[fine("false")]),
    approximated(
        "containerDefinitions[].dnsServers",
        "holds for every container of the task, and names of the cluster no longer resolve",
    ),
    with_note("containerDefinitions[].dnsSearchDomains", EVERY_CONTAINER),
    with_note("containerDefinitions[].extraHosts", EVERY_CONTAINER),
    with_note("containerDefinitions[].extraHosts[].hostname", EVERY_CONTAINER),
    with_note("containerDefinitions[].extraHosts[].ipAddress", EVERY_CONTAINER),
    honoured("containerDefinitions[].interactive"),
    honoured("containerDefinitions[].pseudoTerminal"),
    approximated(
        "containerDefinitions[].dockerLabels",
        "a container of a pod has no labels: they become annotations of the pod",
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
