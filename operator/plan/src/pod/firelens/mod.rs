//! FireLens: a container of the task that the others send their logs to, with the configuration that ECS writes for it.
//!
//! ECS has docker send standard output and error to the router's socket. Containers of a Pod have no log driver: what
//! they send to `FLUENT_HOST:FLUENT_PORT` reaches the router, and what they print reaches it when the log agent of the
//! node passes it on, to the socket in the volume `firelens-socket` of the Pod.
//!
//! What the router needs is brought in at two places. [`prepare`] adds to the containers what containers can state:
//! the address of the router, and the secrets of log options as variables of the router, so that they go the way of
//! every secret. [`FireLens::finish`] adds to the router's container in the Pod what only a Pod can state.

mod fluent_bit;
mod fluentd;
mod route;

use std::borrow::Cow;

use api::task_definition::{
    FirelensConfiguration, FirelensConfigurationType, KeyValuePair, LogDriver, NetworkMode, Secret,
    TaskDefinitionKubernetes, TaskDefinitionSpec,
};
use ecs::hash::hex;
use serde_json::{Map, Value, json};

use super::environment::FileObject;
use super::json::Members;
use super::notes::Notes;
use super::volume_source::Source;
use super::volumes::Volumes;
use crate::core::kind::Kind;
use crate::core::labels;
use route::{Configuration, Route};

/// Where the socket of the router is, in its container.
const SOCKET: &str = "/var/run/fluent.sock";
/// The directory that holds it.
const SOCKET_DIRECTORY: &str = "/var/run";
/// The name by which ECS has a file of S3 beside the router's configuration; also its key in the object that holds it.
const EXTERNAL: &str = "external.conf";
/// The port of the router, only reached from inside the Pod.
const PORT: &str = "24224";
/// Variables of the router that its configuration reads.
const CLUSTER: &str = "FIRELENS_CLUSTER";
const FAMILY: &str = "FIRELENS_FAMILY";
const REVISION: &str = "FIRELENS_REVISION";
const TASK: &str = "FIRELENS_TASK";
const POD_UID: &str = "FIRELENS_POD_UID";

/// The router of a task.
#[derive(Debug)]
pub(super) struct FireLens {
    /// Position in `containerDefinitions`.
    router: usize,
    type_: FirelensConfigurationType,
    has_metadata: bool,
    /// What holds the file that its configuration includes, if anything does.
    object: Option<FileObject>,
    /// The ConfigMap with its configuration.
    config_map: Value,
    /// Paths of fields that were added to the definition, and of those that they stand for.
    stands_for: Vec<(String, String)>,
}

/// The definition with what FireLens adds to its containers. Without a router it stays as it is.
pub(super) fn prepare<'a>(
    definition: &'a TaskDefinitionSpec,
    namespace: &str,
    notes: &mut Notes,
) -> (Cow<'a, TaskDefinitionSpec>, Option<FireLens>) {
    let containers = &definition.container_definitions;
    let found = containers.iter().enumerate().find_map(|(index, container)| {
        container.firelens_configuration.as_ref().map(|configuration| (index, configuration))
    });
    let Some((router, firelens)) = found else { return (Cow::Borrowed(definition), None) };
    let before = notes.refusals.len();
    // With the network of the host the router would take a port of the node: ECS has it listen at the socket only.
    let has_port = definition.network_mode != Some(NetworkMode::Host);
    let Options { has_metadata, include, object } =
        Options::read(firelens, definition.kubernetes.as_ref(), router, notes);
    let senders = senders(definition, router, firelens.type_, notes);
    if notes.refusals.len() > before {
        return (Cow::Borrowed(definition), None);
    }
    let mut prepared = definition.clone();
    let mut stands_for = Vec::new();
    for route in &senders {
        if let Some(container) = prepared.container_definitions.get_mut(route.index).filter(|_| has_port) {
            let environment = container.environment.get_or_insert_default();
            for (name, value) in [("FLUENT_HOST", "127.0.0.1"), ("FLUENT_PORT", PORT)] {
                environment.push(KeyValuePair { name: name.to_owned(), value: Some(value.to_owned()) });
            }
        }
        let Some(container) = prepared.container_definitions.get_mut(router) else { continue };
        let secrets = container.secrets.get_or_insert_default();
        for secret in &route.secrets {
            let added = format!("containerDefinitions[{router}].secrets[{}]", secrets.len());
            stands_for.push((added, secret.path.clone()));
            secrets.push(Secret { name: secret.variable.clone(), value_from: secret.value_from.clone() });
        }
    }
    let configuration = Configuration { has_port, has_metadata, include, routes: senders };
    let (file, text) = match firelens.type_ {
        FirelensConfigurationType::Fluentbit => ("fluent-bit.conf", fluent_bit::write(&configuration)),
        FirelensConfigurationType::Fluentd => ("fluent.conf", fluentd::write(&configuration)),
    };
    let config_map = config_map(namespace, file, &text);
    let router = FireLens { router, type_: firelens.type_, has_metadata, object, config_map, stands_for };
    (Cow::Owned(prepared), Some(router))
}

