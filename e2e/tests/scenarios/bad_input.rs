//! Bad input on a real API server: refused at its path in the words of ECS, or accepted and then refused by the planner
//! while everything that runs stays as it is. Good input is stored as it was written.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use api::conditions::{ConditionType, Reason};
use e2e::scenario::condition::{is_false, is_true};
use e2e::scenario::json::{condition, find, text};
use e2e::scenario::kinds::{CHILDREN, Known};
use e2e::scenario::manifest::{self, with, with_container};
use e2e::scenario::{Objects, Scenario};
use futures::StreamExt as _;
use kube::core::DynamicObject;
use serde_json::{Value, json};

use super::cases::{self, Answer, Bad, Storing, create};
use super::command::is_from;

/// Requests under way at a time.
const PARALLEL: usize = 24;

/// Asks the server about many objects at once; answers with what `judge` objects to.
async fn objections<T>(
    scenario: &Scenario,
    cases: Vec<T>,
    document: impl Fn(&T) -> &Value,
    judge: impl Fn(&T, &Answer) -> Option<String>,
) -> Result<Vec<String>> {
    let answers = futures::stream::iter(cases).map(async |case| {
        let answer = create(scenario, document(&case), Storing::Strict).await?;
        Ok::<_, anyhow::Error>(judge(&case, &answer))
    });
    let answers: Vec<_> = answers.buffer_unordered(PARALLEL).collect().await;
    let objections = answers.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(objections.into_iter().flatten().collect())
}

fn none(objections: &[String]) -> Result<()> {
    ensure!(objections.is_empty(), "{} cases:\n{}", objections.len(), objections.join("\n"));
    Ok(())
}

fn kind_of(document: &Value) -> Result<plan::Kind> {
    let kind = plan::Kind::from_type(text(document, "/apiVersion"), text(document, "/kind"));
    kind.with_context(|| format!("{} is no kind", document["kind"]))
}

/// The server says at the path of the case what the planner says there. What breaks the form of the schema is told in the
/// server's own words; what breaks a rule, in those of ECS.
fn is_refused_as_told(case: &Bad, answer: &Answer) -> Option<String> {
    let here: Vec<_> = answer.causes().into_iter().filter(|(path, _)| *path == case.path).collect();
    if answer.is_success || here.is_empty() {
        return Some(format!("{} is not refused at {}: {}", case.name, case.path, answer.body));
    }
    let rules: Vec<_> = here.iter().filter(|(_, message)| message.contains("Exception: ")).collect();
    let kind = kind_of(&case.document).ok()?;
    let by_planner = plan::validate::object(kind, &case.document);
    let is_planners = |message: &str| {
        by_planner.iter().any(|refusal| {
            refusal.path == case.path
                && refusal.exception.as_str() == case.exception
                && message.contains(&format!("{}: {}", refusal.exception, refusal.message))
        })
    };
    if rules.len() < here.len() || rules.iter().any(|(_, message)| is_planners(message)) {
        return None;
    }
    Some(format!("{}: the server says {rules:?}, the planner {by_planner:?}", case.name))
}

