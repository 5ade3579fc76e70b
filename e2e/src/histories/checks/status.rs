//! What the status of the service says.

use std::time::Duration;

use serde_json::Value;

use super::super::world::{Change, World, count, number};
use super::{Check, Complaints};
use crate::scenario::json::text;

/// How long nothing must have happened before the counts are compared.
const QUIET: Duration = Duration::from_secs(8);

pub(super) struct Status;

impl Check for Status {
    fn look(&mut self, world: &World, change: &Change, complaints: &mut Complaints) {
        let (Change::Service, Some(service)) = (change, &world.service) else { return };
        let list = service.pointer("/status/deployments").and_then(Value::as_array);
        let statuses: Vec<_> = list.into_iter().flatten().map(|one| text(one, "/status")).collect();
        let primaries = statuses.iter().filter(|status| **status == "PRIMARY").count();
        if primaries > 1 || (!statuses.is_empty() && statuses.first() != Some(&"PRIMARY")) {
            complaints.add(world, "exactly one deployment is PRIMARY, the first", format!("{statuses:?}"));
        }
    }

    fn pause(&mut self, world: &World, until: Duration, complaints: &mut Complaints) {
        let Some(service) = &world.service else { return };
        // Tasks that fail are given up one by one; what they count as meanwhile is not said.
        let is_failing = world.running_or_pending().any(|task| task.failed.is_some() && !task.is_healthy);
        if until < world.now + QUIET || is_failing {
            return;
        }
        let running = count(world.running_or_pending().filter(|task| task.has_started));
        let pending = world.existing() - running;
        let told = |name: &str| number(service, &format!("/status/{name}"));
        let is = (told("desiredCount"), told("runningCount"), told("pendingCount"));
        let wanted = (number(service, "/spec/desiredCount"), running, pending);
        if is != wanted {
            complaints.add(
                world,
                "the counts of the status are those of the tasks",
                format!("desired, running, pending: told {is:?}, are {wanted:?}"),
            );
        }
    }
}