/// A ConfigMap that is named after what is in it: services with the same configuration share it, and it never changes.
fn config_map(namespace: &str, file: &str, text: &str) -> Value {
    let name = format!("ecs-firelens-{}", hex(&json!([file, text]).to_string(), 16));
    json!({
        "apiVersion": Kind::ConfigMap.api_version(),
        "kind": Kind::ConfigMap.kind(),
        "metadata": {"name": name, "namespace": namespace, "labels": {labels::MANAGED_BY: labels::OPERATOR}},
        "immutable": true,
        "data": {file: text},
    })
}

/// What the options of a router say.
#[derive(Debug, Default)]
struct Options {
    /// Whether records get metadata.
    has_metadata: bool,
    /// The file that is included.
    include: Option<String>,
    /// What holds that file, where ECS would read it from S3.
    object: Option<FileObject>,
}

impl Options {
    fn read(
        firelens: &FirelensConfiguration,
        kubernetes: Option<&TaskDefinitionKubernetes>,
        router: usize,
        notes: &mut Notes,
    ) -> Self {
        let stated = |name: &str| firelens.options.iter().flatten().find(|(known, _)| known.as_str() == name);
        let path = |name: &str| format!("containerDefinitions[{router}].firelensConfiguration.options[{name}]");
        let mut options = Self { has_metadata: true, ..Self::default() };
        for (name, value) in firelens.options.iter().flatten() {
            match (name.as_str(), value.as_str()) {
                ("enable-ecs-log-metadata", "true" | "false") => options.has_metadata = value == "true",
                ("enable-ecs-log-metadata", _) => notes.refuse(path(name), "true or false"),
                ("config-file-type", "file" | "s3") | ("config-file-value", _) => {}
                ("config-file-type", _) => notes.refuse(path(name), "file or s3"),
                _ => notes.no_effect(path(name), "not an option of FireLens"),
            }
        }
        let value = stated("config-file-value").map(|(_, value)| value.as_str());
        let value_path = path("config-file-value");
        match (stated("config-file-type").map(|(_, kind)| kind.as_str()), value) {
            (Some("file" | "s3"), None) => {
                notes.refuse(path("config-file-type"), "config-file-value must say which file");
            }
            (Some("file"), Some("/fluent-bit/etc/fluent-bit.conf" | "/fluentd/etc/fluent.conf")) => {
                let message = "the operator writes the router's configuration to this path: choose another one";
                notes.refuse(value_path, message);
            }
            (Some("file"), Some(file))
                if !file.starts_with('/') || file.chars().any(|c| c.is_control() || c == ' ') =>
            {
                notes.refuse(value_path, "the path of a file in the image of the router");
            }
            (Some("file"), Some(file)) => options.include = Some(file.to_owned()),
            (Some("s3"), Some(arn)) => match FileObject::of(kubernetes, arn) {
                None => notes.refuse(value_path, "the ARN of an S3 object"),
                Some(object) => {
                    let what = match &object {
                        FileObject::ConfigMap(name) => format!("ConfigMap {name}"),
                        FileObject::Secret(name) => format!("Secret {name}"),
                    };
                    let why = format!("read from the key {EXTERNAL} of the {what}, which must exist");
                    notes.approximated(value_path, why);
                    options.include = Some(format!("{}/{EXTERNAL}", directory(firelens.type_)));
                    options.object = Some(object);
                }
            },
            _ => {}
        }
        options
    }
}

/// Where the router has its configuration.
const fn directory(type_: FirelensConfigurationType) -> &'static str {
    match type_ {
        FirelensConfigurationType::Fluentbit => "/fluent-bit/etc",
        FirelensConfigurationType::Fluentd => "/fluentd/etc",
    }
}