#[tokio::test(flavor = "multi_thread")]
async fn when_input_breaks_a_rule_then_the_api_server_refuses_it_at_its_path_in_the_words_of_ecs() -> Result<()> {
    Scenario::run("bad-input", async |scenario| {
        let cases: Vec<_> = cases::bad()?.into_iter().filter(|case| case.server).collect();
        ensure!(cases.len() > 280, "only {} cases", cases.len());
        none(&objections(scenario, cases, |case| &case.document, is_refused_as_told).await?)?;

        let cases = cases::refused()?;
        ensure!(cases.len() > 250, "only {} cases", cases.len());
        let is_refused = |case: &cases::Refused, answer: &Answer| {
            let message = text(&answer.body, "/message");
            let is_unknown = message.contains(&format!("unknown field \"{}\"", case.path));
            let is_here = is_unknown || answer.causes().into_iter().any(|(path, _)| path == case.path);
            let is_refused = !answer.is_success && is_here && message.contains(&case.says);
            (!is_refused).then(|| format!("{}: not `{}` at {}: {}", case.name, case.says, case.path, answer.body))
        };
        none(&objections(scenario, cases, |case| &case.document, is_refused).await?)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_rule_is_beyond_a_schema_then_the_api_server_takes_the_input_and_the_operator_makes_nothing_of_it()
-> Result<()> {
    Scenario::run("beyond-schema", async |scenario| {
        // What services ask for is there, so that nothing but their own fault keeps them from running.
        scenario.given([manifest::cluster("default", &[]), manifest::task_definition("web")]).await?;
        let then = scenario.then_within(30);
        then.condition("ECSTaskDefinition", "web", is_true(ConditionType::Ready, Reason::ReconcileCompleted)).await?;

        let cases: Vec<_> = cases::bad()?.into_iter().filter(|case| !case.server).collect();
        ensure!(cases.len() >= 40, "only {} cases", cases.len());
        for (number, case) in cases.iter().enumerate() {
            let mut document = case.document.clone();
            let name = format!("case-{number}");
            document["metadata"]["name"] = name.clone().into();
            if let Some(family) = document.pointer_mut("/spec/family") {
                *family = name.clone().into();
            }
            if let Some(service) = document.pointer_mut("/spec/ResourceId") {
                *service = format!("service/default/{name}").into();
            }
            let answer = create(scenario, &document, Storing::Kept).await?;
            ensure!(answer.is_success && answer.warnings.is_empty(), "{}: {answer:?}", case.name);
        }
        let then = scenario.then_within(60);
        for (number, case) in cases.iter().enumerate() {
            let (kind, name) = (text(&case.document, "/kind"), format!("case-{number}"));
            let exception: Reason = case.exception.parse().with_context(|| case.exception.clone())?;
            let said = then.condition(kind, &name, is_false(ConditionType::Accepted, exception)).await;
            let said = said.with_context(|| case.name.clone())?;
            let wanted = format!("{}: {}: ", case.path, case.exception);
            ensure!(said.contains(&wanted), "{}: `{said}` has no `{wanted}`", case.name);
            ensure!(!said.contains(char::is_control), "{}: {said:?}", case.name);
            then.condition(kind, &name, is_true(ConditionType::Stalled, exception)).await?;
        }
        let children = scenario.view().read(children);
        let only = BTreeMap::from([("ECSTaskDefinitionRevision", vec!["web-1".to_owned()])]);
        ensure!(children == only, "there are {children:?}");
        Ok(())
    })
    .await
}

/// What the operator made in the namespace.
fn children(objects: &Objects) -> BTreeMap<&'static str, Vec<String>> {
    let mut children = BTreeMap::<_, Vec<_>>::new();
    for (kind, name) in objects.keys() {
        if CHILDREN.contains(kind) && (*kind, name.as_str()) != ("ServiceAccount", "default") {
            children.entry(*kind).or_default().push(name.clone());
        }
    }
    children
}

/// Uid and version of the spec of everything that the operator made, pods included.
fn identities(objects: &Objects) -> BTreeMap<String, (String, String)> {
    let ours = objects.iter().filter(|((kind, _), _)| CHILDREN.contains(kind));
    ours.map(|((kind, name), object)| {
        let generation = object.pointer("/metadata/generation").map(ToString::to_string).unwrap_or_default();
        (format!("{kind} {name}"), (text(object, "/metadata/uid").to_owned(), generation))
    })
    .collect()
}

/// The object `web` of the case's kind gets what is wrong, and says so. `false` when the server refuses the change already.
async fn becomes_bad(scenario: &Scenario, case: &Bad) -> Result<bool> {
    let kind = text(&case.document, "/kind");
    let mut document = case.document.clone();
    document["metadata"]["name"] = "web".into();
    if let Some(family) = document.pointer_mut("/spec/family") {
        *family = "web".into();
    }
    if kind == "ECSService" {
        document["spec"]["cluster"] = "main".into();
    }
    match scenario.when_applied([document]).await {
        Err(error) if format!("{error:#}").contains("cannot be changed") => return Ok(false),
        applied => applied?,
    }
    // The case before may have had the same exception: only the path tells them apart.
    let wanted = format!("{}: {}: ", case.path, case.exception);
    let is_said = |objects: &Objects| {
        let accepted = find(objects, kind, "web").and_then(|object| condition(object, "Accepted")).ok_or("nothing")?;
        let (reason, said) = (text(accepted, "/reason"), text(accepted, "/message"));
        if reason == case.exception && said.contains(&wanted) { Ok(()) } else { Err(format!("{reason}: {said}")) }
    };
    scenario.then_within(30).until(&format!("{kind} says `{wanted}`"), is_said).await?;
    Ok(true)
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_running_service_gets_bad_input_then_its_tasks_stay_and_it_goes_on_when_the_input_is_good_again()
-> Result<()> {
    Scenario::run("stays", async |scenario| {
        let good = || {
            [
                manifest::cluster("main", &[]),
                manifest::task_definition("web"),
                manifest::service("web", 3),
                // Without load, the count stays at the minimum.
                manifest::cpu_target("web", (3, 4), 50),
            ]
        };
        scenario.given(good()).await?;
        scenario.then_within(60).the_service("web").is_steady_on("web:1").await?;
        let then = scenario.then_within(60);
        then.object("HorizontalPodAutoscaler", "web", "exists", |_| true).await?;
        then.object("PodDisruptionBudget", "web", "exists", |_| true).await?;
        let before = scenario.view().read(identities);
        ensure!(before.keys().filter(|name| name.starts_with("Pod ")).count() == 3, "{before:?}");

        let by_planner = || Ok::<_, anyhow::Error>(cases::bad()?.into_iter().filter(|case| !case.server));
        let kinds = ["ECSTaskDefinition", "ECSService", "ECSScalableTarget"].map(async |kind| {
            let mut refused = 0;
            for case in by_planner()?.filter(|case| text(&case.document, "/kind") == kind) {
                refused += usize::from(becomes_bad(scenario, &case).await.with_context(|| case.name.clone())?);
            }
            Ok::<_, anyhow::Error>(refused)
        });
        let refused: usize = futures::future::try_join_all(kinds).await?.into_iter().sum();
        ensure!(
            scenario.view().read(identities) == before,
            "something changed: {:?}",
            scenario.view().read(identities)
        );
        ensure!(refused > 30, "only {refused} cases came to the planner");
        let [_, definition, service, target] = good();
        for object in [definition, service, target] {
            let kind = text(&object, "/kind").to_owned();
            scenario.when_applied([object]).await?;
            scenario
                .then_within(30)
                .condition(&kind, "web", is_true(ConditionType::Accepted, Reason::Accepted))
                .await?;
        }
        scenario.then_within(30).the_service("web").is_steady_on("web:1").await?;
        ensure!(
            scenario.view().read(identities) == before,
            "something changed: {:?}",
            scenario.view().read(identities)
        );
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_second_object_takes_an_ecs_name_then_it_is_refused_until_the_first_gives_it_up() -> Result<()> {
    Scenario::run("taken", async |scenario| {
        // The younger ones come first by name.
        let (older, younger) = (format!("{}-z", scenario.namespace()), format!("{}-a", scenario.namespace()));
        scenario.view().watch(Known::find("ECSCapacityProvider")?).await?;
        let nodes =
            |object: &str, system: &str| manifest::capacity_provider(object, &older, ("kubernetes.io/os", system));
        let strategy = json!({
            "launchType": null, "capacityProviderStrategy": [{ "capacityProvider": older, "weight": 1 }],
        });
        scenario.given([nodes(&older, "linux"), manifest::cluster("main", &[&older])]).await?;
        scenario.given([manifest::task_definition("web"), with(manifest::service("web", 2), strategy)]).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        let before = scenario.view().read(identities);

        let renamed = |mut object: Value, member: &str, name: &str| {
            object["metadata"]["name"] = "a-younger".into();
            with(object, json!({ member: name }))
        };
        let other_image = with_container(manifest::task_definition("web"), json!({ "image": "example.com/other:1" }));
        scenario
            .when_applied([
                nodes(&younger, "windows"),
                renamed(manifest::cluster("main", &[]), "clusterName", "main"),
                renamed(other_image, "family", "web"),
                renamed(manifest::service("web", 1), "serviceName", "web"),
            ])
            .await?;
        let then = scenario.then_within(30);
        for (kind, name, reason, wanted) in [
            ("ECSCapacityProvider", younger.as_str(), Reason::NameTaken, "spec.name: "),
            ("ECSCluster", "a-younger", Reason::NameTaken, "spec.clusterName: "),
            ("ECSTaskDefinition", "a-younger", Reason::NameTaken, "spec.family: "),
            (
                "ECSService",
                "a-younger",
                Reason::InvalidParameterException,
                "spec.serviceName: InvalidParameterException: Creation of service was not idempotent",
            ),
        ] {
            let said = then.condition(kind, name, is_false(ConditionType::Accepted, reason)).await?;
            ensure!(said.starts_with(wanted), "{said}");
        }
        ensure!(scenario.view().read(identities) == before, "something changed");

        // What is free again goes to the one that waits for it.
        for (kind, first, second) in [
            ("ECSService", "web", "a-younger"),
            ("ECSTaskDefinition", "web", "a-younger"),
            ("ECSCluster", "main", "a-younger"),
            ("ECSCapacityProvider", &older, &younger),
        ] {
            scenario.when_deleted(kind, first).await?;
            scenario
                .then_within(60)
                .condition(kind, second, is_true(ConditionType::Accepted, Reason::Accepted))
                .await?;
            if kind == "ECSService" {
                scenario.then_within(60).the_service(second).is_steady().await?;
                scenario.when_deleted(kind, second).await?;
                scenario.then_within(60).is_gone(kind, second).await?;
            }
        }
        scenario.when_deleted("ECSCluster", "a-younger").await?;
        scenario.when_deleted("ECSCapacityProvider", &younger).await
    })
    .await
}

fn names_no_count(spec: &Value) -> bool {
    spec.get("desiredCount").is_none_or(Value::is_null) && spec["schedulingStrategy"] != "DAEMON"
}

#[tokio::test(flavor = "multi_thread")]
async fn when_input_is_good_then_it_is_stored_as_it_was_written_and_without_a_warning() -> Result<()> {
    Scenario::run("good-input", async |scenario| {
        let cases: Vec<_> = cases::good()?.into_iter().enumerate().collect();
        ensure!(cases.len() > 90, "only {} cases", cases.len());
        let writes_counts = is_from(scenario, 36, "the count of a service is written by admission").await?;
        let answers = futures::stream::iter(cases).map(async |(number, case)| {
            let mut document = case.document.clone();
            document["metadata"]["name"] = format!("case-{number}").into();
            // Objects without a namespace would meet those of other scenarios.
            let kind = text(&document, "/kind").to_owned();
            let storing = if kind == "ECSCapacityProvider" { Storing::DryRun } else { Storing::Kept };
            let answer = create(scenario, &document, storing).await?;
            if !answer.is_success || !answer.warnings.is_empty() {
                return Ok::<_, anyhow::Error>(Some(format!("{}: {answer:?}", case.name)));
            }
            let stored = match storing {
                Storing::DryRun | Storing::Strict => answer.body,
                Storing::Kept => {
                    let object: DynamicObject = scenario.api(&kind)?.get(text(&document, "/metadata/name")).await?;
                    serde_json::to_value(object)?
                }
            };
            // The one default that is written into a spec.
            if writes_counts && kind == "ECSService" && names_no_count(&document["spec"]) {
                document["spec"]["desiredCount"] = 1.into();
            }
            let (written, stored) = (plain(&document["spec"]), plain(&stored["spec"]));
            Ok((written != stored).then(|| format!("{}: {written} became {stored}", case.name)))
        });
        let answers: Vec<_> = answers.buffer_unordered(PARALLEL).collect().await;
        let objections = answers.into_iter().collect::<Result<Vec<_>>>()?;
        none(&objections.into_iter().flatten().collect::<Vec<_>>())
    })
    .await
}

/// JSON knows one kind of number, `1.0` and `1` are the same, and null counts as absent.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let present = members.iter().filter(|(_, value)| !value.is_null());
            present.map(|(name, value)| (name.clone(), plain(value))).collect()
        }
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Number(number) => number.as_f64().map_or_else(|| value.clone(), Value::from),
        other => other.clone(),
    }
}
