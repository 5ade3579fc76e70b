//! The alarms of a deployment in progress: what is known of them, and what the record remembers.

use api::service::DeploymentAlarms;
use api::service_deployment::{
    ServiceDeploymentAlarms, ServiceDeploymentRollbackMonitorsStatus as Monitor, ServiceDeploymentStatus,
};
use ecs::deployment::alarm::{Reading, State, Watch};

use crate::core::integration::Integration;
use crate::core::kind::ObjectKey;
use crate::core::question::{AlarmQuery, AlarmState, Question};
use crate::core::report::Finding;
use crate::core::settings::{AlarmSource, Settings};
use crate::core::world::World;

/// What the record shows of its alarms, `names` being those that are watched now.
pub(super) fn shown(watch: &Watch, names: &[String]) -> Option<ServiceDeploymentAlarms> {
    let status = match watch {
        Watch::Starting => return None,
        Watch::Monitoring => Monitor::Monitoring,
        Watch::Ignored => Monitor::Disabled,
        Watch::Triggered(_) => Monitor::Triggered,
    };
    let triggered_alarm_names = match watch {
        Watch::Triggered(names) => names.iter().cloned().collect(),
        _ => Vec::new(),
    };
    Some(ServiceDeploymentAlarms { status, alarm_names: names.to_vec(), triggered_alarm_names })
}

/// What the record remembers of its alarms.
pub(super) fn watch_of(status: &ServiceDeploymentStatus) -> Watch {
    let Some(alarms) = &status.alarms else { return Watch::Starting };
    match alarms.status {
        Monitor::Monitoring | Monitor::MonitoringComplete => Watch::Monitoring,
        Monitor::Disabled => Watch::Ignored,
        Monitor::Triggered => Watch::Triggered(alarms.triggered_alarm_names.iter().cloned().collect()),
    }
}

/// The alarms of a deployment with what is known of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Alarms {
    states: Vec<(String, Option<AlarmState>)>,
}

impl Alarms {
    /// Reads what is known of these alarms, and returns the questions that keep it known. Ask them in every plan in
    /// which the states matter, and in no other: a question that is not asked again is dropped.
    pub(super) fn ask(world: &dyn World, root: &ObjectKey, names: &[String]) -> (Self, Vec<Question>) {
        let mut states: Vec<(String, Option<AlarmState>)> = Vec::new();
        let mut questions = Vec::new();
        for name in names {
            let query = AlarmQuery { root: root.clone(), name: ecs::deployment::alarm::name(name).to_owned() };
            if states.iter().all(|(known, _)| known != name) {
                states.push((name.clone(), world.answers().get(&query).cloned()));
            }
            questions.push(Question::Alarm(query));
        }
        (Self { states }, questions)
    }

    /// What [`ecs::deployment::alarm::Watch::observe`] takes.
    pub(super) fn readings(&self) -> Vec<Reading<'_>> {
        fn reading((name, state): &(String, Option<AlarmState>)) -> Reading<'_> {
            let state = match state {
                Some(AlarmState::Ok) => State::Ok,
                Some(AlarmState::Alarm { since }) => State::Alarm { since: since.as_second() },
                Some(AlarmState::Unknown(_)) | None => State::Unknown,
            };
            Reading { name, state }
        }
        self.states.iter().map(reading).collect()
    }

    /// Names of the alarms whose states are not known, and why; `None` when all are known.
    ///
    /// `errors, latency: Alertmanager: alerts.example:9093 answered 503`
    pub(super) fn unknown(&self) -> Option<String> {
        let mut names: Vec<&str> = Vec::new();
        let mut reasons: Vec<&str> = Vec::new();
        for (name, state) in &self.states {
            let reason = match state {
                Some(AlarmState::Unknown(reason)) => reason.as_str(),
                None => "the source of alarms has not answered yet",
                Some(AlarmState::Ok | AlarmState::Alarm { .. }) => continue,
            };
            names.push(name);
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        (!names.is_empty()).then(|| format!("{}: {}", names.join(", "), reasons.join("; ")))
    }
}

