//! What becomes of log configurations: nothing in the Pod, whose containers have no log driver.
//!
//! The runtime of the node writes what containers print to files. What the task definition wants of it stands in an
//! annotation for the log agent of the node, see [`super::LOG_CONFIGURATION`].

use api::task_definition::LogDriver;

use super::layout::Container;
use super::notes::Notes;

/// Options of every driver of docker that say what happens when it is too slow.
const MODE: [&str; 2] = ["mode", "max-buffer-size"];

/// Says what options do that act otherwise than their driver does as a whole.
pub(super) fn report(container: &Container<'_>, notes: &mut Notes) {
    let Some(configuration) = &container.definition.log_configuration else { return };
    let options = configuration.options.as_ref().filter(|options| !options.is_empty());
    for name in options.into_iter().flat_map(|options| options.keys()).filter(|name| MODE.contains(&name.as_str())) {
        let why = "the node writes output to a file: writing neither blocks on a log service nor loses lines to a \
            buffer";
        notes.no_effect(container.path(&format!("logConfiguration.options[{name}]")), why);
    }
    if configuration.log_driver != LogDriver::Awsfirelens {
        return;
    }
    if options.is_some() {
        let why = "becomes part of the configuration of the log router";
        notes.approximated(container.path("logConfiguration.options"), why);
    }
    if configuration.secret_options.as_ref().is_some_and(|secrets| !secrets.is_empty()) {
        let why = "become environment variables of the log router, which its configuration reads";
        notes.approximated(container.path("logConfiguration.secretOptions"), why);
    }
}
