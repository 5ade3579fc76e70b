//! Strings that mean something to somebody else: they stay what they are, where they are.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use e2e::scenario::Scenario;
use e2e::scenario::json::text;
use e2e::scenario::manifest;
use e2e::scenario::records::workloads;
use kube::Api;
use kube::api::{DynamicObject, ListParams};
use plan::validate;
use serde_json::{Value, json};

use super::cases::{Storing, create};
use super::contained::selectors_select_their_own;

/// Each goes into every field of [`FREE_TEXT`] that takes it.
const HOSTILE: [&str; 18] = [
    "a\nlevel=error msg=\"all is lost\"",
    "\r\n\r\nHTTP/1.1 200 OK",
    "\"; kubectl delete namespace kube-system; '",
    "{{ .Release.Namespace }}{{- end }}",
    "$(PASSWORD) $$(PASSWORD) $$$(PASSWORD) $$ $ $(",
    "${PASSWORD} `id` $((1+1)) && false || true",
    "Größe 漢字 🚀 e\u{301}",
    "app in (db,web),!tier,env!=prod",
    "../../../../etc/kubernetes/admin.conf",
    "\u{1b}[2J\u{1b}[31mred\u{1b}[0m\u{7}",
    "\u{202e}esrever\u{2066} \u{2028}next line\u{2029}",
    "%s %n %d {} {0} \\x00 \\u0000 \\",
    "- a: &a [*a]\n  b: !!binary x\n---\nkind: Secret",
    "{\"metadata\":{\"namespace\":\"kube-system\"}}",
    "kube-system/cluster-admin",
    "<script>alert(1)</script>&amp;",
    "\t \u{b}\u{c}\u{85}\u{a0} \u{7f}\u{9b}",
    "null",
];

/// Places for free text in a task definition with two containers. Containers of ECS take any text there.
const FREE_TEXT: [&str; 13] = [
    "/spec/containerDefinitions/0/environment/0/value",
    "/spec/containerDefinitions/0/command/0",
    "/spec/containerDefinitions/0/entryPoint/0",
    "/spec/containerDefinitions/0/healthCheck/command/1",
    "/spec/containerDefinitions/0/workingDirectory",
    "/spec/containerDefinitions/0/hostname",
    "/spec/containerDefinitions/0/dockerLabels/com.example.label",
    "/spec/containerDefinitions/0/logConfiguration/options/awslogs-group",
    "/spec/containerDefinitions/0/dockerSecurityOptions/0",
    "/spec/containerDefinitions/0/mountPoints/0/containerPath",
    "/spec/taskRoleArn",
    "/spec/executionRoleArn",
    "/spec/tags/0/value",
];

/// Places where the text must mean something to Kubernetes: the planner refuses what does not.
const JUDGED: [&str; 2] = ["/spec/containerDefinitions/0/image", "/spec/containerDefinitions/0/user"];

fn definition(name: &str) -> Value {
    let mut definition = manifest::task_definition(name);
    definition["spec"]["tags"] = json!([{ "key": "owner", "value": "nobody" }]);
    definition["spec"]["volumes"] = json!([{ "name": "data" }]);
    definition["spec"]["containerDefinitions"][0]["logConfiguration"] = json!({
        "logDriver": "awslogs", "options": { "awslogs-group": "g", "awslogs-region": "r" },
    });
    let more = json!({
        "environment": [{ "name": "TEXT", "value": "x" }, { "name": "PASSWORD", "value": "secret" }],
        "command": ["x"], "entryPoint": ["x"], "dockerLabels": { "com.example.label": "x" },
        "dockerSecurityOptions": [], "mountPoints": [{ "sourceVolume": "data", "containerPath": "/data" }],
    });
    manifest::with_container(definition, more)
}

/// Sets a place that may have to be made first.
fn set(document: &mut Value, pointer: &str, value: &str) {
    let Some((parent, last)) = pointer.rsplit_once('/') else { return };
    match document.pointer_mut(parent) {
        Some(Value::Object(members)) => drop(members.insert(last.to_owned(), value.into())),
        Some(Value::Array(items)) => match last.parse::<usize>().ok().and_then(|index| items.get_mut(index)) {
            Some(item) => *item = value.into(),
            None => items.push(value.into()),
        },
        _ => {}
    }
}

