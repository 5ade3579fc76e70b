//! Where the values behind `secrets` and `repositoryCredentials` come from. The operator never sees one: it says which
//! Secret of Kubernetes holds it, and who fills that Secret.
//!
//! | source | when |
//! |---|---|
//! | an `ExternalSecret` | the cluster serves `external-secrets.io/v1`, the Namespace names a store and allows the reference |
//! | a `SecretProviderClass` | the cluster serves `secrets-store.csi.x-k8s.io/v1`, the Namespace names a provider and allows the reference |
//! | a Secret that somebody makes | otherwise; its name and key follow from the reference |
//!
//! Whatever the source is, a container that names a secret does not start without it.

mod csi;
mod external;
mod frozen;
mod naming;
mod registry;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use api::conditions::Reason;
use ecs::secret::{SecretReference, registry_credentials, secret_reference};
use serde_json::{Value, json};

use super::TaskInput;
use super::notes::Notes;
use crate::core::integration::Integration;
use crate::core::labels;
use crate::core::policy::Permission;
use crate::core::right::Right;
use external::Store;
pub(crate) use frozen::fetched;
pub(crate) use naming::InSecret;

/// Who fills a Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretSource {
    /// The External Secrets Operator.
    ExternalSecrets,
    /// The Secrets Store CSI driver, when a task starts.
    SecretsStoreCsi,
    /// Somebody else: a person, a pipeline.
    Secret,
}

impl fmt::Display for SecretSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::ExternalSecrets => "ExternalSecrets",
            Self::SecretsStoreCsi => "SecretsStoreCsi",
            Self::Secret => "Secret",
        })
    }
}

/// Name and key of a Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Name of the Secret.
    pub(super) name: String,
    /// Key in it.
    pub(super) key: String,
}

/// The secrets of a task.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    /// By container and `valueFrom`.
    places: BTreeMap<(usize, String), Place>,
    /// What the container has to mount for the driver to fill its Secret.
    mounts: BTreeMap<usize, csi::Class>,
    /// `imagePullSecrets`, each name once.
    pull: Vec<String>,
    objects: Vec<Value>,
    sources: BTreeSet<SecretSource>,
}

/// One `secrets[]` that can be read.
struct Wanted {
    container: usize,
    value_from: String,
    reference: SecretReference,
    path: String,
}

/// What is done about a reference.
enum Decision {
    External(Store),
    Csi,
    Native,
}

impl Secrets {
    /// Decides for every reference of the task.
    pub(super) fn of(input: &TaskInput<'_>, notes: &mut Notes) -> Self {
        let mut secrets = Self::default();
        let mut stores: BTreeMap<Store, Vec<Wanted>> = BTreeMap::new();
        let mut classes: BTreeMap<usize, Vec<Wanted>> = BTreeMap::new();
        let mut native: Vec<Wanted> = Vec::new();
        for wanted in wanted(input, notes) {
            match decide(input, &wanted.value_from, &wanted.reference, &wanted.path, true, notes) {
                Some(Decision::External(store)) => stores.entry(store).or_default().push(wanted),
                Some(Decision::Csi) => classes.entry(wanted.container).or_default().push(wanted),
                Some(Decision::Native) => native.push(wanted),
                None => {}
            }
        }
        for (store, list) in stores {
            secrets.sources.insert(SecretSource::ExternalSecrets);
            let references: Vec<SecretReference> = list.iter().map(|wanted| wanted.reference.clone()).collect();
            let value_from: Vec<&str> = list.iter().map(|wanted| wanted.value_from.as_str()).collect();
            let object = external::secret(input, &store, &references, &value_from);
            secrets.place(list, &object.name);
            secrets.objects.push(object.body);
        }
        for (container, list) in classes {
            secrets.sources.insert(SecretSource::SecretsStoreCsi);
            let name = input.task_definition.container_definitions.get(container).map(|known| known.name.as_str());
            let references: Vec<&SecretReference> = list.iter().map(|wanted| &wanted.reference).collect();
            let value_from: Vec<&str> = list.iter().map(|wanted| wanted.value_from.as_str()).collect();
            let class = csi::class(input, name.unwrap_or_default(), &references, &value_from);
            secrets.place(list, &class.name);
            secrets.objects.push(class.body.clone());
            secrets.mounts.insert(container, class);
        }
        secrets.native(&native, notes);
        secrets.registries(input, notes);
        secrets
    }

