//! Deployment alarms: what the alarms named in a deployment configuration do to a deployment.
//!
//! A [`Watch`] is all that is remembered between two observations and is kept with the deployment. An alarm whose state
//! nobody tells is never taken for one that is quiet: the deployment goes on, but is not completed before it is known.

use std::collections::BTreeSet;

/// The state of one alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It is known not to be in ALARM.
    Ok,
    /// It is in ALARM.
    Alarm {
        /// Since when, in seconds since the epoch.
        since: i64,
    },
    /// Nobody has told, or nobody could.
    Unknown,
}

/// One alarm of a deployment as it is observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading<'a> {
    /// Name or ARN, as the deployment configuration has it.
    pub name: &'a str,
    /// Its state.
    pub state: State,
}

/// What the alarms of one deployment do. The default is that of a new deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Watch {
    /// Not every alarm is known yet.
    #[default]
    Starting,
    /// All alarms were known and quiet: the first that goes into ALARM fails the deployment.
    Monitoring,
    /// An alarm was in ALARM before the deployment started: all of them are ignored for this deployment.
    Ignored,
    /// These alarms failed the deployment.
    Triggered(BTreeSet<String>),
}

impl Watch {
    /// What follows for a deployment that started at `started_at`, in seconds since the epoch, from all of its alarms.
    ///
    /// An alarm that is first seen in ALARM is judged by the time it began: before the deployment or in the same second,
    /// the alarms are ignored; later, it fails the deployment, so that none is missed while its state cannot be told. Once
    /// all alarms were seen quiet, any ALARM fails the deployment. Ignored and failed deployments stay that.
    #[must_use]
    pub fn observe(&self, started_at: i64, readings: &[Reading<'_>]) -> Self {
        let firing = || {
            readings.iter().filter_map(|reading| match reading.state {
                State::Alarm { since } => Some((reading.name, since)),
                State::Ok | State::Unknown => None,
            })
        };
        match self {
            Self::Ignored | Self::Triggered(_) => self.clone(),
            Self::Starting if firing().any(|(_, since)| since <= started_at) => Self::Ignored,
            Self::Starting | Self::Monitoring => {
                let names: BTreeSet<String> = firing().map(|(name, _)| name.to_owned()).collect();
                if !names.is_empty() {
                    Self::Triggered(names)
                } else if unknown(readings).next().is_none() {
                    Self::Monitoring
                } else {
                    self.clone()
                }
            }
        }
    }

    /// Whether the alarms let the deployment be completed now: they are ignored, or each one is known to be quiet.
    pub fn may_complete(&self, readings: &[Reading<'_>]) -> bool {
        match self {
            Self::Ignored => true,
            Self::Starting | Self::Triggered(_) => false,
            Self::Monitoring => readings.iter().all(|reading| reading.state == State::Ok),
        }
    }

    /// Whether an alarm failed the deployment.
    pub fn is_triggered(&self) -> bool {
        matches!(self, Self::Triggered(_))
    }

    /// Whether the states of the alarms still matter.
    pub fn is_watching(&self) -> bool {
        matches!(self, Self::Starting | Self::Monitoring)
    }
}

/// Names of the alarms whose state is not known.
pub fn unknown<'a>(readings: &'a [Reading<'a>]) -> impl Iterator<Item = &'a str> {
    readings.iter().filter(|reading| reading.state == State::Unknown).map(|reading| reading.name)
}

/// The name in a name or ARN: `arn:aws:cloudwatch:us-east-1:123456789012:alarm:errors: 5xx` is `errors: 5xx`. Names have
/// any characters, colons and slashes too.
pub fn name(name_or_arn: &str) -> &str {
    let mut parts = name_or_arn.splitn(7, ':');
    let is_alarm = parts.next() == Some("arn") && parts.nth(1) == Some("cloudwatch") && parts.nth(2) == Some("alarm");
    parts.next().filter(|name| is_alarm && !name.is_empty()).unwrap_or(name_or_arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1000;
    const OK: State = State::Ok;
    const UNKNOWN: State = State::Unknown;

    fn alarm(since: i64) -> State {
        State::Alarm { since }
    }

    fn readings(states: &[State]) -> Vec<Reading<'static>> {
        ["a", "b", "c"].into_iter().zip(states).map(|(name, state)| Reading { name, state: *state }).collect()
    }

    fn triggered(names: &[&str]) -> Watch {
        Watch::Triggered(names.iter().map(|&name| name.to_owned()).collect())
    }

    #[test]
    fn when_alarms_are_observed_then_the_deployment_is_watched_failed_or_left_alone() {
        use Watch::{Ignored, Monitoring, Starting};
        for (before, states, after) in [
            (Starting, &[OK, OK][..], Monitoring),
            (Starting, &[OK, UNKNOWN], Starting),
            (Starting, &[UNKNOWN, UNKNOWN], Starting),
            // In ALARM before the start, whether or not the others are known.
            (Starting, &[OK, alarm(START - 1)], Ignored),
            (Starting, &[UNKNOWN, alarm(START)], Ignored),
            (Starting, &[alarm(START + 5), alarm(START - 5)], Ignored),
            // Entered ALARM before anybody could tell.
            (Starting, &[OK, alarm(START + 1)], triggered(&["b"])),
            (Starting, &[UNKNOWN, alarm(START + 1)], triggered(&["b"])),
            (Monitoring, &[OK, OK], Monitoring),
            (Monitoring, &[OK, UNKNOWN], Monitoring),
            (Monitoring, &[OK, alarm(START + 60), alarm(START + 70)], triggered(&["b", "c"])),
            // Seen quiet after the start: the clock of the source is behind.
            (Monitoring, &[OK, alarm(START - 60)], triggered(&["b"])),
            (Ignored, &[OK, alarm(START + 60)], Ignored),
            (Ignored, &[OK, OK], Ignored),
            (triggered(&["a"]), &[OK, alarm(START + 60)], triggered(&["a"])),
            // A configuration without names has nothing to wait for.
            (Starting, &[], Monitoring),
        ] {
            let seen = before.observe(START, &readings(states));
            assert_eq!(seen, after, "{before:?} {states:?}");
            assert_eq!(seen.observe(START, &readings(states)), after, "again: {before:?} {states:?}");
        }
    }

    #[test]
    fn when_an_alarm_is_unknown_then_nothing_is_completed_unless_alarms_are_ignored() {
        for (watch, states, may) in [
            (Watch::Monitoring, [OK, OK], true),
            (Watch::Monitoring, [OK, UNKNOWN], false),
            (Watch::Monitoring, [OK, alarm(START + 1)], false),
            (Watch::Starting, [OK, OK], false),
            (Watch::Ignored, [alarm(START), UNKNOWN], true),
            (triggered(&["a"]), [OK, OK], false),
        ] {
            assert_eq!(watch.may_complete(&readings(&states)), may, "{watch:?} {states:?}");
        }
        let readings = readings(&[UNKNOWN, OK, UNKNOWN]);
        assert_eq!(unknown(&readings).collect::<Vec<_>>(), ["a", "c"]);
    }

    #[test]
    fn when_an_alarm_is_given_by_arn_then_its_name_is_what_follows_the_resource_type() {
        for (text, expected) in [
            ("errors", "errors"),
            ("arn:aws:cloudwatch:us-east-1:123456789012:alarm:errors", "errors"),
            ("arn:aws-cn:cloudwatch:cn-north-1:123456789012:alarm:a/b: 5xx", "a/b: 5xx"),
            ("arn:aws:cloudwatch:us-east-1:123456789012:alarm:", "arn:aws:cloudwatch:us-east-1:123456789012:alarm:"),
            ("arn:aws:sns:us-east-1:123456789012:alarm:x", "arn:aws:sns:us-east-1:123456789012:alarm:x"),
            ("team: errors", "team: errors"),
            ("", ""),
        ] {
            assert_eq!(name(text), expected, "{text}");
        }
    }
}
