//! Docker configurations: which user and password belong to which registry.
//!
//! The form is that of `~/.docker/config.json` and of Secrets of type `kubernetes.io/dockerconfigjson`. Keys are
//! compared as the kubelet does: `https://` and paths such as `/v1/` mean nothing, `*` stands for a part of the host
//! name, and of several keys with a path the longest is tried first.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ecs::image::{DEFAULT_REGISTRY, ImageReference};
use serde::Deserialize;

/// User and password for one registry. Its text form shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// User.
    pub username: String,
    /// Password, or a token that serves as one.
    pub password: String,
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Credential(hidden)")
    }
}

impl Credential {
    /// The value of an `Authorization` header.
    pub(super) fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.username, self.password)))
    }
}

/// A docker configuration. Helpers and stores of credentials are programs and are not run.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct DockerConfig {
    auths: BTreeMap<String, Entry>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Entry {
    username: String,
    password: String,
    auth: String,
}

impl fmt::Debug for DockerConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("DockerConfig").field(&self.auths.keys()).finish()
    }
}

/// A text that is no docker configuration. It says nothing about the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a docker configuration")]
pub struct NotADockerConfig;

impl DockerConfig {
    /// Reads the JSON text.
    ///
    /// # Errors
    /// When it has another form.
    pub fn read(text: &[u8]) -> Result<Self, NotADockerConfig> {
        serde_json::from_slice(text).map_err(|_| NotADockerConfig)
    }

    /// Credentials for an image, the most specific first.
    #[must_use]
    pub fn credentials(&self, reference: &ImageReference) -> Vec<Credential> {
        let mut found: Vec<(usize, Credential)> = self
            .auths
            .iter()
            .filter_map(|(key, entry)| Some((matches(key, reference)?, entry.credential()?)))
            .collect();
        found.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
        found.into_iter().map(|(_, credential)| credential).collect()
    }
}

impl Entry {
    fn credential(&self) -> Option<Credential> {
        if !self.username.is_empty() {
            return Some(Credential { username: self.username.clone(), password: self.password.clone() });
        }
        let text = String::from_utf8(STANDARD.decode(self.auth.trim()).ok()?).ok()?;
        let (username, password) = text.split_once(':')?;
        let password = password.trim_end_matches('\0').to_owned();
        (!username.is_empty()).then(|| Credential { username: username.to_owned(), password })
    }
}

/// How much of the image's name a key covers; `None` when it is about something else.
fn matches(key: &str, reference: &ImageReference) -> Option<usize> {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let (host, path) = key.split_once('/').unwrap_or((key, ""));
    let host = match host {
        "index.docker.io" | "registry-1.docker.io" => DEFAULT_REGISTRY,
        other => other,
    };
    let path = path.trim_matches('/');
    let path = if matches!(path, "v1" | "v2") { "" } else { path };
    let is_host = same_host(&host.to_ascii_lowercase(), &reference.registry);
    let rest = reference.repository.strip_prefix(path)?;
    let is_path = path.is_empty() || rest.is_empty() || rest.starts_with('/');
    (is_host && is_path).then_some(path.len())
}

/// Part by part, so that `*.example.com` is not `a.b.example.com`; the port must be the same.
fn same_host(pattern: &str, host: &str) -> bool {
    let (pattern_name, pattern_port) = pattern.split_once(':').unwrap_or((pattern, ""));
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    let (patterns, parts): (Vec<&str>, Vec<&str>) = (pattern_name.split('.').collect(), name.split('.').collect());
    let same = |(pattern, part): (&&str, &&str)| match pattern.split_once('*') {
        None => pattern == part,
        Some((start, end)) => part.len() >= start.len() + end.len() && part.starts_with(start) && part.ends_with(end),
    };
    pattern_port == port && patterns.len() == parts.len() && patterns.iter().zip(&parts).all(same)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn users(auths: &serde_json::Value, image: &str) -> Vec<String> {
        let config = DockerConfig::read(json!({ "auths": auths }).to_string().as_bytes()).unwrap();
        let found = config.credentials(&ImageReference::parse(image).unwrap());
        found.into_iter().map(|credential| format!("{}:{}", credential.username, credential.password)).collect()
    }

    #[test]
    fn when_keys_are_written_as_tools_write_them_then_they_name_the_registry() {
        let entry = json!({"username": "u", "password": "p"});
        for (key, image, is_match) in [
            ("https://index.docker.io/v1/", "nginx", true),
            ("docker.io", "team/app", true),
            ("index.docker.io", "ghcr.io/team/app", false),
            ("ghcr.io", "ghcr.io/team/app:1", true),
            ("http://ghcr.io/v2/", "ghcr.io/team/app:1", true),
            ("ghcr.io/team", "ghcr.io/team/app", true),
            ("ghcr.io/team", "ghcr.io/teammate/app", false),
            ("ghcr.io/other", "ghcr.io/team/app", false),
            ("*.dkr.ecr.*.amazonaws.com", "1.dkr.ecr.eu-west-1.amazonaws.com/web", true),
            ("*.example.com", "a.b.example.com/web", false),
            ("example.com", "example.com:5000/web", false),
            ("example.com:5000", "example.com:5000/web", true),
        ] {
            assert_eq!(!users(&json!({ key: entry }), image).is_empty(), is_match, "{key} {image}");
        }
    }

    #[test]
    fn when_several_keys_fit_then_the_longest_path_comes_first() {
        let auths = json!({"ghcr.io": {"username": "all", "password": "1"}, "ghcr.io/team/app": {"username": "app", "password": "2"}});
        assert_eq!(users(&auths, "ghcr.io/team/app"), ["app:2", "all:1"]);
    }

    #[test]
    fn when_user_and_password_are_encoded_then_they_are_decoded_and_a_colon_may_be_in_the_password() {
        let auth = STANDARD.encode("user:pass:word");
        assert_eq!(users(&json!({"ghcr.io": {"auth": auth}}), "ghcr.io/a"), ["user:pass:word"]);
        for broken in ["", "%%%", "dXNlcg=="] {
            assert!(users(&json!({"ghcr.io": {"auth": broken}}), "ghcr.io/a").is_empty(), "{broken}");
        }
    }

    #[test]
    fn when_a_configuration_or_a_credential_is_shown_then_no_password_is() {
        let text = json!({"auths": {"ghcr.io": {"username": "someone", "password": "hunter2"}}}).to_string();
        let config = DockerConfig::read(text.as_bytes()).unwrap();
        let credentials = config.credentials(&ImageReference::parse("ghcr.io/a").unwrap());
        let shown = format!("{config:?} {credentials:?}");
        assert!(shown.contains("ghcr.io") && !shown.contains("hunter2") && !shown.contains("someone"), "{shown}");
        assert_eq!(
            DockerConfig::read(b"hunter2").map_err(|error| error.to_string()).unwrap_err(),
            "not a docker configuration"
        );
    }
}