    /// The Secret that holds the value of a reference; `None` for one that was refused.
    pub(super) fn find(&self, container: usize, value_from: &str) -> Option<&Place> {
        self.places.get(&(container, value_from.to_owned()))
    }

    /// `imagePullSecrets` of the Pod.
    pub(super) fn pull_secrets(&self) -> Vec<Value> {
        self.pull.iter().map(|name| json!({"name": name})).collect()
    }

    /// The mount by which a container has its Secret filled, if it needs one.
    pub(super) fn mount(&self, container: usize) -> Option<Value> {
        self.mounts.get(&container).map(csi::Class::mount)
    }

    /// The volumes behind the mounts.
    pub(super) fn volumes(&self) -> impl Iterator<Item = Value> {
        self.mounts.values().map(csi::Class::volume)
    }

    /// The annotation that tells where the values come from; `None` for a task without secrets.
    pub(super) fn annotation(&self) -> Option<(String, String)> {
        let sources: Vec<String> = self.sources.iter().map(ToString::to_string).collect();
        (!sources.is_empty()).then(|| (labels::SECRET_SOURCE.to_owned(), sources.join(",")))
    }

    /// What has to be in the namespace for the Secrets to be filled.
    pub(super) fn into_objects(self) -> Vec<Value> {
        self.objects
    }

    fn place(&mut self, list: Vec<Wanted>, name: &str) {
        for wanted in list {
            let place = Place { name: name.to_owned(), key: wanted.reference.own_key() };
            self.places.insert((wanted.container, wanted.value_from), place);
        }
    }

    /// Secrets that somebody makes. Two different values cannot be under one name and key.
    fn native(&mut self, list: &[Wanted], notes: &mut Notes) {
        for (index, wanted) in list.iter().enumerate() {
            self.sources.insert(SecretSource::Secret);
            let (name, key) = wanted.reference.kubernetes_secret();
            let earlier = list.iter().take(index).find(|earlier| earlier.reference.contradicts(&wanted.reference));
            if let Some(earlier) = earlier {
                notes.refuse(
                    &wanted.path,
                    format!("{} refers to another value with the same Secret {name} and key {key}", earlier.path),
                );
            }
            self.places.insert((wanted.container, wanted.value_from.clone()), Place { name, key });
        }
    }

    fn registries(&mut self, input: &TaskInput<'_>, notes: &mut Notes) {
        let mut fetched: BTreeMap<(Store, String), registry::Credentials> = BTreeMap::new();
        for (index, definition) in input.task_definition.container_definitions.iter().enumerate() {
            let Some(credentials) = &definition.repository_credentials else { continue };
            let parameter = credentials.credentials_parameter.as_str();
            let path = format!("containerDefinitions[{index}].repositoryCredentials.credentialsParameter");
            let reference = match registry_credentials(parameter) {
                Ok(reference) => reference,
                Err(error) => {
                    notes.refuse(path, error.to_string());
                    continue;
                }
            };
            match decide(input, parameter, &reference, &path, false, notes) {
                Some(Decision::External(store)) => {
                    let credentials = fetched.entry((store, parameter.to_owned())).or_insert_with(|| {
                        registry::Credentials { reference, value_from: parameter.to_owned(), hosts: BTreeSet::new() }
                    });
                    credentials.hosts.insert(registry::host(&definition.image).to_owned());
                }
                Some(Decision::Csi | Decision::Native) => self.add_pull(reference.kubernetes_secret().0),
                None => {}
            }
        }
        for ((store, _), credentials) in fetched {
            let object = registry::secret(input, &store, &credentials);
            self.add_pull(object.name);
            self.objects.push(object.body);
        }
    }

    fn add_pull(&mut self, name: String) {
        if !self.pull.contains(&name) {
            self.pull.push(name);
        }
    }
}

