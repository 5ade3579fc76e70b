//! Helm, Argo CD and Flux wait for objects by a common rule. It must hold for whatever the operator says, and for objects
//! that the operator has not looked at yet.

use crate::common::kstatus::{Verdict, contradicts_itself, verdict};
use crate::common::{Cluster, condition, service, task_definition};
use api::conditions::{Condition, Reason, pending};
use jiff::Timestamp;
use plan::Kind;
use plan::core::report::{Conditions, Refusal};
use plan::core::status::{Failure, amend};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// Says one thing of an object, for a reason.
type Say = fn(&mut Conditions, Reason);

/// What may be said, and what tools make of it.
const STATES: [(Say, Verdict); 3] = [
    (|conditions, reason| conditions.ready(reason, "said"), Verdict::Current),
    (|conditions, reason| conditions.progressing(reason, "said"), Verdict::InProgress),
    (|conditions, reason| conditions.stalled(reason, "said"), Verdict::Failed),
];

fn object(conditions: &[Condition]) -> Value {
    json!({ "metadata": { "generation": 3 }, "status": { "observedGeneration": 3, "conditions": conditions } })
}

fn initial() -> Vec<Condition> {
    serde_json::from_value(pending()["conditions"].clone()).unwrap()
}

#[test]
fn when_nobody_has_looked_at_an_object_then_tools_wait() {
    let mut new = json!({ "metadata": { "generation": 1 }, "status": pending() });
    assert_eq!(verdict(&new), Verdict::InProgress);
    new["status"] = json!({});
    assert_eq!(verdict(&new), Verdict::Current, "which is why there is a default");
}

#[test]
fn when_a_state_follows_another_for_whatever_reason_then_tools_see_the_last_one() {
    for reason in Reason::ALL {
        for (before, _) in STATES {
            for (after, expected) in STATES {
                let mut conditions = Conditions::new(&initial(), 3, NOW);
                before(&mut conditions, *reason);
                after(&mut conditions, *reason);
                assert_eq!(verdict(&object(&conditions.finish())), expected, "{reason}");
            }
        }
    }
}

#[test]
fn when_a_write_is_refused_then_tools_give_up_unless_trying_again_may_help() {
    for reason in Reason::ALL {
        for (state, before) in STATES {
            for is_transient in [false, true] {
                let mut conditions = Conditions::new(&[], 3, NOW);
                state(&mut conditions, *reason);
                let mut object = object(&conditions.finish());
                let failure =
                    Failure { op: "create".to_owned(), message: "no".to_owned(), is_name_taken: false, is_transient };
                amend(&mut object["status"], &failure, 3, NOW);
                let expected = match (is_transient, before) {
                    (false, _) | (true, Verdict::Failed) => Verdict::Failed,
                    _ => Verdict::InProgress,
                };
                assert_eq!(verdict(&object), expected, "{reason}, transient: {is_transient}");
                assert!(!contradicts_itself(&object["status"]), "{reason}: {object:#}");
            }
        }
    }
}

#[test]
fn when_an_input_is_refused_then_tools_give_up() {
    let mut conditions = Conditions::new(&initial(), 3, NOW);
    conditions.accept(&[Refusal::client("spec.a", "bad")]);
    assert_eq!(verdict(&object(&conditions.finish())), Verdict::Failed);
}

#[test]
fn when_a_service_starts_from_the_initial_status_then_nothing_of_it_is_left_in_the_end() {
    let mut cluster = Cluster::new();
    cluster.apply(task_definition("web", "web:1"));
    let mut web = service("web", "web", 1);
    web["status"] = pending();
    let key = cluster.apply(web);
    assert_eq!(verdict(&cluster.get(Kind::Service, "web")), Verdict::InProgress);
    cluster.run();
    let web = cluster.get(Kind::Service, "web");
    assert_eq!(verdict(&web), Verdict::Current);
    assert!(!web["status"]["conditions"].to_string().contains("Unknown"), "{web:#}");
    assert!(cluster.reconcile(&key).ops.is_empty());
}

#[test]
fn when_a_service_is_refused_then_nothing_is_said_of_what_it_would_come_to() {
    let mut cluster = Cluster::new();
    cluster.apply(task_definition("web", "web:1"));
    cluster.apply(service("web", "web", 1));
    cluster.run();
    assert_eq!(condition(&cluster.get(Kind::Service, "web"), "SteadyState")["status"], "True");
    cluster.edit(Kind::Service, "web", |web| web["spec"]["launchType"] = json!("MANAGED_INSTANCES"));
    cluster.settle();
    let web = cluster.get(Kind::Service, "web");
    assert_eq!(verdict(&web), Verdict::Failed);
    for type_ in ["FieldsNotApplied", "SteadyState", "DeploymentStuck", "DeploymentBlocked", "SecretsResolved"] {
        let condition = condition(&web, type_);
        assert_eq!((&condition["status"], &condition["reason"]), (&json!("Unknown"), &json!("NotJudged")), "{type_}");
        assert_eq!(condition["observedGeneration"], web["metadata"]["generation"], "{type_}");
    }
}
