//! Availability Zone rebalancing: a service that is steady and has too many tasks in one zone gets one more in another,
//! and loses one of the first when that one is healthy.

use std::cmp::Reverse;

/// What rebalancing has to know of a service.
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a service")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service<'a> {
    /// Whether it is a REPLICA service.
    pub is_replica: bool,
    /// Type and field of the first placement strategy, as written.
    pub first_strategy: Option<(&'a str, &'a str)>,
    /// `maximumPercent` in effect.
    pub maximum_percent: i64,
    /// Whether a placement constraint names `attribute:ecs.availability-zone`.
    pub has_zone_constraint: bool,
    /// Whether it registers at a Classic Load Balancer.
    pub has_classic_load_balancer: bool,
    /// Whether its launch type is EXTERNAL.
    pub is_external: bool,
}

/// Why a service cannot be rebalanced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Incompatibility {
    /// DAEMON services have one task on each instance.
    Daemon,
    /// The first strategy is not to spread over zones.
    Strategy,
    /// There is no room for one more task.
    MaximumPercent,
    /// Constraints decide about zones.
    ZoneConstraint,
    /// Classic Load Balancers do not take part.
    ClassicLoadBalancer,
    /// EXTERNAL instances are in no zone.
    External,
}

/// The attribute that zones are.
pub const ZONE_FIELD: &str = "attribute:ecs.availability-zone";

/// The first reason why a service cannot be rebalanced; `None` when it can.
#[must_use]
pub fn incompatibility(service: &Service<'_>) -> Option<Incompatibility> {
    let is_zone_first =
        service.first_strategy.is_none_or(|(type_, field)| type_.eq_ignore_ascii_case("spread") && field == ZONE_FIELD);
    [
        (!service.is_replica, Incompatibility::Daemon),
        (!is_zone_first, Incompatibility::Strategy),
        (service.maximum_percent <= 100, Incompatibility::MaximumPercent),
        (service.has_zone_constraint, Incompatibility::ZoneConstraint),
        (service.has_classic_load_balancer, Incompatibility::ClassicLoadBalancer),
        (service.is_external, Incompatibility::External),
    ]
    .into_iter()
    .find_map(|(is_so, why)| is_so.then_some(why))
}

/// Whether a service can be rebalanced.
#[must_use]
pub fn is_compatible(service: &Service<'_>) -> bool {
    incompatibility(service).is_none()
}

/// A zone that has instances for the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone<'a> {
    /// Name.
    pub name: &'a str,
    /// Tasks of the service in it that nobody has asked to stop.
    pub tasks: i64,
    /// Those of them that are protected from scale-in.
    pub protected: i64,
}

/// One task is to change its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move<'a> {
    /// Where one is stopped, after the other is healthy.
    pub from_zone: &'a str,
    /// Where one is started first.
    pub to_zone: &'a str,
}

/// The next move, if there is one to make now.
///
/// A service of 4 tasks, 3 in `a`, 1 in `b` and none in `c`, moves one from `a` to `c`; then (2, 1, 1) differ by one and
/// nothing moves. With a desired count of 4 and a maximum of 4 nothing moves either: one more task has to fit first.
///
/// A zone in which all tasks are protected gives none; then the next fullest one does, if it still has two more than the
/// emptiest. Equal zones are taken by name.
#[must_use]
pub fn next_move<'a>(zones: &[Zone<'a>], desired: i64, maximum: i64, is_steady: bool) -> Option<Move<'a>> {
    if !is_steady || maximum <= desired {
        return None;
    }
    let emptiest = zones.iter().min_by_key(|zone| (zone.tasks, zone.name))?;
    let gives = |zone: &&Zone<'_>| zone.tasks > zone.protected && zone.tasks - emptiest.tasks >= 2;
    let fullest = zones.iter().filter(gives).max_by_key(|zone| (zone.tasks, Reverse(zone.name)))?;
    Some(Move { from_zone: fullest.name, to_zone: emptiest.name })
}

#[cfg(test)]
#[path = "rebalance_tests.rs"]
mod tests;
