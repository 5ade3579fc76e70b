//! What one container's log options ask of the router.

use api::task_definition::{FirelensConfigurationType, LogConfiguration};

use crate::pod::notes::Notes;

/// Everything that the configuration of a router says.
#[derive(Debug)]
pub(super) struct Configuration {
    /// Whether it listens at its port besides its socket.
    pub(super) has_port: bool,
    /// Whether records say which task they are from.
    pub(super) has_metadata: bool,
    /// A file of the image.
    pub(super) include: Option<String>,
    /// One per container that sends to the router.
    pub(super) routes: Vec<Route>,
}

/// Where the log of one container goes. Its records have the tag `CONTAINER-firelens-TASK`, as on ECS.
#[derive(Debug)]
pub(super) struct Route {
    /// Position in `containerDefinitions`.
    pub(super) index: usize,
    /// Name in the task definition.
    pub(super) container: String,
    /// Options of the output; empty when a file of the image says where the log goes.
    pub(super) output: Vec<(String, String)>,
    /// Only lines that match.
    pub(super) include: Option<String>,
    /// No lines that match.
    pub(super) exclude: Option<String>,
    /// Options whose values are secrets.
    pub(super) secrets: Vec<SecretOption>,
}

/// An option whose value is a variable of the router.
#[derive(Debug)]
pub(super) struct SecretOption {
    pub(super) variable: String,
    pub(super) value_from: String,
    /// The field.
    pub(super) path: String,
}

/// Reads the options of a container. Names and values are one line each: they are lines of a configuration file, and
/// another line could be another output.
pub(super) fn read(
    index: usize,
    container: &str,
    configuration: &LogConfiguration,
    type_: FirelensConfigurationType,
    notes: &mut Notes,
) -> Option<Route> {
    let before = notes.refusals.len();
    let path = format!("containerDefinitions[{index}].logConfiguration");
    let mut route = Route {
        index,
        container: container.to_owned(),
        output: Vec::new(),
        include: None,
        exclude: None,
        secrets: Vec::new(),
    };
    for (name, value) in configuration.options.iter().flatten() {
        let path = format!("{path}.options[{name}]");
        if !is_line(value) {
            notes.refuse(path, "the value of a log option is one line");
            continue;
        }
        match name.as_str() {
            _ if value.trim().is_empty() => notes.no_effect(path, "an option without a value"),
            "include-pattern" => route.include = Some(value.clone()),
            "exclude-pattern" => route.exclude = Some(value.clone()),
            "log-driver-buffer-limit" => notes.no_effect(path, "the buffer belongs to a Docker log driver"),
            _ if !is_option(name) => notes.refuse(path, "not a name that the configuration of a router can have"),
            _ => route.output.push((name.clone(), value.clone())),
        }
    }
    for (position, secret) in configuration.secret_options.iter().flatten().enumerate() {
        let path = format!("{path}.secretOptions[{position}]");
        if !is_option(&secret.name) {
            notes.refuse(format!("{path}.name"), "not a name that the configuration of a router can have");
            continue;
        }
        let variable = variable(&secret.name, index);
        let placeholder = match type_ {
            FirelensConfigurationType::Fluentbit => format!("${{{variable}}}"),
            FirelensConfigurationType::Fluentd => format!("\"#{{ENV['{variable}']}}\""),
        };
        route.output.retain(|(name, _)| *name != secret.name);
        route.output.push((secret.name.clone(), placeholder));
        route.secrets.push(SecretOption { variable, value_from: secret.value_from.clone(), path });
    }
    // Without an output's name the file of the image is to have one.
    let key = match type_ {
        FirelensConfigurationType::Fluentbit => "Name",
        FirelensConfigurationType::Fluentd => "@type",
    };
    let is_key = |name: &str| name.eq_ignore_ascii_case(key);
    if !route.output.iter().any(|(name, _)| is_key(name)) {
        if !route.output.is_empty() {
            let why = format!("without {key} there is no output: a configuration file in the image must define one");
            notes.no_effect(format!("{path}.options"), why);
        }
        route.output.clear();
    }
    route.output.sort_by_key(|(name, _)| (!is_key(name), name.clone()));
    (notes.refusals.len() == before).then_some(route)
}

/// `apikey` of the container 2 is `FIRELENS_APIKEY_2`: a name that every process can have.
fn variable(option: &str, index: usize) -> String {
    let clean: String =
        option.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    format!("FIRELENS_{clean}_{index}")
}

fn is_line(value: &str) -> bool {
    !value.chars().any(char::is_control)
}

/// Letters, digits and a few signs; of `@` names only `@type` and its like, which begin with a letter after it.
fn is_option(name: &str) -> bool {
    let plain = name.strip_prefix('@').unwrap_or(name);
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    // Names that would read another file or set a variable instead of stating an option.
    let is_directive = ["@include", "@set"].iter().any(|directive| name.eq_ignore_ascii_case(directive));
    plain.as_bytes().first().is_some_and(u8::is_ascii_alphabetic) && plain.bytes().all(is_inner) && !is_directive
}
