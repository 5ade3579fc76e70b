//! Kubernetes, as far as counts of pods go: one ReplicaSet for each service deployment and provider.

use std::collections::{BTreeMap, VecDeque};

use crate::Failure;
use crate::random::Random;

/// How the tasks of a service deployment do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Good,
    Slow,
    NeverReady,
    CannotStart,
    FailsBefore,
    FailsAfter,
    SometimesUnhealthy,
}

impl Mode {
    pub(crate) const ALL: [Self; 10] = [
        Self::Good,
        Self::Good,
        Self::Good,
        Self::Good,
        Self::Slow,
        Self::NeverReady,
        Self::CannotStart,
        Self::FailsBefore,
        Self::FailsAfter,
        Self::SometimesUnhealthy,
    ];
}

/// Number of a service deployment, and index of a provider.
pub(crate) type Id = (usize, usize);

/// What Kubernetes keeps of a Deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deployment {
    pub(crate) asked: i64,
    pub(crate) asked_for: Option<i64>,
}

#[expect(clippy::struct_excessive_bools, reason = "independent facts about a pod")]
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) number: u64,
    pub(crate) id: Id,
    node: Option<usize>,
    made_at: i64,
    /// When it is Ready, if nothing comes in between, and when it counts as healthy.
    ready_at: i64,
    healthy_at: i64,
    fails_at: Option<i64>,
    unhealthy_at: Option<i64>,
    protected_until: i64,
    pub(crate) is_failing: bool,
    pub(crate) is_unhealthy: bool,
    pub(crate) is_ready: bool,
    pub(crate) is_healthy: bool,
    pub(crate) is_protected: bool,
    pub(crate) is_draining: bool,
    pub(crate) is_marked: bool,
    /// It was not healthy when it was chosen to go.
    pub(crate) was_idle: bool,
}

impl Pod {
    pub(crate) fn is_unplaced(&self) -> bool {
        self.node.is_none()
    }

    /// Whether the service replaces it.
    pub(crate) fn is_leaving(&self) -> bool {
        !self.is_failing && (self.is_unhealthy || self.is_draining)
    }
}

/// What an operator sees: all of a moment.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) number: u64,
    pub(crate) at: i64,
    pub(crate) pods: Vec<Pod>,
}

/// What the operator's last step allows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) most: i64,
    pub(crate) fewest: i64,
    /// When what it saw was so.
    pub(crate) seen_at: i64,
}

#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) now: i64,
    /// What a clock would show is ahead of that by so much.
    pub(crate) deployments: BTreeMap<Id, Deployment>,
    pub(crate) pods: Vec<Pod>,
    modes: Vec<Mode>,
    nodes: Vec<bool>,
    pub(crate) is_full: bool,
    has_check: bool,
    next: u64,
    pub(crate) past: VecDeque<Seen>,
    pub(crate) limits: Limits,
    /// When healthy tasks were lost without anybody asking for it.
    losses: Vec<i64>,
    /// What the minimum was, and when it was seen that more were healthy, as each Deployment was lowered.
    pub(crate) lowered: BTreeMap<Id, Limits>,
    is_calm: bool,
}

impl Cluster {
    pub(crate) fn new(random: &mut Random) -> Self {
        Self {
            now: 0,
            deployments: BTreeMap::new(),
            pods: Vec::new(),
            modes: vec![Mode::Good],
            nodes: vec![false; random.below(5) + 2],
            is_full: false,
            has_check: random.chance(50),
            next: 0,
            past: VecDeque::new(),
            limits: Limits::default(),
            losses: Vec::new(),
            lowered: BTreeMap::new(),
            is_calm: false,
        }
    }

    pub(crate) fn mode(&self, deployment: usize) -> Mode {
        self.modes[deployment]
    }

    pub(crate) fn add_mode(&mut self, mode: Mode) {
        self.modes.push(mode);
    }

    pub(crate) fn asked(&self) -> Vec<(Id, i64)> {
        let asked = self.deployments.iter().map(|(id, deployment)| (*id, deployment.asked));
        asked.filter(|(_, count)| *count > 0).collect()
    }

    pub(crate) fn existing(&self, id: Id) -> i64 {
        count(self.pods.iter().filter(|pod| pod.id == id))
    }

    pub(crate) fn healthy(&self) -> i64 {
        count(self.pods.iter().filter(|pod| pod.is_healthy))
    }

    /// Keeps what is so now for those who look late.
    pub(crate) fn remember(&mut self) {
        self.live();
        let number = self.past.back().map_or(1, |seen| seen.number + 1);
        self.past.push_back(Seen { number, at: self.now, pods: self.pods.clone() });
        if self.past.len() > 6 {
            self.past.pop_front();
        }
    }

