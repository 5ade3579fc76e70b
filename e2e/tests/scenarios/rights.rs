//! Who may do what: the operator what it needs and no more, people what their role says.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use e2e::cluster::Cluster;
use e2e::integrations::VALUES;
use e2e::operator::{NAMESPACE, RELEASE, USER};
use e2e::rights::{Right, Usage, expand};
use e2e::scenario::manifest;
use e2e::scenario::{Environment, Scenario};
use e2e::xtask::root;
use http::{HeaderName, HeaderValue};
use k8s_openapi::api::authorization::v1::{SelfSubjectRulesReview, SelfSubjectRulesReviewSpec};
use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use k8s_openapi::api::rbac::v1::{PolicyRule, RoleBinding};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client};
use serde_json::json;

use super::command::{cluster, helm, kubectl};

const OURS: &str = "ecs-operator.dev";
const READ: [&str; 3] = ["get", "list", "watch"];
const KEEP: [&str; 6] = ["get", "list", "watch", "create", "patch", "delete"];
/// What services share is created, owned by one more of them, and removed by the garbage collector.
const SHARE: [&str; 5] = ["get", "list", "watch", "create", "patch"];
const NO_OTHERS: &str = "managed-by=ecs-operator and no others";
const USER_KINDS: [&str; 4] = ["ecsclusters", "ecstaskdefinitions", "ecsservices", "ecsscalabletargets"];
const OPERATOR_KINDS: [&str; 2] = ["ecstaskdefinitionrevisions", "ecsservicedeployments"];

fn rights(group: &str, resources: &[&str], verbs: &[&str]) -> BTreeSet<Right> {
    let pairs = resources.iter().flat_map(|resource| verbs.iter().map(move |verb| (resource, verb)));
    pairs.map(|(resource, verb)| (group.to_owned(), (*resource).to_owned(), (*verb).to_owned())).collect()
}

fn union(parts: impl IntoIterator<Item = BTreeSet<Right>>) -> BTreeSet<Right> {
    parts.into_iter().flatten().collect()
}

fn with_suffix(kinds: &[&str], suffix: &str) -> Vec<String> {
    kinds.iter().map(|kind| format!("{kind}/{suffix}")).collect()
}

/// What the operator may do in a namespace that it works in.
fn in_a_namespace() -> BTreeSet<Right> {
    let status = with_suffix(&[&USER_KINDS[..], &OPERATOR_KINDS].concat(), "status");
    let finalizers = with_suffix(&USER_KINDS, "finalizers");
    let status: Vec<_> = status.iter().map(String::as_str).collect();
    let finalizers: Vec<_> = finalizers.iter().map(String::as_str).collect();
    union([
        rights(OURS, &USER_KINDS, &READ),
        // For the finalizer.
        rights(OURS, &["ecsclusters"], &["patch"]),
        rights(OURS, &OPERATOR_KINDS, &["get", "list", "watch", "create"]),
        rights(OURS, &OPERATOR_KINDS, &["delete"]),
        rights(OURS, &status, &["patch"]),
        rights(OURS, &finalizers, &["update"]),
        rights("apps", &["deployments"], &KEEP),
        rights("apps", &["daemonsets"], &SHARE),
        rights("", &["services"], &KEEP),
        rights("", &["serviceaccounts", "persistentvolumeclaims", "configmaps"], &SHARE),
        rights("snapshot.storage.k8s.io", &["volumesnapshots"], &SHARE),
        rights("networking.k8s.io", &["networkpolicies"], &SHARE),
        // With the integrations that are switched on here.
        rights("external-secrets.io", &["externalsecrets"], &KEEP),
        rights("secrets-store.csi.x-k8s.io", &["secretproviderclasses"], &KEEP),
        rights("policy", &["poddisruptionbudgets"], &KEEP),
        rights("autoscaling", &["horizontalpodautoscalers"], &KEEP),
        rights("", &["pods"], &["get", "list", "watch", "patch", "delete"]),
        events(),
    ])
}

