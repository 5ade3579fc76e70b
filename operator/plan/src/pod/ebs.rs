//! Volumes that the service configures at launch: one new claim per task, which lives as long as its Pod.
//!
//! Kubernetes makes the claim of an `ephemeral` volume with the Pod and removes it with the Pod, as ECS does with the EBS
//! volume of a task. What kind of disk it is stands in a StorageClass, one per namespace and set of parameters: its name is
//! made from them, so that the services of a namespace share it.

use std::collections::BTreeMap;

use api::conditions::Reason;
use api::service::{
    EbsTagSpecification, PropagateTags, ServiceManagedEbsVolumeConfiguration, ServiceVolumeConfiguration,
};
use api::task_definition::{TaskDefinitionSpec, Volume};
use ecs::hash::hex;
use ecs::tags::MOST_TAGS;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::json::Members;
use super::network::is_dns_name;
use super::notes::Notes;
use super::user::run_as;
use super::volume_source::Source;
use super::{TaskInput, platform, snapshot};
use crate::core::kind::Kind;
use crate::core::labels;
use crate::core::quantity::gibibytes;

/// The CSI driver.
pub(crate) const DRIVER: &str = "ebs.csi.aws.com";
/// Parameter of every CSI driver: the file system that is made on a new volume.
const FILE_SYSTEM_TYPE: &str = "csi.storage.k8s.io/fstype";
/// Tag keys that the driver keeps for itself; it would make no volume.
const RESERVED_TAGS: [&str; 4] = ["CSIVolumeName", "CSIVolumeSnapshotName", "ebs.csi.aws.com/cluster", "kubernetes.io"];

/// The source of the volume called `name`.
pub(super) fn source(
    name: &str,
    configurations: &[ServiceVolumeConfiguration],
    input: &TaskInput<'_>,
    notes: &mut Notes,
) -> Option<Source> {
    let found = configurations.iter().enumerate().find(|(_, configuration)| configuration.name == name);
    let Some((index, ebs)) = found.and_then(|(index, found)| Some((index, found.managed_ebs_volume.as_ref()?))) else {
        let message = format!("volume {name} is configuredAtLaunch, and the service does not configure it");
        notes.refuse_because(Reason::VolumeConfigurationMissing, "volumeConfigurations", message);
        return None;
    };
    let path = format!("volumeConfigurations[{index}].managedEBSVolume");
    let size = size(ebs, &path, notes)?;
    let mut spec = Map::new();
    spec.put("accessModes", json!(["ReadWriteOnce"]));
    spec.put("resources", json!({"requests": {"storage": gibibytes(size)}}));
    let mut source = Source::of("ephemeral", Value::Null);
    let snapshot = ebs.snapshot_id.as_deref().filter(|id| !id.is_empty());
    let snapshot_path = format!("{path}.snapshotId");
    if let Some(class) = input.policy.annotation(labels::EBS_STORAGE_CLASS) {
        if !is_dns_name(class) {
            let message = format!(
                "the annotation {} of namespace {} is {class:?}, which is not the name of a StorageClass",
                labels::EBS_STORAGE_CLASS,
                input.namespace
            );
            notes.refuse(path, message);
            return None;
        }
        report_own_class(ebs, class, &path, notes);
        spec.put("storageClassName", class);
        if let Some(id) = snapshot {
            spec.put("dataSource", snapshot::of_the_namespace(id, &snapshot_path, notes));
        }
    } else {
        let class = storage_class(input.namespace, &parameters(ebs, &path, input, notes));
        spec.put("storageClassName", class.pointer("/metadata/name").cloned().unwrap_or_default());
        source.cluster_scoped.push(class);
        if let Some(id) = snapshot {
            let snapshot = snapshot::of_ebs(DRIVER, id, &snapshot_path, input, notes)?;
            spec.put("dataSource", snapshot.data_source);
            source.shared.push(snapshot.object);
            source.cluster_scoped.push(snapshot.content);
        }
    }
    Some(source.with_content(json!({"volumeClaimTemplate": {"spec": spec}})))
}

/// GiB. A claim must state a size, which ECS would take from the snapshot.
fn size(ebs: &ServiceManagedEbsVolumeConfiguration, path: &str, notes: &mut Notes) -> Option<i64> {
    let size = ebs.size_in_gib.map(i64::from).filter(|size| *size > 0);
    let has_snapshot = ebs.snapshot_id.as_deref().is_some_and(|id| !id.is_empty());
    if size.is_none() && has_snapshot {
        let message = "a PersistentVolumeClaim needs a size, and the operator does not know that of the snapshot: set \
            sizeInGiB";
        notes.unsupported(format!("{path}.sizeInGiB"), message);
    } else if size.is_none() {
        notes.refuse_because(
            Reason::InvalidParameterException,
            format!("{path}.sizeInGiB"),
            "either sizeInGiB or snapshotId must be specified",
        );
    }
    size
}