/// The volume with a file that ECS would read from S3. Without the object the router does not start, as on ECS.
fn external(object: &FileObject) -> Source {
    let items = json!([{"key": EXTERNAL, "path": EXTERNAL}]);
    match object {
        FileObject::ConfigMap(name) => Source::of("configMap", json!({"name": name, "items": items})),
        FileObject::Secret(name) => Source::of("secret", json!({"secretName": name, "items": items})),
    }
}

/// The containers that send to the router.
fn senders(
    definition: &TaskDefinitionSpec,
    router: usize,
    type_: FirelensConfigurationType,
    notes: &mut Notes,
) -> Vec<Route> {
    let mut senders = Vec::new();
    for (index, container) in definition.container_definitions.iter().enumerate() {
        let Some(configuration) = &container.log_configuration else { continue };
        if configuration.log_driver != LogDriver::Awsfirelens {
            continue;
        }
        if index == router {
            let path = format!("containerDefinitions[{index}].logConfiguration.logDriver");
            notes.refuse(path, "the log router cannot send its own log to itself");
            continue;
        }
        senders.extend(route::read(index, &container.name, configuration, type_, notes));
    }
    senders
}

impl FireLens {
    /// Whether the container at `index` is the router.
    pub(super) fn is_router(&self, index: usize) -> bool {
        self.router == index
    }

    /// The path of the field that somebody wrote, for one that was added here.
    pub(super) fn original_path(&self, path: String) -> String {
        let found = self.stands_for.iter().find_map(|(added, original)| {
            let rest = path.strip_prefix(added.as_str())?;
            Some(format!("{original}{rest}"))
        });
        found.unwrap_or(path)
    }

    /// Adds to the router's container what it reads: its configuration, its socket, who it is.
    pub(super) fn finish(&self, container: &mut Value, volumes: &mut Volumes, notes: &mut Notes) {
        let Some(container) = container.as_object_mut() else { return };
        let directory = directory(self.type_);
        let file = match self.type_ {
            FirelensConfigurationType::Fluentbit => "fluent-bit.conf",
            FirelensConfigurationType::Fluentd => "fluent.conf",
        };
        let mut source = Source::of(
            "configMap",
            json!({"name": self.config_map.pointer("/metadata/name").cloned().unwrap_or_default()}),
        );
        source.shared.push(self.config_map.clone());
        let configuration = volumes.add("firelens", "configuration", source);
        let socket = volumes.add("firelens", "socket", Source::of("emptyDir", json!({})));
        let place = format!("{directory}/{file}");
        let mut mounts = vec![
            json!({"name": configuration, "mountPath": place, "subPath": file, "readOnly": true}),
            json!({"name": socket, "mountPath": SOCKET_DIRECTORY}),
        ];
        if let Some(object) = &self.object {
            let volume = volumes.add("firelens", "external", external(object));
            let place = format!("{directory}/{EXTERNAL}");
            mounts.push(json!({"name": volume, "mountPath": place, "subPath": EXTERNAL, "readOnly": true}));
        }
        let mut own = take_list(container, "volumeMounts");
        for mount in mounts {
            let place = mount.get("mountPath").cloned().unwrap_or_default();
            if own.iter().any(|other| other.get("mountPath") == Some(&place)) {
                let path = format!("containerDefinitions[{}].mountPoints", self.router);
                notes.refuse(path, format!("FireLens uses {place} itself"));
            }
            own.push(mount);
        }
        container.put_list("volumeMounts", own);
        if !self.has_metadata {
            return;
        }
        let label = |name: &str| json!({"fieldRef": {"fieldPath": format!("metadata.labels['{name}']")}});
        let mut variables = Vec::new();
        for (name, source) in [
            (CLUSTER, label(labels::CLUSTER)),
            (FAMILY, label(labels::FAMILY)),
            (REVISION, label(labels::REVISION)),
            (POD_UID, json!({"fieldRef": {"fieldPath": "metadata.uid"}})),
        ] {
            variables.push(json!({"name": name, "valueFrom": source}));
        }
        variables.push(json!({"name": TASK, "value": format!("task/$({CLUSTER})/$({POD_UID})")}));
        let names: Vec<Value> = variables.iter().filter_map(|variable| variable.get("name").cloned()).collect();
        let mut env = take_list(container, "env");
        env.retain(|variable| variable.get("name").is_none_or(|name| !names.contains(name)));
        // A variable can refer to those before it.
        variables.append(&mut env);
        container.put_list("env", variables);
    }
}

/// A list of the container; empty if it is not there.
fn take_list(container: &mut Map<String, Value>, name: &str) -> Vec<Value> {
    match container.remove(name) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}