/// The definition with the text in every place that takes it, and which these are.
fn filled(name: &str, pointers: &[&'static str], hostile: &str) -> (Value, Vec<&'static str>) {
    let mut document = definition(name);
    let mut places = Vec::new();
    for pointer in pointers {
        let mut one = document.clone();
        set(&mut one, pointer, hostile);
        if validate::object(plan::Kind::TaskDefinition, &one).is_empty() {
            document = one;
            places.push(*pointer);
        }
    }
    (document, places)
}

/// What a kubelet makes of a value: `$(NAME)` is replaced where NAME is known, `$$` is a dollar.
fn expanded(value: &str, variable: (&str, &str)) -> String {
    let mut result = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('$') {
        result.push_str(before);
        rest = after;
        if let Some(next) = rest.strip_prefix('$') {
            result.push('$');
            rest = next;
        } else if let Some((name, next)) = rest.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            if name == variable.0 {
                result.push_str(variable.1);
            } else {
                result.extend(["$(", name, ")"]);
            }
            rest = next;
        } else {
            result.push('$');
        }
    }
    result + rest
}

fn has_control(text: &str) -> bool {
    text.contains(|c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
}

/// Each complete line after `start` is one JSON object, and nothing in it can move a terminal's cursor.
fn check_log(log: &Path, start: usize) -> Result<usize> {
    let bytes = fs::read(log).with_context(|| format!("cannot read {}", log.display()))?;
    let text = std::str::from_utf8(bytes.get(start..).unwrap_or_default())?;
    let complete = text.rsplit_once('\n').map_or("", |(complete, _)| complete);
    for line in complete.split('\n') {
        ensure!(serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object()), "no JSON object: {line:?}");
        ensure!(!has_control(line), "{line:?}");
    }
    Ok(complete.split('\n').count())
}

/// Everything of the operator in the entire cluster that has the marker is in the scenario's namespace.
async fn nothing_is_elsewhere(scenario: &Scenario, marker: &str) -> Result<usize> {
    // Others write nodes, pods and events; a namespace has its own name.
    let others = ["Node", "Pod", "Event", "Namespace"];
    let mut inside = 0;
    for known in e2e::scenario::kinds::ALL.iter().filter(|known| !others.contains(&known.kind)) {
        let api: Api<DynamicObject> = Api::all_with(scenario.client().clone(), &known.resource());
        for object in api.list(&ListParams::default()).await? {
            let namespace = object.metadata.namespace.clone().unwrap_or_default();
            if namespace == scenario.namespace() {
                inside += 1;
            } else {
                let text = serde_json::to_string(&object)?;
                ensure!(!text.contains(marker), "{} {:?} in `{namespace}`: {text}", known.kind, object.metadata.name);
            }
        }
    }
    Ok(inside)
}

