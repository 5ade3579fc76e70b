//! Whether the rights that the chart gives to the operator are those that it needs: the API server's audit log after a run
//! knows what was forbidden, and what was granted and never used.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};
use serde::Deserialize;

use crate::operator::{NAMESPACE, RELEASE, USER};

/// Group, resource with its subresource, verb.
pub type Right = (String, String, String);

/// What the audit log says about one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Asked for and forbidden, with the authorizer's reason.
    pub forbidden: BTreeSet<String>,
    /// Asked for and allowed.
    pub used: BTreeSet<Right>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    verb: String,
    user: User,
    object_ref: Option<ObjectRef>,
    #[serde(default)]
    annotations: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    response_status: ResponseStatus,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ResponseStatus {
    code: u16,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct ObjectRef {
    api_group: String,
    resource: String,
    subresource: String,
    namespace: String,
}

impl Usage {
    /// Reads the whole log.
    ///
    /// A refusal by admission (a quota, a namespace that is being deleted) is a 403 as well, but was not forbidden: only the
    /// authorizer's own decision counts.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn read(log: &Path, user: &str) -> Result<Self> {
        let file = File::open(log).with_context(|| format!("cannot read {}", log.display()))?;
        let mut usage = Self::default();
        for line in BufReader::new(file).lines() {
            let line = line?;
            // The last line may be half written.
            if !line.contains(user) {
                continue;
            }
            let Ok(entry) = serde_json::from_str::<Entry>(&line) else { continue };
            let Some(object) = entry.object_ref.filter(|_| entry.user.username == user) else { continue };
            let slash = if object.subresource.is_empty() { "" } else { "/" };
            let resource = format!("{}{slash}{}", object.resource, object.subresource);
            let decision = entry.annotations.get("authorization.k8s.io/decision").map(String::as_str);
            if decision == Some("forbid") {
                let place = if object.namespace.is_empty() { "the cluster" } else { &object.namespace };
                usage.forbidden.insert(format!("{} {resource}.{} in {place}", entry.verb, object.api_group));
                continue;
            }
            // An apply that makes its object needs the right to create it too.
            if entry.verb == "patch" && entry.response_status.code == 201 {
                usage.used.insert((object.api_group.clone(), resource.clone(), "create".to_owned()));
            }
            usage.used.insert((object.api_group, resource, entry.verb));
        }
        Ok(usage)
    }

    /// Rights that rules grant and that were not used. `get`, `list` and `watch` count as one: they show the same. `update` on
    /// finalizers is left out: no request is made with it, the API server asks for it where
    /// `OwnerReferencesPermissionEnforcement` is on.
    #[must_use]
    pub fn idle(&self, rules: &[PolicyRule]) -> BTreeSet<String> {
        let used: BTreeSet<_> = self.used.iter().map(class).collect();
        let granted = expand(rules).into_iter().filter(|(_, resource, _)| !resource.ends_with("/finalizers"));
        granted
            .filter(|right| !used.contains(&class(right)))
            .map(|right| {
                let (group, resource, verb) = class(&right);
                format!("{verb} {resource}.{group}")
            })
            .collect()
    }
}

fn class((group, resource, verb): &Right) -> (&str, &str, &str) {
    (group, resource, if matches!(verb.as_str(), "get" | "list" | "watch") { "read" } else { verb })
}

/// Every right that rules grant, one by one.
#[must_use]
pub fn expand(rules: &[PolicyRule]) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for rule in rules {
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                for verb in &rule.verbs {
                    rights.insert((group.clone(), resource.clone(), verb.clone()));
                }
            }
        }
    }
    rights
}

/// The rules that the chart made for the operator itself.
///
/// # Errors
/// When the API server does not answer, or the chart is not installed.
pub async fn granted(client: &Client) -> Result<Vec<PolicyRule>> {
    let ours = ListParams::default().labels(&format!("app.kubernetes.io/instance={RELEASE}"));
    let for_people = |role: &ClusterRole| {
        role.labels().keys().any(|label| label.starts_with("rbac.authorization.k8s.io/aggregate-to-"))
    };
    let clusterwide: Api<ClusterRole> = Api::all(client.clone());
    let clusterwide = clusterwide.list(&ours).await?.items.into_iter().filter(|role| !for_people(role));
    let own: Api<Role> = Api::namespaced(client.clone(), NAMESPACE);
    let own = own.list(&ours).await?.items.into_iter();
    let rules = clusterwide.map(|role| role.rules).chain(own.map(|role| role.rules));
    let rules: Vec<_> = rules.flatten().flatten().collect();
    ensure!(!rules.is_empty(), "the chart made no role for the operator: is it installed as {RELEASE}?");
    Ok(rules)
}

/// Nothing was forbidden to the operator; with `everything`, also that no rule was idle while every scenario ran.
///
/// # Errors
/// With what was forbidden or idle.
pub async fn check(client: &Client, audit_log: &Path, everything: bool) -> Result<()> {
    let usage = Usage::read(audit_log, USER)?;
    ensure!(usage.forbidden.is_empty(), "the chart's rules forbid what the operator does: {:?}", usage.forbidden);
    if everything {
        let idle = usage.idle(&granted(client).await?);
        ensure!(idle.is_empty(), "the chart's rules grant what the operator never does: {idle:?}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn when_a_user_is_forbidden_something_then_it_is_told_and_what_is_never_used_too() {
        let log = std::env::temp_dir().join(format!("ecs-operator-rights-{}.log", std::process::id()));
        let line = |verb: &str, user: &str, resource: &str, decision: &str, code: u16| {
            let object = json!({"apiGroup": "apps", "resource": resource, "namespace": "n", "name": "web"});
            json!({"verb": verb, "user": {"username": user}, "objectRef": object, "responseStatus": {"code": code},
                "annotations": {"authorization.k8s.io/decision": decision}})
            .to_string()
                + "\n"
        };
        let text = [
            line("patch", "us", "deployments", "allow", 200),
            line("patch", "us", "statefulsets", "allow", 201),
            // Refused by admission.
            line("create", "us", "deployments", "allow", 403),
            line("get", "us", "replicasets", "forbid", 403),
            line("get", "them", "daemonsets", "forbid", 403),
        ];
        std::fs::write(&log, text.concat() + "{\"half").unwrap();
        let usage = Usage::read(&log, "us").unwrap();
        std::fs::remove_file(log).unwrap();
        assert_eq!(usage.forbidden, BTreeSet::from(["get replicasets.apps in n".to_owned()]));
        assert_eq!(usage.used.len(), 4);
        assert!(usage.used.contains(&("apps".to_owned(), "statefulsets".to_owned(), "create".to_owned())));
        let rules: Vec<PolicyRule> = serde_json::from_value(json!([
            {"apiGroups": ["apps"], "resources": ["statefulsets", "deployments/finalizers"], "verbs": ["get", "watch"]},
            {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["patch", "delete"]},
        ]))
        .unwrap();
        assert_eq!(
            usage.idle(&rules),
            BTreeSet::from(["delete deployments.apps".to_owned(), "read statefulsets.apps".to_owned()])
        );
    }
}
