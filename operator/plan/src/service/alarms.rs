//! The alarms of a deployment in progress: what is known of them, and what the record remembers.

use api::service::DeploymentAlarms;
use api::service_deployment::{
    ServiceDeploymentAlarms, ServiceDeploymentRollbackMonitorsStatus as Monitor, ServiceDeploymentStatus,
};
use ecs::alarm::Watch;

use super::record::Record;
use super::snapshot::ServiceSnapshot;
use crate::core::alarm::{Alarms, is_watched};
use crate::core::op::Plan;
use crate::core::settings::Settings;
use crate::core::world::World;

/// What the alarms say.
pub(super) struct Seen {
    /// One of them fails the deployment.
    pub(super) is_triggered: bool,
    /// None of them keeps the deployment from being completed.
    pub(super) may_complete: bool,
    /// Names of those whose state nobody tells, and why.
    pub(super) unknown: Option<String>,
}

/// Asks for the alarms that the deployment watches, and takes down what they do. Without any, nothing is in the way.
pub(super) fn observe(
    world: &dyn World,
    snapshot: &ServiceSnapshot,
    record: &Record,
    status: &mut ServiceDeploymentStatus,
    settings: &Settings,
    plan: &mut Plan,
) -> Seen {
    let configured = configured(snapshot);
    let Some(alarms) = configured.filter(|alarms| is_watched(Some(alarms), settings)) else {
        return Seen { is_triggered: false, may_complete: true, unknown: None };
    };
    let asked = Alarms::ask(world, &snapshot.key, &alarms.alarm_names, plan);
    let readings = asked.readings();
    let watch = watch_of(status).observe(record.created_at.as_second(), &readings);
    let state = match &watch {
        Watch::Starting => None,
        Watch::Monitoring => Some(Monitor::Monitoring),
        Watch::Ignored => Some(Monitor::Disabled),
        Watch::Triggered(_) => Some(Monitor::Triggered),
    };
    status.alarms = state.map(|state| ServiceDeploymentAlarms {
        status: state,
        alarm_names: alarms.alarm_names.clone(),
        triggered_alarm_names: match &watch {
            Watch::Triggered(names) => names.iter().cloned().collect(),
            _ => Vec::new(),
        },
    });
    Seen {
        is_triggered: watch.is_triggered(),
        may_complete: watch.may_complete(&readings),
        unknown: asked.unknown().filter(|_| watch.is_watching()),
    }
}

/// Says of alarms that were watched to the end that they were.
pub(super) fn complete(status: &mut ServiceDeploymentStatus) {
    if let Some(alarms) = status.alarms.as_mut().filter(|alarms| alarms.status == Monitor::Monitoring) {
        alarms.status = Monitor::MonitoringComplete;
    }
}

/// `deploymentConfiguration.alarms`
pub(super) fn configured(snapshot: &ServiceSnapshot) -> Option<&DeploymentAlarms> {
    snapshot.spec.as_ref().ok()?.deployment_configuration.as_ref()?.alarms.as_ref()
}

fn watch_of(status: &ServiceDeploymentStatus) -> Watch {
    let Some(alarms) = &status.alarms else { return Watch::Starting };
    match alarms.status {
        Monitor::Monitoring | Monitor::MonitoringComplete => Watch::Monitoring,
        Monitor::Disabled => Watch::Ignored,
        Monitor::Triggered => Watch::Triggered(alarms.triggered_alarm_names.iter().cloned().collect()),
    }
}
