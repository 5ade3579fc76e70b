//! Every rule that the API server checks on a task definition, as tables: where, what ECS says, and the CEL.
//!
//! The planner checks the same rules again, because admission can be bypassed, together with those that CEL cannot say
//! (cycles of `dependsOn`, Fargate's pairs of cpu and memory, sums over containers).
//!
//! `ClientException` is what RegisterTaskDefinition throws for a definition that contradicts itself,
//! `InvalidParameterException` for a parameter outside of its range.

mod fargate;

pub use self::fargate::FARGATE_RULES;
use crate::schema::Rule;

/// True when the rule holds for every container `c`.
macro_rules! each_container {
    ($cel:literal) => {
        concat!("self.containerDefinitions.all(c, ", $cel, ")")
    };
}

const CONTAINERS: &str = ".containerDefinitions";

/// Rules across the members of a task definition.
pub const TASK_DEFINITION_RULES: &[Rule] = &[
    Rule {
        path: CONTAINERS,
        message: "ClientException: At least one container of the task definition must be essential.",
        cel: "self.containerDefinitions.exists(c, c.?essential.orValue(true))",
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: Invalid setting for container. At least one of 'memory' or 'memoryReservation' must \
                  be specified when the task definition has no 'memory'.",
        cel: "has(self.memory) || self.containerDefinitions.all(c, has(c.memory) || has(c.memoryReservation))",
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
        cel: "self.?networkMode.orValue('bridge') != 'awsvpc' || self.containerDefinitions.all(c, \
              !has(c.portMappings) || c.portMappings.all(p, !has(p.hostPort) || p.hostPort == p.?containerPort.orValue(0)))",
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: When networkMode=host, the host ports and container ports in port mappings must match.",
        cel: "self.?networkMode.orValue('bridge') != 'host' || self.containerDefinitions.all(c, \
              !has(c.portMappings) || c.portMappings.all(p, !has(p.hostPort) || p.hostPort == p.?containerPort.orValue(0)))",
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: Port mappings are not supported when networkMode=none.",
        cel: "self.?networkMode.orValue('bridge') != 'none' || \
              self.containerDefinitions.all(c, !has(c.portMappings) || size(c.portMappings) == 0)",
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: containerPortRange is only supported when networkMode is awsvpc or bridge.",
        cel: "self.?networkMode.orValue('bridge') in ['awsvpc', 'bridge'] || self.containerDefinitions.all(c, \
              !has(c.portMappings) || c.portMappings.all(p, !has(p.containerPortRange)))",
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: Links are only supported when networkMode=bridge.",
        cel: "self.?networkMode.orValue('bridge') == 'bridge' || \
              self.containerDefinitions.all(c, !has(c.links) || size(c.links) == 0)",
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: Extra hosts are not supported when networkMode=awsvpc.",
        cel: "self.?networkMode.orValue('bridge') != 'awsvpc' || \
              self.containerDefinitions.all(c, !has(c.extraHosts) || size(c.extraHosts) == 0)",
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: Hostname is not supported on a container when networkMode=awsvpc.",
        cel: "self.?networkMode.orValue('bridge') != 'awsvpc' || \
              self.containerDefinitions.all(c, c.?hostname.orValue('') == '')",
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: dependsOn must name a container of the task definition.",
        cel: each_container!(
            "!has(c.dependsOn) || c.dependsOn.all(d, \
             self.containerDefinitions.exists(t, t.name == d.containerName))"
        ),
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: The dependency condition COMPLETE or SUCCESS may not name an essential container.",
        cel: each_container!(
            "!has(c.dependsOn) || c.dependsOn.all(d, !(d.condition in ['COMPLETE', 'SUCCESS']) || \
             !self.containerDefinitions.exists(t, t.name == d.containerName && t.?essential.orValue(true)))"
        ),
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: The dependency condition HEALTHY needs a healthCheck on the container that is named.",
        cel: each_container!(
            "!has(c.dependsOn) || c.dependsOn.all(d, d.condition != 'HEALTHY' || \
             !self.containerDefinitions.exists(t, t.name == d.containerName && !has(t.healthCheck)))"
        ),
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: Unknown volume. The sourceVolume of a mount point must be a volume of the task definition.",
        cel: each_container!(
            "!has(c.mountPoints) || c.mountPoints.all(m, \
             has(self.volumes) && self.volumes.exists(v, v.name == m.?sourceVolume.orValue('')))"
        ),
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: volumesFrom must name a container of the task definition.",
        cel: each_container!(
            "!has(c.volumesFrom) || c.volumesFrom.all(f, has(f.sourceContainer) && \
             self.containerDefinitions.exists(t, t.name == f.sourceContainer))"
        ),
    },
    Rule {
        path: ".volumes",
        message: "ClientException: Only one volume of a task definition may be configured at launch.",
        cel: "!has(self.volumes) || self.volumes.filter(v, v.?configuredAtLaunch.orValue(false)).size() <= 1",
    },
    Rule {
        path: ".taskRoleArn",
        message: "ClientException: An S3 Files volume needs a task role.",
        cel: "!has(self.volumes) || has(self.taskRoleArn) || self.volumes.all(v, !has(v.s3filesVolumeConfiguration))",
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: Only one container of a task definition may have a firelensConfiguration.",
        cel: "self.containerDefinitions.filter(c, has(c.firelensConfiguration)).size() <= 1",
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: The log driver awsfirelens needs a container with a firelensConfiguration.",
        cel: "self.containerDefinitions.exists(c, has(c.firelensConfiguration)) || self.containerDefinitions.all(c, \
              !has(c.logConfiguration) || c.logConfiguration.logDriver != 'awsfirelens')",
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: systemControls of the network are not supported when networkMode=host.",
        cel: "self.?networkMode.orValue('bridge') != 'host' || self.containerDefinitions.all(c, \
              !has(c.systemControls) || c.systemControls.all(s, !has(s.__namespace__) || !s.__namespace__.startsWith('net.')))",
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: systemControls of the IPC namespace are not supported when ipcMode=host.",
        cel: "self.?ipcMode.orValue('task') != 'host' || self.containerDefinitions.all(c, \
              !has(c.systemControls) || c.systemControls.all(s, !has(s.__namespace__) || \
              !s.__namespace__.matches('^(kernel[.](msg|sem$|shm)|fs[.]mqueue[.])')))",
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: All containers of a task that use GPUs must use the same form, value or sharingStrategy.",
        cel: "self.containerDefinitions.all(c, !has(c.resourceRequirements) || \
              c.resourceRequirements.all(r, r.type != 'GPU' || has(r.value))) || \
              self.containerDefinitions.all(c, !has(c.resourceRequirements) || \
              c.resourceRequirements.all(r, r.type != 'GPU' || !has(r.value)))",
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: Only one container of a task definition may require NeuronDevice.",
        cel: "self.containerDefinitions.filter(c, has(c.resourceRequirements) && \
              c.resourceRequirements.exists(r, r.type == 'NeuronDevice')).size() <= 1",
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: The value of an InferenceAccelerator must be the deviceName of an inference accelerator.",
        cel: each_container!(
            "!has(c.resourceRequirements) || c.resourceRequirements.all(r, r.type != 'InferenceAccelerator' || \
             (has(self.inferenceAccelerators) && \
             self.inferenceAccelerators.exists(a, a.deviceName == r.?value.orValue(''))))"
        ),
    },
    Rule {
        path: ".inferenceAccelerators",
        message: "ClientException: Elastic Inference accelerators are discontinued.",
        cel: "!has(self.inferenceAccelerators) || size(self.inferenceAccelerators) == 0",
    },
    Rule {
        path: ".trustedExecutionConfiguration",
        message: "ClientException: trustedExecutionConfiguration is only supported with MANAGED_INSTANCES.",
        cel: "!has(self.trustedExecutionConfiguration) || \
              (has(self.requiresCompatibilities) && 'MANAGED_INSTANCES' in self.requiresCompatibilities)",
    },
];

