//! Which alarms fail a deployment: the question a plan asks, and what the source of alarms last said.
//!
//! A plan cannot ask anybody. It says in [`crate::Plan::alarms`] whose states matter now; while it does, the source is
//! asked again and again, and the root is planned again whenever an answer changes. A plan that names no alarm ends that.

use api::service::DeploymentAlarms;
use ecs::alarm::{Reading, State};
use jiff::Timestamp;

use crate::core::kind::ObjectKey;
use crate::core::op::Plan;
use crate::core::report::Finding;
use crate::core::settings::Settings;
use crate::core::world::World;

/// A question to the source of alarms: what is the state of this alarm.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlarmQuery {
    /// The service whose deployment is watched. An alert with a `namespace` label counts for services there only.
    pub root: ObjectKey,
    /// Name of the alarm; see [`ecs::alarm::name`].
    pub name: String,
}

/// What became of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlarmState {
    /// Not in ALARM.
    Ok,
    /// In ALARM.
    Alarm {
        /// Since when: the earliest, if the alarm stands for several things.
        since: Timestamp,
    },
    /// The source could not be asked, or did not answer, for this reason.
    Unknown(String),
}

/// Who knows the states of alarms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AlarmSource {
    /// Nobody: alarms are not applied, and services that name some are told so.
    #[default]
    None,
    /// The operator that gets the same objects: what is rendered asks nobody and says nothing.
    LeftToOperator,
    /// Something that answers [`crate::Plan::alarms`].
    Configured,
}

/// The alarms of a deployment with what is known of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alarms {
    states: Vec<(String, Option<AlarmState>)>,
}

impl Alarms {
    /// Asks for the states of these alarms, and reads what is known already. Call it in every plan in which the states
    /// matter, and in no other: a question that is not asked again is dropped.
    pub fn ask(world: &dyn World, root: &ObjectKey, names: &[String], plan: &mut Plan) -> Self {
        let mut states: Vec<(String, Option<AlarmState>)> = Vec::new();
        for name in names {
            let query = AlarmQuery { root: root.clone(), name: ecs::alarm::name(name).to_owned() };
            if states.iter().all(|(known, _)| known != name) {
                states.push((name.clone(), world.alarm(&query)));
            }
            if !plan.alarms.contains(&query) {
                plan.alarms.push(query);
            }
        }
        Self { states }
    }

    /// What [`ecs::alarm::Watch::observe`] takes.
    pub fn readings(&self) -> Vec<Reading<'_>> {
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

    /// What to tell people of alarms that are not known: their names, and why. `None` when all are known.
    ///
    /// `errors, latency: Alertmanager: alerts.example:9093 answered 503`
    pub fn unknown(&self) -> Option<String> {
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
pub fn is_watched(alarms: Option<&DeploymentAlarms>, settings: &Settings) -> bool {
    settings.alarms == AlarmSource::Configured && alarms.is_some_and(|alarms| alarms.enable)
}

/// Alarms that a service wants watched and that nobody watches.
pub fn finding(alarms: Option<&DeploymentAlarms>, settings: &Settings) -> Option<Finding> {
    let is_missed = settings.alarms == AlarmSource::None && alarms.is_some_and(|alarms| alarms.enable);
    is_missed.then(|| Finding {
        path: "deploymentConfiguration.alarms".to_owned(),
        is_approximated: false,
        why: "the operator is not set up with a source of alarms: no alarm is watched during a deployment".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::kind::Kind;
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
        world.insert_alarm(query("errors"), AlarmState::Ok);
        world.insert_alarm(query("slow"), AlarmState::Alarm { since });
        world.insert_alarm(query("lost"), AlarmState::Unknown("it cannot be reached".to_owned()));
        world.insert_alarm(query("gone"), AlarmState::Unknown("it cannot be reached".to_owned()));
        let names = ["errors", arn, "lost", "errors", "gone", "new"].map(ToOwned::to_owned);

        let mut plan = Plan::default();
        let alarms = Alarms::ask(&world, &root(), &names, &mut plan);

        assert_eq!(plan.alarms, ["errors", "slow", "lost", "gone", "new"].map(query));
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
        assert_eq!(Alarms::ask(&world, &root(), &names[..2], &mut plan).unknown(), None);
        assert_eq!(plan.alarms.len(), 5);
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
