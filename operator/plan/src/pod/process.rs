//! What a container runs: image, entry point, command, directory, terminal.

use serde_json::{Map, Value};

use super::expansion::escape_expansion;
use super::json::Members;
use super::layout::Container;
use super::notes::Notes;

/// Puts `image`, `command`, `args`, `workingDir`, `stdin` and `tty`.
///
/// ECS's `entryPoint` is Kubernetes' `command` and ECS's `command` is Kubernetes' `args`: with both systems the first
/// replaces the ENTRYPOINT of the image, the second its CMD, and the first alone drops the CMD.
pub(super) fn put(
    spec: &mut Map<String, Value>,
    container: &Container<'_>,
    pull_policy: Option<&str>,
    notes: &mut Notes,
) {
    let definition = container.definition;
    if definition.image.is_empty() || definition.image.contains(|c: char| c.is_whitespace() || c.is_control()) {
        notes.refuse(container.path("image"), "an image reference contains no spaces");
    }
    spec.put("image", definition.image.as_str());
    spec.put("imagePullPolicy", pull_policy.unwrap_or_else(|| default_pull_policy(&definition.image)));
    spec.put_list("command", words(definition.entry_point.as_deref()));
    spec.put_list("args", words(definition.command.as_deref()));
    spec.put_some("workingDir", definition.working_directory.as_deref().filter(|path| !path.is_empty()));
    spec.put_true("stdin", definition.interactive == Some(true));
    spec.put_true("tty", definition.pseudo_terminal == Some(true));
}

/// ECS asks the registry at each start, because a tag may have moved; a digest cannot move.
fn default_pull_policy(image: &str) -> &'static str {
    if image.contains('@') { "IfNotPresent" } else { "Always" }
}

fn words(list: Option<&[String]>) -> Vec<Value> {
    list.unwrap_or_default().iter().map(|word| Value::from(escape_expansion(word))).collect()
}