/// Rules of one container.
pub const CONTAINER_RULES: &[Rule] = &[
    Rule {
        path: ".dependsOn",
        message: "ClientException: A container may not depend on itself.",
        cel: "!has(self.dependsOn) || self.dependsOn.all(d, d.containerName != self.name)",
    },
    Rule {
        path: ".volumesFrom",
        message: "ClientException: A container may not take volumes from itself.",
        cel: "!has(self.volumesFrom) || self.volumesFrom.all(f, !has(f.sourceContainer) || f.sourceContainer != self.name)",
    },
    Rule {
        path: ".memory",
        message: "ClientException: Invalid setting for container. 'memory' must not be less than 'memoryReservation'.",
        cel: "!has(self.memory) || !has(self.memoryReservation) || self.memory >= self.memoryReservation",
    },
    Rule {
        path: ".secrets",
        message: "ClientException: The secret name must be unique and not shared with any existing environment variables \
                  set on the container.",
        cel: "!has(self.secrets) || !has(self.environment) || !sets.intersects(self.secrets.map(s, s.name), \
              self.environment.map(e, e.name))",
    },
    Rule {
        path: ".portMappings",
        message: "ClientException: A container port cannot be exposed for more than one protocol.",
        cel: "!has(self.portMappings) || self.portMappings.all(p, self.portMappings.all(q, \
              !has(p.containerPort) || p.containerPort != q.?containerPort.orValue(0) || \
              (has(p.protocol) && p.protocol == 'udp') == (has(q.protocol) && q.protocol == 'udp')))",
    },
];

