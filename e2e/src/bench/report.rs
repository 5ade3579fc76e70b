//! The table that is printed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::progress::Times;

/// Resident bytes by number of services.
pub(super) type Memory = Vec<(usize, u64)>;

/// One turn of each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    pub(super) operator: Times,
    pub(super) raw: Times,
}

/// What the operator asked the server for although nothing changed.
#[derive(Clone, Debug)]
pub(super) struct Rest {
    pub(super) seconds: u64,
    pub(super) leases: usize,
    pub(super) others: BTreeMap<String, usize>,
}

/// Everything measured.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) services: usize,
    /// Creates and status writes per service.
    pub(super) recipe: (usize, usize),
    pub(super) memory: Memory,
    pub(super) rest: Rest,
    /// Writes of the operator until all services were there.
    pub(super) writes: Vec<(String, usize)>,
    pub(super) rounds: Vec<Round>,
    pub(super) starts: Vec<Duration>,
    pub(super) binary: u64,
}

impl Report {
    /// Raw time by operator time, in percent: 70 means that the operator needs 1.43 times as long.
    fn ratios(&self) -> Vec<u128> {
        let percent = |round: &Round| round.raw.all.as_millis() * 100 / round.operator.all.as_millis().max(1);
        self.rounds.iter().map(percent).collect()
    }

    /// Bytes per service between no service and all.
    fn slope(&self) -> u64 {
        let (Some((_, empty)), Some((count, full))) = (self.memory.first(), self.memory.last()) else { return 0 };
        full.saturating_sub(*empty) / u64::try_from(*count).unwrap_or(1).max(1)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (creates, statuses) = self.recipe;
        let services = self.services;
        writeln!(formatter, "| Measure | Goal | Result |\n|---|---|---|")?;
        let ratios = self.ratios();
        let all = ratios.iter().map(|ratio| decimal(*ratio)).collect::<Vec<_>>().join(", ");
        let ratio = median(ratios).map_or_else(String::new, decimal);
        writeln!(formatter, "| Raw time / operator time, {services} services, median | ≥ 0.70 | {ratio} ({all}) |")?;
        writeln!(formatter, "| Writes per service: creates + status | children + 2 | {creates} + {statuses} |")?;
        let others = self.rest.others.values().sum::<usize>();
        let (seconds, leases) = (self.rest.seconds, self.rest.leases);
        writeln!(formatter, "| Requests in {seconds} s at rest, without the lease | 0 | {others} (lease: {leases}) |")?;
        writeln!(formatter, "| Memory per service | ≤ 40 KiB | {} KiB |", tenths(self.slope(), 1024))?;
        let start = median(self.starts.iter().map(Duration::as_millis).collect()).unwrap_or_default();
        writeln!(formatter, "| Process start to first watch, median | ≤ 200 ms | {start} ms |")?;
        writeln!(formatter, "| Release binary | ≤ 25 MB | {} MB |", tenths(self.binary, 1_000_000))?;

        writeln!(
            formatter,
            "\n| Round | Operator | Raw client | Deployments seen: operator | raw |\n|---|---|---|---|---|"
        )?;
        for (index, round) in self.rounds.iter().enumerate() {
            let times = [round.operator.all, round.raw.all, round.operator.deployments, round.raw.deployments];
            let cells =
                times.map(|time| format!("{} s", tenths(u64::try_from(time.as_millis()).unwrap_or_default(), 1000)));
            writeln!(formatter, "| {} | {} |", index + 1, cells.join(" | "))?;
        }
        writeln!(formatter, "\n| Services | Resident |\n|---|---|")?;
        for (count, bytes) in &self.memory {
            writeln!(formatter, "| {count} | {} MiB |", tenths(*bytes, 1024 * 1024))?;
        }
        writeln!(formatter, "\n| Request of the operator | Count | Per service |\n|---|---|---|")?;
        for (line, count) in &self.writes {
            let each = u128::try_from(*count).unwrap_or_default() * 100 / u128::try_from(services).unwrap_or(1).max(1);
            writeln!(formatter, "| {line} | {count} | {} |", decimal(each))?;
        }
        for (line, count) in &self.rest.others {
            writeln!(formatter, "| at rest: {line} | {count} | |")?;
        }
        Ok(())
    }
}

/// The middle one; of an even number, the lower of the two.
pub(super) fn median<T: Ord + Copy>(mut values: Vec<T>) -> Option<T> {
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied()
}

/// Hundredths as a decimal: 71 is `0.71`.
pub(super) fn decimal(hundredths: u128) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// With one decimal, cut: 2560 by 1024 is `2.5`.
pub(super) fn tenths(value: u64, unit: u64) -> String {
    format!("{}.{}", value / unit, value % unit * 10 / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_the_number_of_values_is_even_then_the_lower_middle_is_the_median() {
        assert_eq!(median(vec![3, 1, 2]), Some(2));
        assert_eq!(median(vec![4, 1, 2, 3]), Some(2));
        assert_eq!(median::<u8>(Vec::new()), None);
    }

    #[test]
    fn when_numbers_are_printed_then_decimals_are_cut() {
        assert_eq!((decimal(71), decimal(105), decimal(100)), ("0.71".into(), "1.05".into(), "1.00".into()));
        assert_eq!((tenths(2560, 1024), tenths(2559, 1024)), ("2.5".into(), "2.4".into()));
    }

    #[test]
    fn when_the_operator_takes_longer_then_the_ratio_is_below_one() {
        let times = |millis| Times { all: Duration::from_millis(millis), deployments: Duration::ZERO };
        let report = Report {
            services: 10,
            recipe: (5, 2),
            memory: vec![(0, 1024), (10, 11 * 1024)],
            rest: Rest { seconds: 1, leases: 0, others: BTreeMap::new() },
            writes: Vec::new(),
            rounds: vec![Round { operator: times(2000), raw: times(1500) }],
            starts: Vec::new(),
            binary: 0,
        };
        assert_eq!((report.ratios(), report.slope()), (vec![75], 1024));
    }
}
