//! Rights of a Windows container: its user, and its identity in Active Directory.

use serde_json::{Map, Value};

use super::TaskInput;
use super::json::Members;
use super::layout::Container;
use super::notes::Notes;
use crate::core::integration::Integration;

/// `securityContext` of the container. What the kernel of Linux gives a container has no counterpart: the API refuses such
/// fields on a Windows Pod, and ECS does not have them either.
pub(super) fn security_context(
    container: &Container<'_>,
    input: &TaskInput<'_>,
    notes: &mut Notes,
) -> Map<String, Value> {
    let definition = container.definition;
    let mut options = Map::new();
    options.put_some("runAsUserName", definition.user.as_deref().filter(|user| !user.is_empty()));
    for (is_set, field) in [
        (definition.privileged == Some(true), "privileged"),
        (definition.readonly_root_filesystem == Some(true), "readonlyRootFilesystem"),
        (definition.linux_parameters.is_some(), "linuxParameters"),
    ] {
        if is_set {
            notes.no_effect(container.path(field), "Windows containers do not support this");
        }
    }
    for (path, text) in specifications(container, notes) {
        if !Integration::GroupManagedServiceAccounts.is_served(input.facts) {
            notes.no_effect(path, Integration::GroupManagedServiceAccounts.row().missing);
            continue;
        }
        let name = specification_name(&text);
        let why = format!(
            "the GMSACredentialSpec {name} is used instead of the file: it must exist, and the ServiceAccount of the \
                task must be allowed to use it"
        );
        notes.approximated(path, why);
        options.put("gmsaCredentialSpecName", name);
    }
    let mut context = Map::new();
    context.put_true("runAsNonRoot", input.policy.enforces_restricted());
    context.put_map("windowsOptions", options);
    context
}

/// Credential specifications with their paths. `credentialSpecs` and `dockerSecurityOptions` are two places for the same
/// thing.
fn specifications(container: &Container<'_>, notes: &mut Notes) -> Vec<(String, String)> {
    let definition = container.definition;
    let mut found = Vec::new();
    for (index, option) in definition.docker_security_options.iter().flatten().enumerate() {
        let path = container.path(&format!("dockerSecurityOptions[{index}]"));
        match option.strip_prefix("credentialspec:") {
            Some(rest) => found.push((path, rest.to_owned())),
            None => notes.no_effect(path, "Windows containers do not support this"),
        }
    }
    for (index, text) in definition.credential_specs.iter().flatten().enumerate() {
        let path = container.path(&format!("credentialSpecs[{index}]"));
        match text.strip_prefix("credentialspec:").or_else(|| text.strip_prefix("credentialspecdomainless:")) {
            Some(rest) => found.push((path, rest.to_owned())),
            None => {
                notes.refuse(path, "a credential specification is credentialspec:ARN or credentialspecdomainless:ARN");
            }
        }
    }
    found
}

/// The object that stands for a file: the last part of its name, without `.json`, as Kubernetes spells names.
/// `file://contoso_WebApp01.json` and `arn:aws:s3:::specs/contoso_WebApp01.json` give `contoso-webapp01`.
fn specification_name(text: &str) -> String {
    let last = text.rsplit(['/', '\\', ':']).next().unwrap_or_default();
    let stem = last.strip_suffix(".json").unwrap_or(last).to_ascii_lowercase();
    let spelled: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(63).collect();
    let name = spelled.trim_matches('-');
    if name.is_empty() { "credentialspec".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_file_holds_a_specification_then_the_object_has_its_name() {
        for (text, name) in [
            ("file://contoso_WebApp01.json", "contoso-webapp01"),
            ("arn:aws:s3:::specs/team/contoso_WebApp01.json", "contoso-webapp01"),
            ("arn:aws:ssm:eu-west-1:123456789012:parameter/gmsa/web", "web"),
            (r"C:\ProgramData\Docker\CredentialSpecs\web.json", "web"),
            ("file://.json", "credentialspec"),
            ("", "credentialspec"),
        ] {
            assert_eq!(specification_name(text), name, "{text}");
        }
    }
}