/// Rules of one port mapping.
pub const PORT_MAPPING_RULES: &[Rule] = &[
    Rule {
        path: "",
        message: "ClientException: A port mapping needs a containerPort or a containerPortRange.",
        cel: "has(self.containerPort) || has(self.containerPortRange)",
    },
    Rule {
        path: ".containerPortRange",
        message: "ClientException: containerPortRange excludes containerPort and hostPort.",
        cel: "!has(self.containerPortRange) || (!has(self.containerPort) && !has(self.hostPort))",
    },
    Rule {
        path: ".containerPortRange",
        message: "InvalidParameterException: containerPortRange must be first-last with 1 <= first < last <= 65535.",
        cel: "!has(self.containerPortRange) || !self.containerPortRange.matches('^[0-9]{1,5}-[0-9]{1,5}$') || \
              (int(self.containerPortRange.split('-')[0]) >= 1 && \
              int(self.containerPortRange.split('-')[0]) < int(self.containerPortRange.split('-')[1]) && \
              int(self.containerPortRange.split('-')[1]) <= 65535)",
    },
];

/// Rules of one environment variable or proxy property.
pub const ENVIRONMENT_RULES: &[Rule] = &[Rule {
    path: ".name",
    message: "ClientException: The name of an environment variable must not be blank.",
    cel: "self.name != ''",
}];

/// Rules of the object that holds the variables of an environment file.
pub const ENVIRONMENT_FILE_OBJECT_RULES: &[Rule] = &[Rule {
    path: "",
    message: "ClientException: The variables of an environment file are in a ConfigMap or in a Secret: name one of them.",
    cel: "has(self.configMap) != has(self.secret)",
}];

/// Rules of one environment file.
pub const ENVIRONMENT_FILE_RULES: &[Rule] = &[
    Rule {
        path: ".value",
        message: "ClientException: The value of an environment file must be the ARN of an S3 object.",
        cel: "self.value.matches('^arn:[a-z-]+:s3:::[^/]+/.+$')",
    },
    Rule {
        path: ".value",
        message: "ClientException: The name of an environment file must end in .env.",
        cel: "self.value.endsWith('.env')",
    },
];

/// Rules of one mount point.
pub const MOUNT_POINT_RULES: &[Rule] = &[Rule {
    path: ".containerPath",
    message: "ClientException: The containerPath of a mount point must not be blank.",
    cel: "self.containerPath != ''",
}];

/// Rules of one `volumesFrom` entry.
pub const VOLUME_FROM_RULES: &[Rule] = &[Rule {
    path: ".sourceContainer",
    message: "ClientException: The sourceContainer of volumesFrom must not be blank.",
    cel: "self.?sourceContainer.orValue('') != ''",
}];

/// Rules of a container health check.
pub const HEALTH_CHECK_RULES: &[Rule] = &[Rule {
    path: ".command",
    message: "ClientException: The command of a health check must start with CMD or CMD-SHELL and say what to run.",
    cel: "size(self.command) >= 2 && self.command[0] in ['CMD', 'CMD-SHELL']",
}];

