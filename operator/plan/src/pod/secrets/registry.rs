//! Credentials of registries: a Secret of type `kubernetes.io/dockerconfigjson`, made from `username` and `password`.

use std::collections::BTreeSet;

use ecs::secret::SecretReference;
use serde_json::json;

use super::super::TaskInput;
use super::external::{Named, REGISTRY, Store, named, remotes};

/// Where images come from whose reference names no registry, as it is spelled among credentials.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// A secret with the registries whose images are pulled with it.
pub(super) struct Credentials {
    pub(super) reference: SecretReference,
    /// The reference as it is written.
    pub(super) value_from: String,
    pub(super) hosts: BTreeSet<String>,
}

/// The registry of an image, as credentials are looked up for it.
///
/// | image | registry |
/// |---|---|
/// | `registry.example.com:5000/team/app:1` | `registry.example.com:5000` |
/// | `localhost/app` | `localhost` |
/// | `team/app`, `nginx`, `docker.io/team/app` | `https://index.docker.io/v1/` |
pub(super) fn host(image: &str) -> &str {
    match image.split_once('/') {
        Some(("docker.io" | "index.docker.io", _)) => DOCKER_HUB,
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => first,
        _ => DOCKER_HUB,
    }
}

/// The pull secret. External Secrets' template engine puts the two values into the form that the kubelet reads; what is
/// written here are the names of the values.
pub(super) fn secret(input: &TaskInput<'_>, store: &Store, credentials: &Credentials) -> Named {
    let remotes = remotes(std::slice::from_ref(&credentials.reference), true);
    let entry = "{\"username\":{{ .username | toJson }},\"password\":{{ .password | toJson }},\
                 \"auth\":{{ printf \"%s:%s\" .username .password | b64enc | toJson }}}";
    let entries: Vec<String> = credentials.hosts.iter().map(|host| format!("{}:{entry}", literal(host))).collect();
    let config = format!("{{\"auths\":{{{}}}}}", entries.join(","));
    let template = json!({"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": config}});
    named(input, REGISTRY, store, &remotes, &[&credentials.value_from], Some(template))
}

/// A registry as a JSON string in which no template can begin.
fn literal(host: &str) -> String {
    let legal = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '/' | '[' | ']');
    format!("\"{}\"", host.chars().filter(legal).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_an_image_names_a_registry_then_credentials_are_for_that_one() {
        for (image, registry) in [
            ("registry.example.com:5000/team/app:1", "registry.example.com:5000"),
            ("registry.example.com/app@sha256:0", "registry.example.com"),
            ("localhost/app", "localhost"),
            ("localhost:5000/app", "localhost:5000"),
            ("team/app", DOCKER_HUB),
            ("nginx:1", DOCKER_HUB),
            ("docker.io/team/app", DOCKER_HUB),
        ] {
            assert_eq!(host(image), registry, "{image}");
        }
        assert_eq!(literal("a.b:1{{ .x }}\"\\"), "\"a.b:1.x\"");
    }
}