#[tokio::test(flavor = "multi_thread")]
async fn when_text_is_hostile_then_it_reaches_the_container_as_it_is_and_nothing_else() -> Result<()> {
    Scenario::run("hostile", async |scenario| {
        let logs = &scenario.environment.logs;
        let size = |log: &std::path::PathBuf| fs::metadata(log).map_or(0, |data| data.len());
        let starts: Vec<_> = logs.iter().map(|log| usize::try_from(size(log)).unwrap_or_default()).collect();
        // The name of the namespace is in every text: nothing outside of it may have it.
        let marker = scenario.namespace().to_owned();
        let mut texts: Vec<_> = HOSTILE.iter().map(|hostile| format!("{hostile} {marker}")).collect();
        texts.push(format!("{marker}{}", "long".repeat(700)));
        scenario.given([manifest::cluster("main", &[])]).await?;
        let mut all = Vec::new();
        for (number, hostile) in texts.iter().enumerate() {
            let name = format!("h{number}");
            let (document, places) = filled(&name, &FREE_TEXT, hostile);
            ensure!(places.len() >= 5, "only {places:?} take {hostile:?}");
            let tags = json!({ "tags": [{ "key": "text", "value": "x" }] });
            let mut service = manifest::with(manifest::service(&name, 1), tags);
            set(&mut service, "/spec/tags/0/value", hostile);
            if !validate::object(plan::Kind::Service, &service).is_empty() {
                set(&mut service, "/spec/tags/0/value", "x");
            }
            let (judged, _) = filled(&format!("judged{number}"), &JUDGED, hostile);
            for object in [document, service, judged] {
                // Not applied: kubectl's apply is YAML, which has no room for some of the characters.
                let answer = create(scenario, &object, Storing::Kept).await?;
                ensure!(answer.is_success && answer.warnings.is_empty(), "{places:?} {hostile:?}: {answer:?}");
            }
            all.push((name, hostile, places));
        }
        for number in 0..texts.len() {
            let then = scenario.then_within(60);
            let is_judged = |object: &Value| object.pointer("/status/conditions").is_some();
            then.object("ECSTaskDefinition", &format!("judged{number}"), "is judged", is_judged).await?;
        }
        for (name, hostile, places) in &all {
            let steady = scenario.then_within(120).the_service(name).is_steady().await;
            steady.with_context(|| format!("{places:?} {hostile:?}"))?;
            // The operator creates once; from here on it applies.
            scenario.when_scaled(name, 2).await?;
        }
        for (name, hostile, places) in &all {
            let then = scenario.then_within(120);
            let scaled = then.the_service(name).has_tasks(2).await.and(then.the_service(name).is_steady().await);
            scaled.with_context(|| format!("scaled: {places:?} {hostile:?}"))?;
            let was_applied = |object: &Value| object["metadata"]["generation"].as_i64() > Some(1);
            let deployment = then
                .until(&format!("the Deployment of {name} was applied"), |objects| {
                    let found = workloads(objects, name).into_iter().find(|object| was_applied(object));
                    found.cloned().ok_or_else(|| "there is none".to_owned())
                })
                .await?;
            let container = &deployment["spec"]["template"]["spec"]["containers"][0];
            let is = |pointer: &str| expanded(text(container, pointer), ("PASSWORD", "secret"));
            let pod_places = [("/env/0/value", 0), ("/args/0", 1), ("/command/0", 2)];
            for (pointer, place) in pod_places.into_iter().filter(|(_, place)| places.contains(&FREE_TEXT[*place])) {
                ensure!(is(pointer) == **hostile, "{}: {:?} became {container}", FREE_TEXT[place], hostile);
            }
        }
        let deployments = selectors_select_their_own(scenario).await?;
        ensure!(deployments.len() == texts.len(), "{deployments:?}");
        ensure!(nothing_is_elsewhere(scenario, &marker).await? > 3 * texts.len(), "the objects were not found");

        for event in scenario.api("Event")?.list(&ListParams::default()).await? {
            let note = text(&event.data, "/note");
            if text(&event.data, "/regarding/kind").starts_with("ECS") {
                ensure!(!has_control(note), "an event says {note:?}");
            }
        }
        for kind in ["ECSService", "ECSTaskDefinition", "ECSTaskDefinitionRevision", "ECSServiceDeployment"] {
            for object in scenario.objects(kind) {
                let members = ["conditions", "events"].iter().filter_map(|list| object["status"][list].as_array());
                for said in members.flatten().map(|member| text(member, "/message")) {
                    ensure!(!has_control(said), "{kind} says {said:?}");
                }
            }
        }
        for (log, start) in logs.iter().zip(starts) {
            ensure!(check_log(log, start)? > texts.len(), "{} says nothing", log.display());
        }
        Ok(())
    })
    .await
}

#[test]
fn when_a_kubelet_expands_a_value_then_two_dollars_are_one() {
    let expand = |text: &str| expanded(text, ("A", "1"));
    assert_eq!(expand("$(A) $$(A) $$$(A) $(B) $ $( $$"), "1 $(A) $1 $(B) $ $( $");
}