/// Whether alarms are watched at all: somebody knows them, and the service wants it.
pub(super) fn is_watched(alarms: Option<&DeploymentAlarms>, settings: &Settings) -> bool {
    settings.alarms == AlarmSource::Configured && alarms.is_some_and(|alarms| alarms.enable)
}

/// Alarms that a service wants watched and that nobody watches.
pub(super) fn finding(alarms: Option<&DeploymentAlarms>, settings: &Settings) -> Option<Finding> {
    let is_missed = settings.alarms == AlarmSource::None && alarms.is_some_and(|alarms| alarms.enable);
    is_missed.then(|| Finding {
        path: "deploymentConfiguration.alarms".to_owned(),
        is_approximated: false,
        why: Integration::Alertmanager.row().missing.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::core::kind::Kind;
    use crate::core::op::Plan;
    use crate::core::world::MemoryWorld;

    fn root() -> ObjectKey {
        ObjectKey::namespaced(Kind::Service, "a", "web")
    }

    fn query(name: &str) -> AlarmQuery {
        AlarmQuery { root: root(), name: name.to_owned() }
    }

    #[test]
    fn when_alarms_are_asked_for_then_each_is_one_question_and_its_answer_is_read() {
        let since: Timestamp = "2026-01-01T00:00:01Z".parse().unwrap();
        let arn = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:slow";
        let mut world = MemoryWorld::default();
        world.answers_mut().put(query("errors"), AlarmState::Ok);
        world.answers_mut().put(query("slow"), AlarmState::Alarm { since });
        world.answers_mut().put(query("lost"), AlarmState::Unknown("it cannot be reached".to_owned()));
        world.answers_mut().put(query("gone"), AlarmState::Unknown("it cannot be reached".to_owned()));
        let names = ["errors", arn, "lost", "errors", "gone", "new"].map(ToOwned::to_owned);

        let mut plan = Plan::default();
        let (alarms, questions) = Alarms::ask(&world, &root(), &names);
        plan.ask(questions);

        assert_eq!(plan.questions, ["errors", "slow", "lost", "gone", "new"].map(|name| Question::Alarm(query(name))));
        let states = [
            ("errors", State::Ok),
            (arn, State::Alarm { since: since.as_second() }),
            ("lost", State::Unknown),
            ("gone", State::Unknown),
            ("new", State::Unknown),
        ];
        assert_eq!(alarms.readings(), states.map(|(name, state)| Reading { name, state }));
        let said = "lost, gone, new: it cannot be reached; the source of alarms has not answered yet";
        assert_eq!(alarms.unknown().as_deref(), Some(said));
        let (alarms, questions) = Alarms::ask(&world, &root(), &names[..2]);
        plan.ask(questions);
        assert_eq!(alarms.unknown(), None);
        assert_eq!(plan.questions.len(), 5);
    }

    #[test]
    fn when_nobody_knows_alarms_then_a_service_that_wants_them_is_told_and_no_other() {
        let alarms = |enable| DeploymentAlarms { alarm_names: vec!["a".to_owned()], rollback: true, enable };
        for (source, wants, watched, told) in [
            (AlarmSource::None, true, false, true),
            (AlarmSource::None, false, false, false),
            (AlarmSource::LeftToOperator, true, false, false),
            (AlarmSource::Configured, true, true, false),
            (AlarmSource::Configured, false, false, false),
        ] {
            let settings = Settings { alarms: source, ..Settings::default() };
            let alarms = alarms(wants);
            assert_eq!(is_watched(Some(&alarms), &settings), watched, "{source:?} {wants}");
            assert_eq!(finding(Some(&alarms), &settings).is_some(), told, "{source:?} {wants}");
        }
        assert_eq!(finding(None, &Settings::default()), None);
    }
}