fn events() -> BTreeSet<Right> {
    rights("events.k8s.io", &["events"], &["create", "patch"])
}

/// What it may do with objects that have no namespace.
fn in_the_cluster() -> BTreeSet<Right> {
    union([
        rights(OURS, &["ecscapacityproviders"], &["get", "list", "watch", "patch"]),
        rights(OURS, &["ecscapacityproviders/status"], &["patch"]),
        rights(OURS, &["ecscapacityproviders/finalizers"], &["update"]),
        rights("", &["namespaces"], &READ),
        rights("", &["nodes"], &["get", "list", "watch", "patch"]),
        rights("", &["persistentvolumes"], &["get", "list", "watch", "create", "delete"]),
        rights("snapshot.storage.k8s.io", &["volumesnapshotcontents"], &["get", "list", "watch", "create", "delete"]),
        rights("storage.k8s.io", &["storageclasses"], &["get", "list", "watch", "create", "delete"]),
    ])
}

fn leases() -> BTreeSet<Right> {
    rights("coordination.k8s.io", &["leases"], &["get", "create", "update"])
}

/// A client that acts as somebody else.
fn client_as(user: &str, groups: &[&str], mut config: kube::Config) -> Result<Client> {
    let mut header = |name: &'static str, value: &str| -> Result<()> {
        config.headers.push((HeaderName::from_static(name), HeaderValue::from_str(value)?));
        Ok(())
    };
    header("impersonate-user", user)?;
    for group in groups {
        header("impersonate-group", group)?;
    }
    Ok(Client::try_from(config)?)
}

/// `kubectl auth can-i --list --as=USER -n NAMESPACE`
async fn may(user: &str, namespace: &str) -> Result<BTreeSet<Right>> {
    let kubeconfig = Kubeconfig::read_from(Environment::read()?.kubeconfig)?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    let groups: &[&str] = if user.starts_with("system:serviceaccount:") {
        &["system:serviceaccounts", "system:authenticated"]
    } else {
        &["system:authenticated"]
    };
    let reviews: Api<SelfSubjectRulesReview> = Api::all(client_as(user, groups, config)?);
    let spec = SelfSubjectRulesReviewSpec { namespace: Some(namespace.to_owned()) };
    let review = SelfSubjectRulesReview { spec, ..Default::default() };
    let status = reviews.create(&PostParams::default(), &review).await?.status.context("no answer")?;
    let rules = status.resource_rules.into_iter().map(|rule| PolicyRule {
        api_groups: rule.api_groups,
        resources: rule.resources,
        resource_names: rule.resource_names,
        verbs: rule.verbs,
        ..Default::default()
    });
    Ok(expand(&rules.collect::<Vec<_>>()))
}

/// What a ServiceAccount may do beyond what every ServiceAccount may.
async fn account_may(user: &str, namespace: &str) -> Result<BTreeSet<Right>> {
    let everybody = may("system:serviceaccount:kube-public:nobody", namespace).await?;
    Ok(may(user, namespace).await?.difference(&everybody).cloned().collect())
}

