//! What the tests came to: counts, failures and a line for each part.

use anyhow::{Result, bail};

use crate::progress;
use crate::xtask::suite::{Count, Outcome};

/// Results so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    count: Count,
    failures: Vec<String>,
    /// A line for each part, with its time.
    summary: Vec<String>,
}

impl Report {
    /// A part has run.
    pub(super) fn add(&mut self, outcome: Outcome) {
        let Outcome { what, count, is_success, elapsed } = outcome;
        self.count.passed += count.passed;
        self.count.failed += count.failed;
        self.summary.push(format!("{what}: {count} in {}", progress::seconds(elapsed)));
        if !is_success {
            self.failures.push(format!("{what}, {count}"));
        }
    }

    /// A part cannot run here.
    pub(super) fn skip(&mut self, part: &str, why: impl std::fmt::Display) {
        progress::note(format!("skipped: {why}"));
        self.summary.push(format!("{part}: skipped, {why}"));
    }

    /// Prints everything.
    ///
    /// # Errors
    /// When a test failed, or when there was none because none has `only` in its name.
    pub(super) fn finish(self, only: Option<&str>) -> Result<()> {
        for line in &self.summary {
            println!("{line}");
        }
        let Count { passed, failed } = self.count;
        if !self.failures.is_empty() {
            for failure in &self.failures {
                eprintln!("failed: {failure}");
            }
            println!("{passed} passed, {failed} failed");
            bail!(
                "tests failed: run `cargo xtask test --only NAME` for one scenario, with `--keep` to look at it afterwards"
            );
        }
        if let (Some(only), Count { passed: 0, failed: 0 }) = (only, self.count) {
            bail!(
                "no scenario has `{only}` in its name: `cargo test -p e2e --test scenarios -- --list` shows them all"
            );
        }
        println!("{passed} passed, {failed} failed");
        Ok(())
    }
}
