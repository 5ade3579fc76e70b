use ecs::health::HealthError;

use super::*;

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn check(command: &[&str]) -> HealthCheck {
    HealthCheck { command: words(command), ..HealthCheck::default() }
}

#[test]
fn when_numbers_are_absent_then_the_defaults_of_ecs_count() {
    let probes = probes(&check(&["CMD", "/check", "-v"]), false).unwrap();
    assert_eq!(
        probes.readiness,
        Probe {
            command: words(&["/check", "-v"]),
            period_seconds: 30,
            timeout_seconds: 5,
            failure_threshold: 3,
            initial_delay_seconds: 30,
        }
    );
    assert_eq!(probes.startup, None);
}

#[test]
fn when_the_command_is_for_a_shell_then_the_shell_of_the_system_runs_it() {
    let shell = check(&["CMD-SHELL", "curl -f http://localhost/ || exit 1"]);
    assert_eq!(
        probes(&shell, false).unwrap().readiness.command,
        words(&["/bin/sh", "-c", "curl -f http://localhost/ || exit 1"])
    );
    assert_eq!(
        probes(&shell, true).unwrap().readiness.command,
        words(&["cmd", "/S", "/C", "curl -f http://localhost/ || exit 1"])
    );
}

#[test]
fn when_the_command_has_a_reference_of_kubernetes_in_it_then_it_is_escaped() {
    let shell = check(&["CMD-SHELL", "test $(hostname) = $NAME"]);
    assert_eq!(probes(&shell, false).unwrap().readiness.command[2], "test $$(hostname) = $NAME");
}

#[test]
fn when_there_is_a_start_period_then_the_startup_probe_covers_it_and_the_retries() {
    for (start_period, interval, retries, threshold) in
        [(45, 30, 3, 5), (60, 30, 3, 5), (61, 30, 3, 6), (1, 300, 1, 2), (300, 5, 10, 70)]
    {
        let check = HealthCheck {
            interval: Some(interval),
            retries: Some(retries),
            start_period: Some(start_period),
            ..check(&["CMD", "/check"])
        };
        let probes = probes(&check, false).unwrap();
        let startup = probes.startup.unwrap();
        assert_eq!(startup.failure_threshold, threshold, "{start_period} s, every {interval} s, {retries} retries");
        assert_eq!(Probe { failure_threshold: retries, ..startup }, probes.readiness);
    }
    let off = HealthCheck { start_period: Some(0), ..check(&["CMD", "/check"]) };
    assert_eq!(probes(&off, false).unwrap().startup, None);
}

#[test]
fn when_a_number_leaves_its_range_then_its_field_is_named() {
    let valid = check(&["CMD", "/check"]);
    for (field, least, most) in [("interval", 5, 300), ("timeout", 2, 60), ("retries", 1, 10), ("startPeriod", 0, 300)]
    {
        let with = |value: i64| {
            let mut check = valid.clone();
            let slot = match field {
                "interval" => &mut check.interval,
                "timeout" => &mut check.timeout,
                "retries" => &mut check.retries,
                _ => &mut check.start_period,
            };
            *slot = Some(value);
            probes(&check, false)
        };
        assert!(with(least).is_ok() && with(most).is_ok(), "{field}");
        for value in [least - 1, most + 1] {
            let error = with(value).unwrap_err();
            assert_eq!(error, HealthError::OutOfRange { field, value, least, most });
            assert_eq!(error.field(), field);
        }
    }
}

#[test]
fn when_the_command_has_no_form_or_no_words_then_it_is_refused() {
    for (command, error) in [
        (&[][..], HealthError::CommandForm(String::new())),
        (&["NONE"], HealthError::CommandForm("NONE".to_owned())),
        (&["curl", "-f"], HealthError::CommandForm("curl".to_owned())),
        (&["cmd", "x"], HealthError::CommandForm("cmd".to_owned())),
        (&["CMD"], HealthError::EmptyCommand("CMD".to_owned())),
        (&["CMD-SHELL", ""], HealthError::EmptyCommand("CMD-SHELL".to_owned())),
    ] {
        let refused = probes(&check(command), false).unwrap_err();
        assert_eq!(refused, error);
        assert_eq!(refused.field(), "command");
    }
}
