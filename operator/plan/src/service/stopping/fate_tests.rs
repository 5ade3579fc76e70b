//! The fate of one task, by what is known of it.

use ecs::lifecycle::StopCode;
use jiff::Timestamp;

use super::{Facts, Fate, fate};
use crate::pod::ending::Ending;

fn ending() -> Ending {
    Ending { stop_code: StopCode::EssentialContainerExited, reason: "x".to_owned(), container: None }
}

fn recorded(is_paced: bool) -> Fate {
    Fate::Record { ending: ending(), is_paced }
}

#[test]
fn when_facts_about_a_task_are_known_then_its_fate_follows() {
    let later = Timestamp::UNIX_EPOCH;
    let well = || Facts { is_counted: true, has_started: true, ..Facts::default() };
    let over = || Facts { ending: Some(ending()), is_failing: true, ..well() };
    let never_ran = || Facts { has_started: false, ..over() };
    let cannot_start =
        || Facts { failed_start: Some(ending()), has_started: false, is_failing: true, has_failed: true, ..well() };
    let unhealthy = || Facts { is_to_be_replaced: true, ..well() };
    let keep = || Fate::Keep;
    for (what, facts, expected) in [
        ("it runs", well(), keep()),
        ("it is unhealthy or on a draining instance", unhealthy(), Fate::Replace),
        ("it is unhealthy and not counted yet", Facts { has_failed: true, is_counted: false, ..unhealthy() }, keep()),
        ("it is unhealthy and counted", Facts { has_failed: true, ..unhealthy() }, Fate::Replace),
        ("it ended after it had worked", over(), recorded(false)),
        ("it ended too early", Facts { has_failed: true, ..over() }, recorded(true)),
        ("it ended too early and is not counted yet", Facts { has_failed: true, is_counted: false, ..over() }, keep()),
        ("it ended and its deployment is given up", Facts { is_given_up: true, ..over() }, keep()),
        ("its pod is over already", Facts { is_over: true, has_failed: true, ..over() }, recorded(false)),
        (
            "its pod is over and its deployment is given up",
            Facts { is_over: true, is_given_up: true, ..over() },
            recorded(false),
        ),
        ("a container that others need failed", never_ran(), recorded(false)),
        ("the same while starts are delayed", Facts { next_start: Some(later), ..never_ran() }, Fate::Wait(later)),
        (
            "it ended while starts are delayed, but had worked",
            Facts { next_start: Some(later), ..over() },
            recorded(false),
        ),
        ("it cannot start", cannot_start(), recorded(false)),
        ("it cannot start and is not counted yet", Facts { is_counted: false, ..cannot_start() }, keep()),
        (
            "it cannot start while starts are delayed",
            Facts { next_start: Some(later), ..cannot_start() },
            Fate::Wait(later),
        ),
        ("it waits for a secret", Facts { waits_for_secret: true, ..cannot_start() }, keep()),
        ("it cannot start and its deployment is given up", Facts { is_given_up: true, ..cannot_start() }, keep()),
        ("it is unhealthy in a deployment that is given up", Facts { is_given_up: true, ..unhealthy() }, Fate::Replace),
    ] {
        assert_eq!(fate(facts), expected, "{what}");
    }
}
