//! Random histories of a service: the state machine of rolling deployments against a small simulated Kubernetes.
//!
//! ```text
//! history: updates, scaling, percentages, strategies, failures, drains, lost nodes, protection, stops  ──> cluster
//! operator: observes the cluster (now and then an earlier state of it), steps, asks for counts         ──> cluster
//! cluster: ReplicaSets that act with delay and delete in their own order; tasks that start, fail, are slow
//! ```
//!
//! While things happen, no pod is made above the maximum and no healthy one is given up below the minimum. When nothing
//! happens any more, the service reaches its end and stays there.
//!
//! 3,000 histories by default; `HISTORIES=1000000 cargo test --release -p ecs --test histories` for more, `SEED=n` for one.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests report by panicking

mod cluster;
mod operator;
mod random;

use cluster::{Cluster, Mode};
use ecs::rolling::bounds;
use ecs::rollout::Launching;
use operator::Operator;
use random::Random;

/// Seconds from one look to the next.
const TICK: i64 = 5;
/// Ticks in which nothing new happens and within which a service of up to 30 tasks must be where it is to be.
const CALM: usize = 600;

/// What went wrong.
type Failure = String;

/// Runs one history.
fn history(seed: u64, trace: bool) -> Result<(), Failure> {
    let mut random = Random::new(seed);
    let mut cluster = Cluster::new(&mut random);
    let mut operator = Operator::new(&mut random);
    let ticks = random.below(100) + 20;
    for _ in 0..ticks {
        if random.chance(25) {
            let said = happen(&mut cluster, &mut operator, &mut random);
            if trace {
                println!("{:>5} {said}", cluster.now);
            }
        }
        tick(&mut cluster, &mut operator, &mut random, trace)?;
    }
    calm(&mut cluster, &mut operator, &mut random);
    if trace {
        println!("{:>5} calm", cluster.now);
    }
    let mut steady = 0;
    for _ in 0..CALM {
        let before = cluster.asked();
        tick(&mut cluster, &mut operator, &mut random, trace)?;
        let is_at_end = operator.is_at_end(&cluster);
        if steady > 0 && (!is_at_end || cluster.asked() != before) {
            return Err(format!("at {} it left the state it had reached: {}", cluster.now, cluster.show()));
        }
        steady = if is_at_end { steady + 1 } else { 0 };
        if steady > 20 {
            return Ok(());
        }
    }
    Err(format!("the end is not reached: {}", cluster.show()))
}

fn tick(cluster: &mut Cluster, operator: &mut Operator, random: &mut Random, trace: bool) -> Result<(), Failure> {
    cluster.remember();
    if operator.is_calm || random.chance(70) {
        let before = cluster.asked();
        operator.reconcile(cluster, random)?;
        if trace && before != cluster.asked() {
            println!("{} (seen {})", cluster.show(), cluster.limits.seen_at);
        }
    }
    cluster.act(random, operator.is_calm)?;
    cluster.now += TICK;
    Ok(())
}

/// One thing that users, nodes or tasks do.
fn happen(cluster: &mut Cluster, operator: &mut Operator, random: &mut Random) -> String {
    match random.below(14) {
        0 | 1 => {
            operator.desired = *random.pick(&[0, 1, 1, 2, 3, 4, 5, 7, 10, 13, 30]);
            format!("desired count {}", operator.desired)
        }
        2 | 3 => {
            operator.update(*random.pick(&Mode::ALL), cluster);
            format!("deployment {} of mode {:?}", operator.primary, cluster.mode(operator.primary))
        }
        4 => {
            operator.percentages = random::percentages(random);
            format!("{:?}", operator.percentages)
        }
        5 => {
            operator.change_strategy(random);
            format!("strategy {:?}", operator.strategy)
        }
        6 => {
            let node = cluster.lose_node(random);
            format!("node {node} is lost")
        }
        7 => {
            let node = cluster.toggle_drain(random);
            format!("node {node} drains or does not any more")
        }
        8 => {
            operator.launching = if operator.launching == Launching::Frozen || operator.primary == 0 {
                Launching::Allowed
            } else {
                Launching::Frozen
            };
            format!("{:?}", operator.launching)
        }
        9 => {
            operator.is_early_success = !operator.is_early_success;
            format!("early success {}", operator.is_early_success)
        }
        10 => {
            cluster.protect(random);
            "protection".to_owned()
        }
        11 => {
            cluster.is_full = !cluster.is_full;
            format!("nodes are full: {}", cluster.is_full)
        }
        12 => {
            let jump = random.below_i64(400) - 100;
            cluster.jump(jump);
            format!("the clock jumps by {jump}")
        }
        _ => {
            cluster.spoil(random);
            "some tasks fail".to_owned()
        }
    }
}

