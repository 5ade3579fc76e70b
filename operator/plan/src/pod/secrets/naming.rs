//! Names and keys under which Secrets hold the values of references.

use ecs::hash::hex;
use ecs::name::dns_label;
use ecs::secret::{CURRENT_STAGE, SecretReference};
use serde_json::{Value, json};

use crate::core::labels;

/// A reference as a part of a Secret.
pub(crate) trait InSecret {
    /// Name and key of the Secret of Kubernetes that holds the value.
    ///
    /// The name is that of the secret or parameter as a DNS label with at most 63 characters, see
    /// [`dns_label`]; a version other than the current one is part of it. The key is the json-key, or `value`.
    ///
    /// | reference | Secret | key |
    /// |---|---|---|
    /// | parameter `db-password` | `db-password` | `value` |
    /// | parameter `/prod/db` | `prod-db-` + hash | `value` |
    /// | secret `db`, key `password` | `db` | `password` |
    /// | secret `db`, stage `AWSPREVIOUS` | `db-awsprevious-` + hash | `value` |
    fn kubernetes_secret(&self) -> (String, String);

    /// Whether one Secret of Kubernetes cannot hold both values under the name and key that follow from the references:
    /// the parameter `db` and the secret `db`, or one name in two regions.
    fn contradicts(&self, other: &Self) -> bool;

    /// The key under which a Secret that is made for one task holds the value: readable, and with a hash that keeps
    /// everything apart that ECS keeps apart, `prod-db.3f2a91c0`.
    fn own_key(&self) -> String;
}

impl InSecret for SecretReference {
    fn kubernetes_secret(&self) -> (String, String) {
        const MAX: usize = 63;
        match self {
            Self::SsmParameter { name, .. } => (dns_label(name, MAX), WHOLE_VALUE_KEY.to_owned()),
            Self::SecretsManager { name, json_key, version_stage, version_id, .. } => {
                let other_stage = version_stage.as_deref().filter(|stage| *stage != CURRENT_STAGE);
                let original = match version_id.as_deref().or(other_stage) {
                    Some(version) => format!("{name}:{version}"),
                    None => name.clone(),
                };
                let key = json_key.as_deref().map_or_else(|| WHOLE_VALUE_KEY.to_owned(), secret_key);
                (dns_label(&original, MAX), key)
            }
        }
    }

    fn contradicts(&self, other: &Self) -> bool {
        if self.kubernetes_secret() != other.kubernetes_secret() {
            return false;
        }
        match (self, other) {
            (Self::SsmParameter { region: one, .. }, Self::SsmParameter { region: two, .. }) => {
                one.is_some() && two.is_some() && one != two
            }
            (Self::SecretsManager { arn: one, .. }, Self::SecretsManager { arn: two, .. }) => one != two,
            _ => true,
        }
    }

    fn own_key(&self) -> String {
        let region = match self {
            Self::SsmParameter { region, .. } => region.as_deref().unwrap_or_default(),
            Self::SecretsManager { .. } => "",
        };
        let version = self.remote_version().filter(|version| version != CURRENT_STAGE).unwrap_or_default();
        let parts = [region, self.remote_key(), self.json_key().unwrap_or_default(), version.as_str()];
        format!("{}.{}", self.kubernetes_secret().0, hex(&parts.join("\0"), 8))
    }
}

/// The annotation of what fetches secrets that tells which: the administrator's list is asked with these texts again.
pub(super) fn note(value_from: &[&str]) -> Value {
    json!({labels::VALUE_FROM: json!(value_from).to_string()})
}

/// The key of a value that is not picked from a JSON object.
const WHOLE_VALUE_KEY: &str = "value";

/// A json-key as a key of a Secret: at most 253 of `[-._a-zA-Z0-9]`, others replaced and a hash added.
fn secret_key(json_key: &str) -> String {
    const MAX: usize = 253;
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let dots = matches!(json_key, "." | "..") || json_key.starts_with("..");
    if json_key.len() <= MAX && json_key.chars().all(legal) && !dots {
        return json_key.to_owned();
    }
    let cleaned: String = json_key.chars().map(|c| if legal(c) { c } else { '_' }).take(MAX - 9).collect();
    format!("{}.{}", cleaned.trim_start_matches('.'), hex(json_key, 8)).trim_start_matches('.').to_owned()
}

#[cfg(test)]
#[path = "naming_tests.rs"]
mod tests;