/// Whether a volume of this driver is one by which secrets are fetched.
pub(crate) fn is_driver(driver: &str) -> bool {
    driver == csi::DRIVER
}

/// Every reference that can be read; the others are refused.
fn wanted(input: &TaskInput<'_>, notes: &mut Notes) -> Vec<Wanted> {
    let mut list = Vec::new();
    for (container, definition) in input.task_definition.container_definitions.iter().enumerate() {
        for (index, secret) in definition.secrets.iter().flatten().enumerate() {
            let path = format!("containerDefinitions[{container}].secrets[{index}].valueFrom");
            match secret_reference(&secret.value_from) {
                Ok(reference) => {
                    list.push(Wanted { container, value_from: secret.value_from.clone(), reference, path });
                }
                Err(error) => notes.refuse(path, error.to_string()),
            }
        }
    }
    list
}

/// What the Namespace and the cluster offer for a reference. A refusal when the administrator's list leaves it out; a
/// finding when somebody could be fetching it and does not.
fn decide(
    input: &TaskInput<'_>,
    value_from: &str,
    reference: &SecretReference,
    path: &str,
    takes_files: bool,
    notes: &mut Notes,
) -> Option<Decision> {
    let namespace = input.namespace;
    let right = Right::Secret(value_from.to_owned());
    let permission = input.policy.permission(&right);
    if permission == Permission::Denied {
        let message = format!(
            "not authorized to read {value_from}: annotation {} of Namespace {namespace} does not list it",
            labels::ALLOWED_SECRETS
        );
        notes.refuse_because(Reason::AccessDeniedException, path, message);
        return None;
    }
    let annotation = external::store_annotation(reference);
    let external = match input.policy.annotation(annotation) {
        None => None,
        Some(text) => match text.parse::<Store>() {
            Ok(store) if Integration::ExternalSecrets.is_served(input.facts) => Some(Decision::External(store)),
            Ok(_) => {
                notes.approximated(
                    path,
                    unfetched(reference, &not_served(annotation, Integration::ExternalSecrets, namespace)),
                );
                return Some(Decision::Native);
            }
            Err(error) => {
                let why = format!("annotation {annotation} of Namespace {namespace}: {error}");
                notes.approximated(path, unfetched(reference, &why));
                return Some(Decision::Native);
            }
        },
    };
    let provider = input.policy.annotation(labels::SECRETS_STORE_CSI).filter(|_| takes_files && external.is_none());
    let offer = match provider {
        None => external,
        Some(csi::PROVIDER) if Integration::SecretsStoreCsi.is_served(input.facts) => Some(Decision::Csi),
        Some(csi::PROVIDER) => {
            let why = not_served(labels::SECRETS_STORE_CSI, Integration::SecretsStoreCsi, namespace);
            notes.approximated(path, unfetched(reference, &why));
            return Some(Decision::Native);
        }
        Some(_) => {
            let why = format!(
                "annotation {} of Namespace {namespace} can only be {}",
                labels::SECRETS_STORE_CSI,
                csi::PROVIDER
            );
            notes.approximated(path, unfetched(reference, &why));
            return Some(Decision::Native);
        }
    };
    match offer {
        None => Some(Decision::Native),
        Some(offer) if permission == Permission::Allowed => Some(offer),
        Some(_) => {
            // What means more than itself in the list is for the administrator to spell.
            let what = if right.is_plain() { value_from } else { "it" };
            let why = format!(
                "an administrator can have it fetched by listing {what} in annotation {} of Namespace {namespace}",
                labels::ALLOWED_SECRETS
            );
            notes.approximated(path, unfetched(reference, &why));
            Some(Decision::Native)
        }
    }
}

fn not_served(annotation: &str, integration: Integration, namespace: &str) -> String {
    format!("Namespace {namespace} has annotation {annotation}, but {}", integration.row().missing)
}

fn unfetched(reference: &SecretReference, why: &str) -> String {
    format!("the value is not fetched, so Secret {} must exist: {why}", reference.kubernetes_secret().0)
}
