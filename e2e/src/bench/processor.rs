//! Processor time of processes, as Linux accounts for it: who made the machine busy.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};

use crate::cluster::Cluster;
use crate::cluster::Process;
use crate::operator::Operator;

/// Processes by name.
#[derive(Clone, Debug)]
pub(super) struct Processes(Vec<(String, u32)>);

/// Milliseconds of processor time by name of the process.
pub(super) type Spent = BTreeMap<String, u64>;

impl Processes {
    /// The operator and the processes of the control plane, as far as they run.
    pub(super) fn of(cluster: &Cluster, operator: &Operator) -> Result<Self> {
        let local = cluster.local()?;
        let mut all = vec![("ecs-operator".to_owned(), operator.pid().context("the operator does not run")?)];
        for id in Process::ALL.into_iter().filter_map(|process| local.id(process).ok()) {
            all.push((id.name, u32::try_from(id.pid)?));
        }
        Ok(Self(all))
    }

    /// What they have spent since they were started.
    pub(super) fn spent(&self) -> Result<Spent> {
        self.0.iter().map(|(name, pid)| Ok((name.clone(), spent(*pid)?))).collect()
    }
}

/// What was spent between two looks.
pub(super) fn between(before: &Spent, after: &Spent) -> Spent {
    let since = |(name, end): (&String, &u64)| {
        (name.clone(), end.saturating_sub(before.get(name).copied().unwrap_or_default()))
    };
    after.iter().map(since).collect()
}

fn spent(pid: u32) -> Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("processor time can only be read on Linux")?;
    let ticks = ticks(&stat).context("no processor time in /proc/PID/stat")?;
    Ok(ticks * 1000 / rustix::param::clock_ticks_per_second())
}

/// Fields 14 and 15, user and system time; the program's name in field 2 may hold spaces and brackets.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(|field| field.parse::<u64>().ok());
    Some(times.next()?? + times.next()??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_the_program_name_holds_brackets_then_user_and_system_time_are_added() {
        assert_eq!(ticks("7 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 40 2 13 14 15"), Some(42));
        assert_eq!(ticks("7 (gone)"), None);
    }
}
