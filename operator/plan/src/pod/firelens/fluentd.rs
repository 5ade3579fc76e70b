//! The configuration of Fluentd.

use std::fmt::Write;

use super::route::Configuration;
use super::{CLUSTER, FAMILY, PORT, REVISION, SOCKET, TASK};

/// The file: inputs, what is added to records, the user's file, filters, outputs, as the agent of ECS orders them.
pub(super) fn write(configuration: &Configuration) -> String {
    let mut text = String::new();
    block(&mut text, "source", &[("@type", "unix"), ("path", SOCKET)]);
    if configuration.has_port {
        block(&mut text, "source", &[("@type", "forward"), ("bind", "127.0.0.1"), ("port", PORT)]);
    }
    // Writing to a string does not fail.
    if configuration.has_metadata {
        let _ = writeln!(
            text,
            "<filter **>\n    @type record_transformer\n    <record>\n        ecs_cluster \"#{{ENV['{CLUSTER}']}}\"\n        \
             ecs_task_arn \"#{{ENV['{TASK}']}}\"\n        ecs_task_definition \
             \"#{{ENV['{FAMILY}']}}:#{{ENV['{REVISION}']}}\"\n    </record>\n</filter>\n"
        );
    }
    if let Some(file) = &configuration.include {
        let _ = writeln!(text, "@include {file}\n");
    }
    for route in &configuration.routes {
        for (name, pattern) in [("regexp", &route.include), ("exclude", &route.exclude)] {
            if let Some(pattern) = pattern {
                let _ = writeln!(
                    text,
                    "<filter {}-firelens**>\n    @type grep\n    <{name}>\n        key log\n        pattern {pattern}\n    \
                     </{name}>\n</filter>\n",
                    route.container
                );
            }
        }
    }
    for route in configuration.routes.iter().filter(|route| !route.output.is_empty()) {
        let lines: Vec<(&str, &str)> =
            route.output.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        block(&mut text, &format!("match {}-firelens**", route.container), &lines);
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// `<match app-firelens**>` ends with `</match>`.
fn block(text: &mut String, head: &str, lines: &[(&str, &str)]) {
    let name = head.split(' ').next().unwrap_or_default();
    // Writing to a string does not fail.
    let _ = writeln!(text, "<{head}>");
    for (name, value) in lines {
        let _ = writeln!(text, "    {name} {value}");
    }
    let _ = writeln!(text, "</{name}>\n");
}