/// Failures stop, nodes and protection come to their end, and the deployment that is there can succeed.
fn calm(cluster: &mut Cluster, operator: &mut Operator, random: &mut Random) {
    operator.is_calm = true;
    operator.launching = Launching::Allowed;
    cluster.heal();
    if cluster.mode(operator.primary) != Mode::Good && cluster.mode(operator.primary) != Mode::Slow {
        operator.update(Mode::Good, cluster);
    }
    // Some are left with percentages that let nothing go on: that must be said, and nothing else may happen.
    if bounds(operator.desired, operator.percentages).is_stuck(operator.desired) && random.chance(50) {
        operator.percentages = ecs::rolling::Percentages::default();
    }
}

/// A rollout that makes no progress, while one old task after the other becomes unhealthy.
fn hopeless(seed: u64, trace: bool) -> Result<(), Failure> {
    let mut random = Random::new(seed);
    let mut cluster = Cluster::new(&mut random);
    let mut operator = Operator::new(&mut random);
    let bounds = bounds(operator.desired, operator.percentages);
    if bounds.is_stuck(operator.desired) {
        return Ok(());
    }
    operator.is_calm = true;
    for _ in 0..60 {
        tick(&mut cluster, &mut operator, &mut random, trace)?;
    }
    operator.is_calm = false;
    operator.update(*random.pick(&[Mode::CannotStart, Mode::NeverReady]), &mut cluster);
    for _ in 0..5 {
        for _ in 0..60 {
            tick(&mut cluster, &mut operator, &mut random, trace)?;
        }
        cluster.spoil_one_of(0, &mut random);
        for _ in 0..240 {
            tick(&mut cluster, &mut operator, &mut random, trace)?;
        }
        let (healthy, unhealthy) = cluster.health_of(0);
        if unhealthy > 0 || healthy < bounds.minimum_healthy {
            return Err(format!("{healthy} old tasks are healthy: {} {operator:?}", cluster.show()));
        }
    }
    Ok(())
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn when_a_rollout_makes_no_progress_then_unhealthy_old_tasks_are_replaced_by_their_own_revision() {
    if let Some(seed) = std::env::var("SEED").ok().and_then(|text| text.parse().ok()) {
        hopeless(seed, true).unwrap();
        return;
    }
    for seed in 0..number("HISTORIES", 3_000) / 10 {
        hopeless(seed, false).unwrap_or_else(|failure| panic!("SEED={seed}: {failure}"));
    }
}

#[test]
fn when_anything_happens_then_the_bounds_hold_and_when_nothing_does_any_more_the_end_is_reached() {
    if let Some(seed) = std::env::var("SEED").ok().and_then(|text| text.parse().ok()) {
        history(seed, true).unwrap();
        return;
    }
    let histories = number("HISTORIES", 3_000);
    let threads = std::thread::available_parallelism().map_or(1, |count| u64::try_from(count.get()).unwrap_or(1));
    let step = usize::try_from(threads).unwrap();
    let run = |first: u64| -> Vec<(u64, Failure)> {
        let seeds = (first..histories).step_by(step);
        seeds.filter_map(|seed| Some((seed, history(seed, false).err()?))).collect()
    };
    let failures: Vec<(u64, Failure)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|first| scope.spawn(move || run(first))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let shown: Vec<String> =
        failures.iter().take(10).map(|(seed, failure)| format!("SEED={seed}: {failure}")).collect();
    assert!(failures.is_empty(), "{} of {histories} histories:\n{}", failures.len(), shown.join("\n"));
}
