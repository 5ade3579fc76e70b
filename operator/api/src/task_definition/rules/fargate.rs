//! What Fargate adds to the rules of a task definition.

use super::CONTAINERS;
use crate::schema::Rule;

/// True for task definitions that do not list FARGATE, else as the rule says. Listing FARGATE imposes every rule of
/// Fargate even when EC2 is listed too.
macro_rules! on_fargate {
    ($cel:literal) => {
        concat!("!has(self.requiresCompatibilities) || !('FARGATE' in self.requiresCompatibilities) || ", $cel)
    };
}

/// True for task definitions that do not list FARGATE, else when the rule holds for every container `c`.
macro_rules! each_container_on_fargate {
    ($cel:literal) => {
        concat!(
            "!has(self.requiresCompatibilities) || !('FARGATE' in self.requiresCompatibilities) || ",
            "self.containerDefinitions.all(c, ",
            $cel,
            ")"
        )
    };
}

/// Rules of task definitions that list FARGATE in `requiresCompatibilities`.
pub const FARGATE_RULES: &[Rule] = &[
    Rule {
        path: ".networkMode",
        message: "ClientException: Fargate only supports network mode awsvpc.",
        cel: on_fargate!("self.?networkMode.orValue('') == 'awsvpc'"),
    },
    Rule {
        path: ".cpu",
        message: "ClientException: Fargate requires that 'cpu' be defined at the task level.",
        cel: on_fargate!("has(self.cpu)"),
    },
    Rule {
        path: ".memory",
        message: "ClientException: Fargate requires that 'memory' be defined at the task level.",
        cel: on_fargate!("has(self.memory)"),
    },
    Rule {
        path: ".pidMode",
        message: "ClientException: Fargate only supports pidMode task.",
        cel: on_fargate!("self.?pidMode.orValue('task') == 'task'"),
    },
    Rule {
        path: ".ipcMode",
        message: "ClientException: Fargate does not support ipcMode.",
        cel: on_fargate!("!has(self.ipcMode)"),
    },
    Rule {
        path: ".placementConstraints",
        message: "ClientException: Fargate does not support placement constraints.",
        cel: on_fargate!("!has(self.placementConstraints) || size(self.placementConstraints) == 0"),
    },
    Rule {
        path: ".volumes",
        message: "ClientException: Fargate does not support docker volumes.",
        cel: on_fargate!("!has(self.volumes) || self.volumes.all(v, !has(v.dockerVolumeConfiguration))"),
    },
    Rule {
        path: ".volumes",
        message: "ClientException: Fargate does not support host volumes with a sourcePath.",
        cel: on_fargate!("!has(self.volumes) || self.volumes.all(v, v.?host.?sourcePath.orValue('') == '')"),
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: Fargate does not support privileged containers.",
        cel: each_container_on_fargate!("!c.?privileged.orValue(false)"),
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: Fargate does not support dockerSecurityOptions.",
        cel: each_container_on_fargate!("!has(c.dockerSecurityOptions) || size(c.dockerSecurityOptions) == 0"),
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: Fargate does not support linuxParameters.devices.",
        cel: each_container_on_fargate!(
            "!has(c.linuxParameters) || !has(c.linuxParameters.devices) || size(c.linuxParameters.devices) == 0"
        ),
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: Fargate does not support linuxParameters.sharedMemorySize.",
        cel: each_container_on_fargate!("!has(c.linuxParameters) || !has(c.linuxParameters.sharedMemorySize)"),
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: Fargate does not support linuxParameters.maxSwap and linuxParameters.swappiness.",
        cel: each_container_on_fargate!(
            "!has(c.linuxParameters) || (!has(c.linuxParameters.maxSwap) && !has(c.linuxParameters.swappiness))"
        ),
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: Fargate only supports adding the capability SYS_PTRACE.",
        cel: each_container_on_fargate!(
            "!has(c.linuxParameters) || !has(c.linuxParameters.capabilities) || \
             !has(c.linuxParameters.capabilities.add) || c.linuxParameters.capabilities.add.all(n, n == 'SYS_PTRACE')"
        ),
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: Fargate only supports the log drivers awslogs, splunk and awsfirelens.",
        cel: each_container_on_fargate!(
            "!has(c.logConfiguration) || c.logConfiguration.logDriver in ['awslogs', 'splunk', 'awsfirelens']"
        ),
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: Fargate requires the option awslogs-stream-prefix for the log driver awslogs.",
        cel: each_container_on_fargate!(
            "!has(c.logConfiguration) || c.logConfiguration.logDriver != 'awslogs' || \
             (has(c.logConfiguration.options) && 'awslogs-stream-prefix' in c.logConfiguration.options)"
        ),
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: Fargate requires startTimeout to be between 2 and 120 seconds.",
        cel: each_container_on_fargate!("c.?startTimeout.orValue(2) >= 2 && c.?startTimeout.orValue(2) <= 120"),
    },
    Rule {
        path: CONTAINERS,
        message: "ClientException: Fargate requires stopTimeout to be between 2 and 120 seconds.",
        cel: each_container_on_fargate!("c.?stopTimeout.orValue(2) >= 2 && c.?stopTimeout.orValue(2) <= 120"),
    },
];
