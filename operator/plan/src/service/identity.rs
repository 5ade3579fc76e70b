//! What a service cannot change, since ECS finds it by it. The API server refuses such an update; admission can be
//! bypassed, and then the tasks that run stay what they are.

use super::snapshot::ServiceSnapshot;
use crate::core::report::Refusal;

/// What differs from the newest deployment although it cannot.
pub(super) fn refusals(snapshot: &ServiceSnapshot) -> Vec<Refusal> {
    let Some(record) = snapshot.primary() else { return Vec::new() };
    [
        ("cluster", &record.spec.cluster, &snapshot.cluster),
        ("serviceName", &record.spec.service_name, &snapshot.ecs_name),
    ]
    .into_iter()
    .filter(|(_, before, now)| before != now)
    .map(|(field, before, _)| {
        let message = format!("{field} cannot be changed after the service was created; it is {before}");
        Refusal::invalid(format!("spec.{field}"), message)
    })
    .collect()
}