/// The class of one set of parameters. Volumes are made where their task runs and go with it.
fn storage_class(namespace: &str, parameters: &Map<String, Value>) -> Value {
    let labels = json!({labels::MANAGED_BY: labels::OPERATOR, labels::NAMESPACE: namespace});
    json!({
        "apiVersion": Kind::StorageClass.api_version(),
        "kind": Kind::StorageClass.kind(),
        "metadata": {"name": class_name(namespace, parameters), "labels": labels},
        "provisioner": DRIVER,
        "parameters": parameters,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
    })
}

fn class_name(namespace: &str, parameters: &Map<String, Value>) -> String {
    format!("ecs-ebs-{namespace}-{}", hex(&json!([namespace, parameters]).to_string(), 16))
}

/// Whether an object is a class as it would be made here, name included: nothing else is created, whoever asks for it.
pub(crate) fn is_storage_class(object: &Value, namespace: &str) -> bool {
    let parameters = object.get("parameters").and_then(Value::as_object);
    parameters.is_some_and(|parameters| storage_class(namespace, parameters) == *object)
}

/// `parameters` of the class. What ECS leaves to a default is stated, because the driver's defaults differ: ext4 for xfs.
fn parameters(
    ebs: &ServiceManagedEbsVolumeConfiguration,
    path: &str,
    input: &TaskInput<'_>,
    notes: &mut Notes,
) -> Map<String, Value> {
    let default_file_system =
        if platform::is_windows(input.task_definition) { "ntfs" } else { ecs::volume::EbsVolume::DEFAULT_FILESYSTEM };
    let mut parameters = Map::new();
    let volume_type = spelling(ebs.volume_type).unwrap_or_else(|| ecs::volume::EbsVolume::DEFAULT_TYPE.to_owned());
    parameters.put("type", volume_type);
    parameters.put(FILE_SYSTEM_TYPE, spelling(ebs.filesystem_type).unwrap_or_else(|| default_file_system.to_owned()));
    let key = ebs.kms_key_id.as_deref().filter(|key| !key.is_empty());
    let is_encrypted = ebs.encrypted.or_else(|| key.map(|_| true));
    parameters.put_some("encrypted", is_encrypted.map(|is_encrypted| is_encrypted.to_string()));
    parameters.put_some("kmsKeyId", key);
    parameters.put_some("iops", ebs.iops.map(|number| number.to_string()));
    parameters.put_some("throughput", ebs.throughput.map(|number| number.to_string()));
    let rate = ebs.volume_initialization_rate.filter(|rate| *rate > 0);
    parameters.put_some("volumeInitializationRate", rate.map(|number| number.to_string()));
    let tags = tags(ebs, path, input.task_definition, notes);
    if tags.len() > MOST_TAGS {
        let message = format!("a volume has at most {MOST_TAGS} tags, not {}", tags.len());
        notes.refuse_because(Reason::InvalidParameterException, format!("{path}.tagSpecifications"), message);
    }
    for (index, (key, value)) in tags.into_iter().enumerate() {
        parameters.put(&format!("tagSpecification_{}", index + 1), format!("{key}={value}"));
    }
    parameters
}

/// Tags by key: stated ones, then those of the task definition where they are propagated. Those of the service are added
/// to the stated ones before a Pod is made.
fn tags(
    ebs: &ServiceManagedEbsVolumeConfiguration,
    path: &str,
    definition: &TaskDefinitionSpec,
    notes: &mut Notes,
) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    for (index, specification) in ebs.tag_specifications.iter().flatten().enumerate() {
        let from_definition = definition.tags.iter().flatten().filter(|_| propagates_definition(specification));
        let own = specification.tags.iter().flatten().enumerate();
        let own = own.map(|(number, tag)| (format!("{path}.tagSpecifications[{index}].tags[{number}]"), tag));
        let path = format!("{path}.tagSpecifications[{index}].propagateTags");
        for (path, tag) in own.chain(from_definition.map(|tag| (path.clone(), tag))) {
            let (key, value) = (tag.key.as_str(), tag.value.as_deref().unwrap_or_default());
            let is_reserved = RESERVED_TAGS.iter().any(|reserved| key.starts_with(reserved));
            if is_reserved || key.contains('=') || key.is_empty() {
                let why = format!("the EBS CSI driver does not accept a tag with the key {key:?}");
                notes.no_effect(path, why);
            } else {
                tags.entry(key.to_owned()).or_insert_with(|| value.to_owned());
            }
        }
    }
    tags
}