/// Rules of a log configuration.
pub const LOG_RULES: &[Rule] = &[
    Rule {
        path: ".options",
        message: "ClientException: Log driver awslogs requires options: awslogs-group, awslogs-region.",
        cel: "self.logDriver != 'awslogs' || (has(self.options) && 'awslogs-group' in self.options && \
              'awslogs-region' in self.options)",
    },
    Rule {
        path: ".options",
        message: "ClientException: awslogs-datetime-format and awslogs-multiline-pattern exclude each other.",
        cel: "self.logDriver != 'awslogs' || !has(self.options) || !('awslogs-datetime-format' in self.options && \
              'awslogs-multiline-pattern' in self.options)",
    },
];

/// Rules of one resource requirement.
pub const RESOURCE_RULES: &[Rule] = &[
    Rule {
        path: ".value",
        message: "ClientException: A resource requirement needs either value or sharingStrategy.",
        cel: "has(self.value) != has(self.sharingStrategy)",
    },
    Rule {
        path: ".sharingStrategy",
        message: "ClientException: sharingStrategy is only supported for GPU.",
        cel: "!has(self.sharingStrategy) || self.type == 'GPU'",
    },
    Rule {
        path: ".value",
        message: "ClientException: The value of GPU must be a positive number or ALL.",
        cel: "self.type != 'GPU' || !has(self.value) || self.value.matches('^([1-9][0-9]*|ALL)$')",
    },
    Rule {
        path: ".value",
        message: "ClientException: The value of NeuronDevice must be ALL.",
        cel: "self.type != 'NeuronDevice' || self.?value.orValue('ALL') == 'ALL'",
    },
];

/// Rules of one volume.
pub const VOLUME_RULES: &[Rule] = &[Rule {
    path: "",
    message: "ClientException: A volume may have one configuration only.",
    cel: "[has(self.host) && self.host.?sourcePath.orValue('') != '', has(self.dockerVolumeConfiguration), \
          has(self.efsVolumeConfiguration), has(self.s3filesVolumeConfiguration), \
          has(self.fsxWindowsFileServerVolumeConfiguration), self.?configuredAtLaunch.orValue(false)]\
          .filter(x, x).size() <= 1",
}];

/// Rules of a docker volume.
pub const DOCKER_VOLUME_RULES: &[Rule] = &[Rule {
    path: ".autoprovision",
    message: "ClientException: autoprovision is only supported for docker volumes of scope shared.",
    cel: "!self.?autoprovision.orValue(false) || self.?scope.orValue('task') == 'shared'",
}];

/// Rules of an EFS volume.
pub const EFS_RULES: &[Rule] = &[
    Rule {
        path: ".rootDirectory",
        message: "ClientException: With an EFS access point the root directory must be omitted or /.",
        cel: "self.?authorizationConfig.?accessPointId.orValue('') == '' || self.?rootDirectory.orValue('') in ['', '/']",
    },
    Rule {
        path: ".transitEncryption",
        message: "ClientException: An EFS access point or IAM authorization needs transitEncryption ENABLED.",
        cel: "(self.?authorizationConfig.?accessPointId.orValue('') == '' && \
              self.?authorizationConfig.?iam.orValue('DISABLED') == 'DISABLED') || \
              self.?transitEncryption.orValue('DISABLED') == 'ENABLED'",
    },
];

/// Rules of an S3 Files volume.
pub const S3FILES_RULES: &[Rule] = &[Rule {
    path: ".rootDirectory",
    message: "ClientException: With an S3 Files access point the root directory must be omitted or /.",
    cel: "self.?accessPointArn.orValue('') == '' || self.?rootDirectory.orValue('') in ['', '/']",
}];

/// Rules of one placement constraint.
pub const PLACEMENT_CONSTRAINT_RULES: &[Rule] = &[
    Rule {
        path: ".type",
        message: "ClientException: The type of a placement constraint must be memberOf.",
        cel: "has(self.type)",
    },
    Rule {
        path: ".expression",
        message: "InvalidParameterException: A placement constraint of type memberOf needs an expression.",
        cel: "self.?expression.orValue('') != ''",
    },
];

/// Rules of a trusted execution configuration.
pub const TRUSTED_EXECUTION_RULES: &[Rule] = &[Rule {
    path: ".attestationPolicy",
    message: "ClientException: CONFIDENTIAL_SANDBOX needs an attestationPolicy.",
    cel: "self.isolationMode != 'CONFIDENTIAL_SANDBOX' || self.?attestationPolicy.orValue('') != ''",
}];
