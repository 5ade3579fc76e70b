//! Deployments whose records were deleted, or cannot be read.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests report by panicking

mod common;

use common::{breaker, condition, configured, images, records, task_definition};
use plan::Kind;
use serde_json::json;

#[test]
fn when_the_record_to_return_to_is_gone_then_the_rollback_has_failed_and_says_why() {
    let mut cluster = configured(4, &breaker(true));
    cluster.apply(task_definition("web", "example.com/web:2"));
    cluster.run();
    let names: Vec<String> =
        records(&cluster).iter().map(|record| record["metadata"]["name"].as_str().unwrap().to_owned()).collect();
    cluster.edit(Kind::ServiceDeployment, &names[1], |record| {
        record["status"]["status"] = json!("ROLLBACK_IN_PROGRESS");
        record["status"]["rollback"] =
            json!({"reason": "x", "startedAt": "2026-03-01T11:00:00.000000Z", "serviceRevision": names[0]});
    });
    cluster.remove(Kind::ServiceDeployment, &names[0]);
    cluster.run();
    let records = records(&cluster);
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["status"]["status"], "ROLLBACK_FAILED");
    assert_eq!(records[0]["status"]["statusReason"], "No rollback candidate was found to run the rollback.");
}

#[test]
fn when_the_record_of_old_tasks_is_gone_then_they_are_still_replaced_within_the_bounds() {
    let mut cluster = configured(4, &json!({"minimumHealthyPercent": 50, "maximumPercent": 100}));
    let old = records(&cluster)[0]["metadata"]["name"].as_str().unwrap().to_owned();
    cluster.remove(Kind::ServiceDeployment, &old);
    cluster.apply(task_definition("web", "example.com/web:2"));
    cluster.run();
    cluster.pass(60);
    cluster.run();
    assert_eq!(images(&cluster), ["example.com/web:2"; 4]);
    assert_eq!(cluster.list(Kind::Deployment).len(), 1);
}

#[test]
fn when_a_record_cannot_be_read_then_nothing_is_touched_and_the_service_says_which() {
    let mut cluster = configured(4, &breaker(true));
    let name = records(&cluster)[0]["metadata"]["name"].as_str().unwrap().to_owned();
    let before = images(&cluster);
    cluster.edit(Kind::ServiceDeployment, &name, |record| record["status"]["status"] = json!("OF_TOMORROW"));
    cluster.apply(task_definition("web", "example.com/web:2"));
    cluster.run();
    let web = cluster.get(Kind::Service, "web");
    assert_eq!(condition(&web, "Accepted")["reason"], "DeploymentUnreadable");
    let message = condition(&web, "Accepted")["message"].as_str().unwrap().to_owned();
    assert!(message.contains(&name) && message.contains("status.status"), "{message}");
    assert_eq!((images(&cluster), records(&cluster).len()), (before, 1));

    cluster.edit(Kind::ServiceDeployment, &name, |record| record["status"]["status"] = json!("SUCCESSFUL"));
    cluster.run();
    assert_eq!(images(&cluster), ["example.com/web:2"; 4]);
}