fn propagates_definition(specification: &EbsTagSpecification) -> bool {
    specification.propagate_tags == Some(PropagateTags::TaskDefinition)
}

/// With a class of the administrator's own, the class decides what the parameters would.
fn report_own_class(ebs: &ServiceManagedEbsVolumeConfiguration, class: &str, path: &str, notes: &mut Notes) {
    for (is_set, field) in [
        (ebs.encrypted.is_some(), "encrypted"),
        (ebs.kms_key_id.is_some(), "kmsKeyId"),
        (ebs.volume_type.is_some(), "volumeType"),
        (ebs.iops.is_some(), "iops"),
        (ebs.throughput.is_some(), "throughput"),
        (ebs.filesystem_type.is_some(), "filesystemType"),
        (ebs.volume_initialization_rate.is_some(), "volumeInitializationRate"),
        (ebs.tag_specifications.as_ref().is_some_and(|list| !list.is_empty()), "tagSpecifications"),
    ] {
        if is_set {
            let why = format!("the StorageClass {class}, which an administrator chose for the namespace, decides this");
            notes.no_effect(format!("{path}.{field}"), why);
        }
    }
}

/// `securityContext.fsGroup` of the Pod: a new disk belongs to root, and ECS lets the user of the container that mounts it
/// read and write. The group of the first such container counts, or its user's number where it has none.
pub(super) fn fs_group(definition: &TaskDefinitionSpec) -> Option<i64> {
    let volumes: Vec<&Volume> =
        definition.volumes.iter().flatten().filter(|volume| volume.configured_at_launch == Some(true)).collect();
    let mounts = |name: &Option<String>| volumes.iter().any(|volume| name.as_deref() == Some(volume.name.as_str()));
    definition
        .container_definitions
        .iter()
        .filter(|container| container.mount_points.iter().flatten().any(|point| mounts(&point.source_volume)))
        .filter_map(|container| run_as(container.user.as_deref().filter(|user| !user.is_empty())?).ok())
        .find(|user| user.user != 0)
        .map(|user| user.group.filter(|group| *group != 0).unwrap_or(user.user))
}

/// An enum value as ECS spells it.
fn spelling<T: Serialize>(value: Option<T>) -> Option<String> {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(ToOwned::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_an_object_is_not_a_class_as_it_is_made_here_then_it_is_none_of_ours() {
        let parameters = json!({"type": "gp3", "csi.storage.k8s.io/fstype": "xfs"});
        let class = storage_class("shop", parameters.as_object().unwrap());
        assert!(is_storage_class(&class, "shop") && !is_storage_class(&class, "other"));
        for (pointer, value) in [
            ("/provisioner", json!("efs.csi.aws.com")),
            ("/metadata/name", json!("standard")),
            ("/reclaimPolicy", json!("Retain")),
            ("/parameters/type", json!("io2")),
            ("/volumeBindingMode", json!("Immediate")),
            ("/metadata/labels", json!({})),
        ] {
            let mut other = class.clone();
            *other.pointer_mut(pointer).unwrap() = value;
            assert!(!is_storage_class(&other, "shop"), "{pointer}");
        }
        let mut more = class;
        more["mountOptions"] = json!(["dev"]);
        assert!(!is_storage_class(&more, "shop"));
    }

    #[test]
    fn when_a_user_that_is_not_root_mounts_the_disk_then_the_disk_is_of_its_group() {
        for (users, group) in [
            (vec![None], None),
            (vec![Some("1000")], Some(1000)),
            (vec![Some("1000:2000")], Some(2000)),
            (vec![Some("1000:0")], Some(1000)),
            (vec![Some("root")], None),
            (vec![Some("0"), Some("7")], Some(7)),
            (vec![Some("5"), Some("7")], Some(5)),
            (vec![Some("nginx")], None),
        ] {
            let container = |user: Option<&str>| json!({"name": "a", "image": "a", "user": user, "mountPoints": [{"sourceVolume": "d", "containerPath": "/d"}]});
            let definition = json!({"volumes": [{"name": "d", "configuredAtLaunch": true}],
                "containerDefinitions": users.iter().copied().map(container).collect::<Vec<_>>()});
            assert_eq!(fs_group(&serde_json::from_value(definition).unwrap()), group, "{users:?}");
        }
    }
}