    /// What became of the tasks by themselves.
    fn live(&mut self) {
        for pod in &mut self.pods {
            let was_healthy = pod.is_healthy;
            let is_due = |at: Option<i64>| at.is_some_and(|at| at <= self.now);
            pod.is_failing |= is_due(pod.fails_at);
            pod.is_unhealthy |= is_due(pod.unhealthy_at);
            pod.is_draining = pod.node.is_some_and(|node| self.nodes[node]);
            pod.is_protected = pod.protected_until > self.now;
            if pod.node.is_none() && !self.is_full {
                let node = usize::try_from(pod.number).unwrap() % self.nodes.len();
                pod.node = Some(node);
                let late = self.now - pod.ready_at.min(self.now);
                pod.ready_at += late;
                pod.healthy_at += late;
            }
            let works = pod.node.is_some() && !pod.is_failing && !pod.is_unhealthy;
            pod.is_ready = works && pod.ready_at <= self.now;
            pod.is_healthy = works && pod.healthy_at <= self.now;
            if was_healthy && !pod.is_healthy {
                self.losses.push(self.now);
            }
        }
    }

    /// What ReplicaSets do, each when it comes to it.
    pub(crate) fn act(&mut self, random: &mut Random, is_calm: bool) -> Result<(), Failure> {
        self.is_calm = is_calm;
        let ids: Vec<Id> = self.deployments.keys().copied().collect();
        for id in ids {
            if is_calm || random.chance(50) {
                let more = self.deployments[&id].asked - self.existing(id);
                for _ in 0..more {
                    self.make(id, random)?;
                }
                for _ in more..0 {
                    self.delete_one(id, random)?;
                }
            }
        }
        Ok(())
    }

    fn make(&mut self, id: Id, random: &mut Random) -> Result<(), Failure> {
        let mode = if self.is_calm { Mode::Good } else { self.modes[id.0] };
        let delay = if mode == Mode::Slow { 60 + random.below_i64(200) } else { random.below_i64(30) };
        let never = i64::MAX / 2;
        let ready_at = if matches!(mode, Mode::NeverReady | Mode::CannotStart) { never } else { self.now + delay };
        let after = |delay: i64| Some(ready_at.min(self.now + 30) + delay);
        let node = random.below(self.nodes.len());
        self.next += 1;
        self.pods.push(Pod {
            number: self.next,
            id,
            made_at: self.now,
            node: (!self.is_full && !self.nodes[node]).then_some(node),
            ready_at,
            healthy_at: ready_at + if self.has_check { 0 } else { 40 },
            fails_at: match mode {
                Mode::FailsBefore | Mode::CannotStart => Some(self.now + random.below_i64(20)),
                Mode::FailsAfter => after(random.below_i64(120)),
                _ => None,
            },
            unhealthy_at: match mode {
                Mode::SometimesUnhealthy if random.chance(40) => after(random.below_i64(200)),
                Mode::NeverReady if random.chance(50) => Some(self.now + 90),
                _ => None,
            },
            protected_until: 0,
            is_failing: false,
            is_unhealthy: false,
            is_ready: false,
            is_healthy: false,
            is_protected: false,
            is_draining: false,
            is_marked: false,
            was_idle: false,
        });
        let all = count(self.pods.iter());
        if all > self.limits.most {
            return Err(format!("at {} there are {all} tasks and {:?}: {}", self.now, self.limits, self.show()));
        }
        Ok(())
    }

    /// Pods that are not ready go first, then those that were marked, then any.
    fn delete_one(&mut self, id: Id, random: &mut Random) -> Result<(), Failure> {
        let order = |pod: &Pod| match pod {
            pod if pod.is_unplaced() => 0,
            pod if !pod.is_ready => 1,
            pod if pod.is_marked => 2,
            _ => 3,
        };
        let first = self.pods.iter().filter(|pod| pod.id == id).map(order).min();
        let candidates: Vec<usize> = (0..self.pods.len())
            .filter(|at| self.pods[*at].id == id && Some(order(&self.pods[*at])) == first)
            .collect();
        let pod = self.pods.remove(*random.pick(&candidates));
        self.stopped(&pod)
    }

