//! One program that runs tests: what it prints, and what its summary lines add up to.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::progress;

/// When the output of a program is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Show {
    /// Line by line, as it comes.
    Live,
    /// When it has ended, since another program is shown meanwhile.
    Afterwards,
}

/// How a program ended.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    /// What it was for.
    pub(super) what: String,
    /// What its summary lines added up to.
    pub(super) count: Count,
    /// Whether it ended well.
    pub(super) is_success: bool,
    /// From start to end.
    pub(super) elapsed: Duration,
}

/// What cargo's own summary lines added up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) passed: u64,
    pub(super) failed: u64,
}

/// Runs tests.
pub(super) async fn run(
    what: &str,
    mut command: Command,
    environment: &[(&str, OsString)],
    show: Show,
) -> Result<Outcome> {
    let step = progress::step(what);
    command
        .envs(environment.iter().map(|(name, value)| (name, value)))
        // A failed expectation says what is wrong; where it was waited for does not matter.
        .env("RUST_LIB_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().context("cannot run the tests")?;
    let output = child.stdout.take().context("the tests have no output")?;
    let mut lines = BufReader::new(output).lines();
    let (mut count, mut kept) = (Count::default(), Vec::new());
    while let Some(line) = lines.next_line().await? {
        count.add(&line);
        match show {
            Show::Live => println!("{line}"),
            Show::Afterwards => kept.push(line),
        }
    }
    let status = child.wait().await?;
    for line in kept {
        println!("{line}");
    }
    if !status.success() && count.failed == 0 {
        // It did not build, or ended before it could sum up.
        count.failed = 1;
    }
    let elapsed = step.elapsed();
    let verdict = if status.success() { "" } else { "FAILED: " };
    step.done_with(format!("{verdict}{count}"));
    Ok(Outcome { what: what.to_owned(), count, is_success: status.success(), elapsed })
}

impl Count {
    /// Adds a line such as `test result: ok. 12 passed; 0 failed; 1 ignored; …`; other lines change nothing.
    fn add(&mut self, line: &str) {
        let Some((_, rest)) = line.split_once("test result: ") else { return };
        let number = |word: &str| {
            let (before, _) = rest.split_once(word)?;
            before.trim_end().rsplit([' ', ';', '.']).next()?.parse::<u64>().ok()
        };
        self.passed += number(" passed").unwrap_or_default();
        self.failed += number(" failed").unwrap_or_default();
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_cargo_sums_up_then_passed_and_failed_are_added() {
        let mut count = Count::default();
        for line in [
            "running 3 tests",
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
        ] {
            count.add(line);
        }
        assert_eq!(count, Count { passed: 15, failed: 2 });
    }

    #[tokio::test]
    async fn when_a_program_ends_badly_without_a_summary_then_one_test_failed() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo 'test result: ok. 2 passed; 0 failed'; exit 3"]);
        let outcome = run("a program", command, &[], Show::Afterwards).await.unwrap();
        assert_eq!((outcome.count, outcome.is_success), (Count { passed: 2, failed: 1 }, false));
    }
}
