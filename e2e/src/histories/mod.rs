//! Random histories of one service on a real API server, checked against the rules of ECS and nothing else.
//!
//! ```text
//! action    a seed becomes updates, scaling, failures, drains, stops …, with pauses that hit the middle of rollouts
//! driver    makes them happen in a namespace with two capacity providers of its own, and looks at the end
//! recorder  takes down every change of every object, in the order in which etcd stored them
//! world     what there is at each moment of that tape
//! rules     bounds and thresholds of ECS
//! checks    what must hold at each moment
//! ```
//!
//! Nothing here asks the operator's code. What it may know at a moment is what was stored a few seconds before
//! ([`world::LAG`]): for so long after a change, both the old and the new settings are right.

pub mod action;
pub mod checks;
mod driver;
mod random;
pub mod recorder;
pub mod rules;
pub mod world;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::StreamExt as _;

use self::action::History;
use self::checks::{Complaint, Report};
use self::driver::Driver;
use self::recorder::Recorder;
use crate::cluster::NodeTemplate;
use crate::cluster::nodes::ZONES;
use crate::progress;
use crate::scenario::{Environment, Scenario};

/// Which histories are run, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The first seed.
    pub seed: u64,
    /// How many, with the seeds that follow.
    pub count: u64,
    /// Actions of each.
    pub steps: usize,
    /// How many at a time.
    pub parallel: usize,
    /// Where the lines of histories go in which something is wrong.
    pub folder: PathBuf,
}

/// How one history went.
struct Outcome {
    seed: u64,
    report: Report,
    /// What is wrong at its end.
    wrong: Vec<String>,
    gaps: usize,
}

/// Complaints of one history that are shown.
const MOST_COMPLAINTS: usize = 6;

/// Runs histories side by side on a cluster with an operator.
///
/// # Errors
/// When something is wrong in one of them: says what, and with which seeds.
pub async fn run(environment: &Environment, settings: &Settings) -> Result<()> {
    let mut outcomes = futures::stream::iter(settings.seed..settings.seed.saturating_add(settings.count))
        .map(|seed| async move { (seed, history(environment, settings, seed).await) })
        .buffer_unordered(settings.parallel.max(1));
    let (mut failed, mut passed) = (Vec::new(), 0_usize);
    while let Some((seed, outcome)) = outcomes.next().await {
        let outcome = outcome.with_context(|| format!("history {seed} could not be run"));
        match outcome {
            Err(error) => {
                println!("seed {seed}: {error:#}");
                failed.push(seed);
            }
            Ok(outcome) if outcome.is_well() => {
                passed += 1;
                let gaps = if outcome.gaps > 0 { ", watches had gaps: not all of it was checked" } else { "" };
                let summary = &outcome.report.summary;
                progress::note(format!("history {seed} is as it should be ({passed}): {summary}{gaps}"));
            }
            Ok(outcome) => {
                let path = outcome.keep(&settings.folder)?;
                println!("{outcome_text}  everything: {}", path.display(), outcome_text = outcome.text());
                failed.push(seed);
            }
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    failed.sort_unstable();
    let seeds: Vec<_> = failed.iter().map(u64::to_string).collect();
    bail!("{} of {} histories are wrong, with the seeds {}", failed.len(), settings.count, seeds.join(", "))
}

/// Runs one.
async fn history(environment: &Environment, settings: &Settings, seed: u64) -> Result<Outcome> {
    let history = History::of(seed, settings.steps);
    let mut outcome = None;
    Scenario::run_in(environment.clone(), &format!("history-{seed}"), async |scenario| {
        let pools = ["one", "two"].map(|pool| format!("{}-{pool}", scenario.namespace()));
        // One zone: rebalancing moves tasks when nothing else happens, and has scenarios of its own.
        let [zone, ..] = ZONES;
        let templates = || vec![NodeTemplate::new("a", zone), NodeTemplate::new("b", zone)];
        let owned = pools.iter().map(|pool| (pool.clone(), templates())).collect();
        scenario
            .on_own_pools(owned, async || {
                let recorder = Recorder::start(scenario.client(), scenario.namespace()).await?;
                recorder.deed(format!("seed {seed}, {:?}", history.start));
                let wrong = Driver::new(scenario, &recorder, pools, history.start).run(&history).await;
                let tape = recorder.stop();
                let mut report = checks::check(&tape);
                if tape.gaps > 0 {
                    report.complaints.clear();
                }
                let wrong = wrong.unwrap_or_else(|error| vec![format!("{error:#}")]);
                outcome = Some(Outcome { seed, report, wrong, gaps: tape.gaps });
                // The providers go with the nodes, and are kept while the service is there.
                scenario.when_deleted("ECSService", driver::SERVICE).await
            })
            .await
    })
    .await?;
    outcome.context("it has no outcome")
}

impl Outcome {
    fn is_well(&self) -> bool {
        self.report.complaints.is_empty() && self.wrong.is_empty()
    }

    fn text(&self) -> String {
        let mut text = format!("seed {}: {} complaints\n", self.seed, self.report.complaints.len() + self.wrong.len());
        for wrong in &self.wrong {
            let _ = writeln!(text, "  at the end: {wrong}");
        }
        for Complaint { at, rule, text: what } in self.report.complaints.iter().take(MOST_COMPLAINTS) {
            let _ = writeln!(text, "  {:.2}s {rule}: {what}", at.as_secs_f64());
        }
        text
    }

    /// Writes everything that happened into a file.
    fn keep(&self, folder: &Path) -> Result<PathBuf> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("history-{}.txt", self.seed));
        let complaints = self.report.complaints.iter().map(|one| (one.at, format!("!!!! {}: {}", one.rule, one.text)));
        let mut lines: Vec<(Duration, String)> = self.report.lines.iter().cloned().chain(complaints).collect();
        lines.sort_by_key(|(at, _)| *at);
        let mut text = self.text();
        for (at, line) in lines {
            let _ = writeln!(text, "{:>7.2}s {line}", at.as_secs_f64());
        }
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}