    /// A task is stopped because there are more than are asked for.
    fn stopped(&mut self, pod: &Pod) -> Result<(), Failure> {
        if !pod.is_healthy {
            return Ok(());
        }
        if pod.is_marked && pod.was_idle {
            // It came to be healthy after the choice. What the operator sees of this moment was there before.
            self.losses.push(self.now + 1);
            return Ok(());
        }
        let limits = self.lowered.get(&pod.id).copied().unwrap_or(self.limits);
        // What was lost since the oldest view by which some are yet to go, and what was not in that view, could not be
        // reckoned with.
        let seen_at = self.lowered.values().map(|limits| limits.seen_at).min().unwrap_or(limits.seen_at);
        let lost = count(self.losses.iter().filter(|at| **at > seen_at));
        let unseen = count(self.pods.iter().filter(|other| other.made_at >= seen_at));
        let fewest = limits.fewest.min(self.limits.fewest);
        if self.healthy() + lost + unseen < fewest {
            let (now, healthy) = (self.now, self.healthy());
            return Err(format!("at {now} {healthy} are healthy and {fewest} are to be: {}", self.show()));
        }
        if !pod.is_marked {
            // There was one more than those who chose had seen, and it is not the one that went.
            self.losses.push(self.now + 1);
        }
        Ok(())
    }

    pub(crate) fn lose_node(&mut self, random: &mut Random) -> usize {
        let node = random.below(self.nodes.len());
        let lost = self.pods.iter().filter(|pod| pod.node == Some(node) && pod.is_healthy);
        self.losses.extend(lost.map(|_| self.now));
        self.pods.retain(|pod| pod.node != Some(node));
        node
    }

    pub(crate) fn toggle_drain(&mut self, random: &mut Random) -> usize {
        let node = random.below(self.nodes.len());
        self.nodes[node] = !self.nodes[node] && self.nodes.iter().filter(|drains| !**drains).count() > 1;
        node
    }

    pub(crate) fn protect(&mut self, random: &mut Random) {
        for pod in self.pods.iter_mut().filter(|pod| pod.is_ready) {
            if random.chance(30) {
                pod.protected_until = self.now + random.below_i64(300);
            }
        }
    }

    pub(crate) fn spoil(&mut self, random: &mut Random) {
        for pod in &mut self.pods {
            if random.chance(30) {
                let at = Some(self.now + random.below_i64(30));
                if random.chance(50) { pod.unhealthy_at = at } else { pod.fails_at = at }
            }
        }
    }

    /// A healthy task of a service deployment becomes unhealthy.
    pub(crate) fn spoil_one_of(&mut self, deployment: usize, random: &mut Random) {
        let now = self.now;
        let mut healthy: Vec<&mut Pod> =
            self.pods.iter_mut().filter(|pod| pod.id.0 == deployment && pod.is_healthy).collect();
        let at = random.below(healthy.len().max(1));
        if let Some(pod) = healthy.get_mut(at) {
            pod.unhealthy_at = Some(now);
        }
    }

    /// Tasks of a service deployment that are healthy, and those that are unhealthy.
    pub(crate) fn health_of(&self, deployment: usize) -> (i64, i64) {
        let own = || self.pods.iter().filter(|pod| pod.id.0 == deployment);
        (count(own().filter(|pod| pod.is_healthy)), count(own().filter(|pod| pod.is_unhealthy)))
    }

    /// Nodes that wait longer or shorter for everything.
    pub(crate) fn jump(&mut self, by: i64) {
        for pod in self.pods.iter_mut().filter(|pod| !pod.is_ready) {
            pod.ready_at = pod.ready_at.saturating_add(by.max(0));
            pod.healthy_at = pod.healthy_at.saturating_add(by.max(0));
        }
        self.now += by.max(0);
    }

    /// Nothing fails from now on; what failed stays as it is.
    pub(crate) fn heal(&mut self) {
        self.nodes.fill(false);
        self.is_full = false;
        for pod in &mut self.pods {
            pod.fails_at = None;
            pod.unhealthy_at = None;
            pod.protected_until = 0;
            if pod.ready_at > self.now + 1000 {
                pod.is_unhealthy = true;
            }
        }
    }

    /// One line for each Deployment: what it is asked for, and its tasks.
    pub(crate) fn show(&self) -> String {
        let pods = |id: Id| {
            self.pods.iter().filter(move |pod| pod.id == id).map(|pod| match pod {
                pod if pod.is_unplaced() => 'u',
                pod if pod.is_failing => 'f',
                pod if pod.is_unhealthy => 'x',
                pod if pod.is_healthy && pod.is_draining => 'd',
                pod if pod.is_healthy && pod.is_protected => 'P',
                pod if pod.is_healthy => 'H',
                pod if pod.is_ready => 'r',
                _ => 's',
            })
        };
        let line = |(id, deployment): (&Id, &Deployment)| {
            format!("{}/{}={} {}", id.0, id.1, deployment.asked, pods(*id).collect::<String>())
        };
        let lines: Vec<String> = self.deployments.iter().map(line).collect();
        format!("{:>5} {}", self.now, lines.join(" | "))
    }
}

pub(crate) fn count<T>(of: impl Iterator<Item = T>) -> i64 {
    i64::try_from(of.count()).unwrap()
}