fn equal(who: &str, is: &BTreeSet<Right>, should: &BTreeSet<Right>) -> Result<()> {
    let more: Vec<_> = is.difference(should).collect();
    let less: Vec<_> = should.difference(is).collect();
    ensure!(more.is_empty() && less.is_empty(), "{who} may also {more:?} and may not {less:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_operator_asks_what_it_may_do_then_it_is_what_it_needs_and_nothing_else() -> Result<()> {
    Scenario::run("rights", async |scenario| {
        // The chart gives it only with `imageResolution.pullSecrets`, as here; the scenario below has it without.
        let pull_secrets = rights("", &["secrets"], &["get"]);
        let anywhere = union([in_a_namespace(), in_the_cluster(), pull_secrets]);
        equal("the operator", &account_may(USER, scenario.namespace()).await?, &anywhere)?;
        equal("the operator", &account_may(USER, "kube-system").await?, &anywhere)?;
        let own = union([anywhere, leases()]);
        equal("the operator in its own namespace", &account_may(USER, NAMESPACE).await?, &own)?;
        // Of a lease, RBAC knows the name.
        let rules = e2e::rights::granted(scenario.client()).await?;
        let of_leases = rules.iter().filter(|rule| rule.resources.iter().flatten().any(|name| name == "leases"));
        let restricted = of_leases.filter(|rule| rule.verbs != ["create"]);
        let names: Vec<_> = restricted.map(|rule| rule.resource_names.clone().unwrap_or_default()).collect();
        ensure!(names == [[RELEASE.to_owned()]], "the operator may have leases of the names {names:?}");
        // A table that is wrong in the same way twice would not be noticed above.
        let cluster = cluster().await?;
        for (verb, resource, subresource) in [
            ("list", "secrets", ""),
            ("watch", "secrets", ""),
            ("create", "pods", ""),
            ("create", "pods", "exec"),
            ("delete", "nodes", ""),
            ("create", "clusterrolebindings", ""),
            ("impersonate", "users", ""),
            ("create", "serviceaccounts", "token"),
            ("update", "ecsservices.ecs-operator.dev", "scale"),
            ("delete", "ecsservices.ecs-operator.dev", ""),
            ("update", "leases.coordination.k8s.io", ""),
            ("*", "*", ""),
        ] {
            let (user, subresource) = (format!("--as={USER}"), format!("--subresource={subresource}"));
            let arguments = ["auth", "can-i", verb, resource, "-n", "kube-system", &user, &subresource];
            let said = kubectl(&cluster, &arguments, "").await?;
            ensure!(said.output.trim() == "no", "the operator may {verb} {resource} {subresource}: {said:?}");
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_chart_is_installed_for_some_namespaces_then_the_operator_has_no_rights_in_others() -> Result<()> {
    Scenario::run("narrow", async |scenario| {
        let cluster = cluster().await?;
        let namespace = scenario.namespace().to_owned();
        let outcome = narrow(&cluster, &namespace).await;
        // Cluster-scoped objects would stay.
        let ended = helm(&cluster, &["uninstall", "narrow", "-n", &namespace]).await?.quietly();
        outcome.and(ended.map(drop))
    })
    .await
}

async fn narrow(cluster: &Cluster, namespace: &str) -> Result<()> {
    let chart = root().join("charts/ecs-operator").display().to_string();
    let watched = format!("watch.namespaces={{{namespace}}}");
    let mut arguments = vec!["install", "narrow", &chart, "-n", namespace];
    let settings = [&watched, "replicas=0", "predefinedCapacityProviders.enabled=false", "rbac.aggregate=false"];
    for setting in settings.into_iter().chain(VALUES) {
        arguments.extend(["--set", setting]);
    }
    helm(cluster, &arguments).await?.quietly()?;
    let user = format!("system:serviceaccount:{namespace}:narrow-ecs-operator");
    let here = union([in_a_namespace(), in_the_cluster(), leases()]);
    equal("it", &account_may(&user, namespace).await?, &here)?;
    equal("it elsewhere", &account_may(&user, "kube-system").await?, &in_the_cluster())?;
    equal("it in the other operator's namespace", &account_may(&user, NAMESPACE).await?, &in_the_cluster())?;
    // Events about objects without a namespace live there.
    equal("it in default", &account_may(&user, "default").await?, &union([in_the_cluster(), events()]))
}

#[tokio::test(flavor = "multi_thread")]
async fn when_somebody_has_kubernetes_own_roles_then_they_may_read_or_edit_what_users_write() -> Result<()> {
    Scenario::run("people", async |scenario| {
        let bindings: Api<RoleBinding> = Api::namespaced(scenario.client().clone(), scenario.namespace());
        for role in ["view", "edit", "admin"] {
            let binding = json!({
                "metadata": { "name": role },
                "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
                "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": format!("{role}-person") }],
            });
            bindings.create(&PostParams::default(), &serde_json::from_value(binding)?).await?;
        }
        let everything = [&USER_KINDS[..], &OPERATOR_KINDS, &["ecscapacityproviders"]].concat();
        let status = with_suffix(&everything, "status");
        let status: Vec<_> = status.iter().map(String::as_str).collect();
        let read = union([
            rights(OURS, &everything, &READ),
            rights(OURS, &status, &READ),
            rights(OURS, &["ecsservices/scale"], &READ),
        ]);
        let write = union([
            rights(OURS, &USER_KINDS, &["create", "update", "patch", "delete", "deletecollection"]),
            rights(OURS, &["ecsservices/scale"], &["update", "patch"]),
        ]);
        for (role, should) in [("view", read.clone()), ("edit", union([read.clone(), write.clone()])), ("admin", union([read, write]))]
        {
            let may = may(&format!("{role}-person"), scenario.namespace()).await?;
            let ours = may.into_iter().filter(|(group, ..)| group == OURS).collect();
            equal(role, &ours, &should)?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_an_administrator_changes_what_the_operator_recorded_then_it_is_refused() -> Result<()> {
    Scenario::run("records", async |scenario| {
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
        scenario.given([manifest::service("web", 1)]).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        for (kind, plural, spec, frozen) in [
            ("ECSTaskDefinitionRevision", "ecstaskdefinitionrevisions", json!({ "revision": 7 }), "is immutable"),
            ("ECSServiceDeployment", "ecsservicedeployments", json!({ "taskDefinition": "web:7" }), "is a record"),
        ] {
            let Some(record) = scenario.objects(kind).into_iter().next() else { anyhow::bail!("there is no {kind}") };
            let name = record["metadata"]["name"].as_str().unwrap_or_default();
            let says = |outcome: Result<()>, wanted: &str| {
                let said = outcome.err().map(|error| format!("{error:#}")).unwrap_or_default();
                ensure!(said.contains(wanted), "`{said}` is not `{wanted}`");
                Ok(())
            };
            says(scenario.when_patched(kind, name, json!({ "spec": spec })).await, frozen)?;
            let copy = json!({
                "apiVersion": record["apiVersion"], "kind": kind, "metadata": { "name": "copy" }, "spec": record["spec"],
            });
            let only = |what: &str| format!("only ecs-operator writes the {what} of {plural}");
            says(scenario.when_applied([copy]).await, &only("spec"))?;
            let api = scenario.api(kind)?;
            let patch = Patch::Merge(json!({ "status": { "conditions": [] } }));
            let patched = api.patch_status(name, &PatchParams::default(), &patch).await;
            says(patched.map(drop).map_err(Into::into), &only("status"))?;
            let note = json!({ "metadata": { "annotations": { "example.com/note": "kept" } } });
            scenario.when_patched(kind, name, note).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_operator_does_its_work_then_nothing_is_forbidden_to_it() -> Result<()> {
    Scenario::run("allowed", async |scenario| {
        let Some(log) = scenario.environment.audit_log.clone() else {
            println!("skipped: the audit log of this cluster is not known");
            return Ok(());
        };
        scenario.given([manifest::cluster("main", &[]), manifest::task_definition("web")]).await?;
        scenario.given([manifest::service("web", 1), manifest::cpu_target("web", (1, 2), 50)]).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;
        let usage = Usage::read(&log, USER)?;
        ensure!(usage.forbidden.is_empty(), "{:?}", usage.forbidden);
        let granted = expand(&e2e::rights::granted(scenario.client()).await?);
        let beyond: Vec<_> = usage.used.difference(&granted).collect();
        ensure!(beyond.is_empty() && usage.used.len() > 20, "used although {RELEASE} was not given: {beyond:?}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_operator_would_change_more_of_a_node_than_its_own_label_then_it_is_refused() -> Result<()> {
    Scenario::run("node-label", async |_| {
        let kubeconfig = Kubeconfig::read_from(Environment::read()?.kubeconfig)?;
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        let groups = ["system:serviceaccounts", "system:authenticated"];
        let nodes: Api<Node> = Api::all(client_as(USER, &groups, config)?);
        let Some(node) = nodes.list(&ListParams::default().limit(1)).await?.items.into_iter().next() else {
            println!("skipped: there is no node");
            return Ok(());
        };
        let name = node.metadata.name.unwrap_or_default();
        let parameters = PatchParams { dry_run: true, ..PatchParams::default() };
        let label = |name: &str, value: &str| json!({ "metadata": { "labels": { name: value } } });
        for more in [
            label("kubernetes.io/hostname", "other"),
            label("example.com/team", "shop"),
            json!({ "metadata": { "labels": { "kubernetes.io/os": null } } }),
            json!({ "metadata": { "annotations": { "example.com/note": "x" } } }),
            json!({ "metadata": { "ownerReferences": [{
                "apiVersion": "v1", "kind": "Node", "name": "gone", "uid": "00000000-0000-0000-0000-000000000000",
            }] } }),
            json!({ "metadata": { "finalizers": ["example.com/kept"] } }),
            json!({ "spec": { "unschedulable": true } }),
            json!({ "spec": { "taints": [{ "key": "a", "effect": "NoExecute" }] } }),
        ] {
            let said = nodes.patch(&name, &parameters, &Patch::Merge(&more)).await.err().map(|error| error.to_string());
            let is_refused = said.as_deref().is_some_and(|said| said.contains("of a node and nothing else"));
            ensure!(is_refused, "{more}: {said:?}");
        }
        let own = label("ecs-operator.dev/daemon-tasks", "STOPPED");
        nodes.patch(&name, &parameters, &Patch::Merge(&own)).await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_operator_would_write_what_is_not_its_own_then_it_is_refused() -> Result<()> {
    Scenario::run("own-objects", async |scenario| {
        let kubeconfig = Kubeconfig::read_from(Environment::read()?.kubeconfig)?;
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        let groups = ["system:serviceaccounts", "system:authenticated"];
        let operator = client_as(USER, &groups, config)?;
        let account = |name: &str, labels: &[(&str, &str)]| -> Result<ServiceAccount> {
            let labels: serde_json::Map<_, _> =
                labels.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
            Ok(serde_json::from_value(json!({ "metadata": { "name": name, "labels": labels } }))?)
        };
        let own = [("app.kubernetes.io/managed-by", "ecs-operator")];
        let in_namespace = |name: &str| -> Api<ServiceAccount> { Api::namespaced(operator.clone(), name) };
        let (here, system) = (in_namespace(scenario.namespace()), in_namespace("kube-system"));
        let parameters = PostParams { dry_run: true, ..PostParams::default() };
        here.create(&parameters, &account("own", &own)?).await?;

        let says = |said: kube::Result<ServiceAccount>, wanted: &str| {
            let said = said.err().map(|error| error.to_string()).unwrap_or_default();
            ensure!(said.contains(wanted), "`{said}` is not `{wanted}`");
            Ok(())
        };
        says(here.create(&parameters, &account("other", &[])?).await, NO_OTHERS)?;
        let helm = [("app.kubernetes.io/managed-by", "Helm")];
        says(here.create(&parameters, &account("other", &helm)?).await, NO_OTHERS)?;
        says(system.create(&parameters, &account("own", &own)?).await, "nothing in kube-system")?;
        // Somebody else's becomes nobody's own by a label.
        let all: Api<ServiceAccount> = Api::namespaced(scenario.client().clone(), scenario.namespace());
        all.create(&PostParams::default(), &account("theirs", &[])?).await?;
        let patch = json!({ "metadata": { "labels": { "app.kubernetes.io/managed-by": "ecs-operator" } } });
        says(here.patch("theirs", &PatchParams::default(), &Patch::Merge(&patch)).await, NO_OTHERS)
    })
    .await
}
