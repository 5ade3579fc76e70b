//! Rules of a scalable target that CEL cannot say.

use api::scalable_target::{ScalableTargetSpec, ScheduledAction};
use api::schema::StringOrInteger;
use ecs::Violation;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::from_violations;
use crate::core::kind::Kind;
use crate::core::report::Refusal;

/// Times of scheduled actions: dates that exist, a start before the end.
///
/// Paths start with `spec.`; the exception is that of Application Auto Scaling.
#[must_use]
pub fn scalable_target(spec: &ScalableTargetSpec) -> Vec<Refusal> {
    let mut violations = Vec::new();
    for (index, action) in spec.scheduled_actions.iter().flatten().enumerate() {
        check(&format!("ScheduledActions[{index}]"), action, &mut violations);
    }
    from_violations(Kind::ScalableTarget, violations)
}

fn check(path: &str, action: &ScheduledAction, violations: &mut Vec<Violation>) {
    let once = action.schedule.as_deref().and_then(|schedule| schedule.strip_prefix("at(")?.strip_suffix(')'));
    if let Some(once) = once
        && once.parse::<DateTime>().is_err()
    {
        violations.push(Violation::new(format!("{path}.Schedule"), format!("{once:?} is not a date and time")));
    }
    let mut read = |name: &str, time: Option<&StringOrInteger>| {
        let time = time?;
        let instant = instant(time);
        if instant.is_none() {
            violations.push(Violation::new(format!("{path}.{name}"), format!("{:?} is not a time", time.to_string())));
        }
        instant
    };
    let start = read("StartTime", action.start_time.as_ref());
    let end = read("EndTime", action.end_time.as_ref());
    if start.zip(end).is_some_and(|(start, end)| start >= end) {
        violations.push(Violation::new(format!("{path}.EndTime"), "EndTime must be after StartTime"));
    }
}

/// Seconds since 1970, with or without a fraction, or a date and time; UTC where it names no offset, as the command line
/// of AWS reads it.
fn instant(time: &StringOrInteger) -> Option<Timestamp> {
    match time {
        StringOrInteger::Integer(seconds) => Timestamp::from_second(*seconds).ok(),
        StringOrInteger::String(text) => {
            let from_seconds = || {
                let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
                let is_fraction = fraction.bytes().all(|byte| byte.is_ascii_digit());
                whole.parse().ok().filter(|_| is_fraction).and_then(|seconds| Timestamp::from_second(seconds).ok())
            };
            let from_date =
                || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
            text.parse().ok().or_else(from_date).or_else(from_seconds)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_the_command_line_of_aws_writes_them() {
        let noon: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        for text in
            ["2026-01-31T12:00:00Z", "2026-01-31T13:00:00+01:00", "2026-01-31T12:00:00", "1769860800", "1769860800.0"]
        {
            assert_eq!(instant(&text.into()), Some(noon), "{text}");
        }
        assert_eq!(instant(&1_769_860_800.into()), Some(noon));
        for text in ["", "tomorrow", "2026-02-30T12:00:00Z", "1769860800.x"] {
            assert_eq!(instant(&text.into()), None, "{text}");
        }
    }
}
