//! The configuration of Fluent Bit, in its classic format.

use std::fmt::Write;

use super::route::Configuration;
use super::{CLUSTER, FAMILY, PORT, REVISION, SOCKET, TASK};

/// The file: inputs, what is added to records, the user's file, filters, outputs, as the agent of ECS orders them.
pub(super) fn write(configuration: &Configuration) -> String {
    let mut text = String::new();
    section(&mut text, "INPUT", &[("Name", "forward"), ("unix_path", SOCKET)]);
    if configuration.has_port {
        section(&mut text, "INPUT", &[("Name", "forward"), ("Listen", "127.0.0.1"), ("Port", PORT)]);
    }
    if configuration.has_metadata {
        let records = [
            format!("ecs_cluster ${{{CLUSTER}}}"),
            format!("ecs_task_arn ${{{TASK}}}"),
            format!("ecs_task_definition ${{{FAMILY}}}:${{{REVISION}}}"),
        ];
        let mut lines = vec![("Name", "record_modifier"), ("Match", "*")];
        lines.extend(records.iter().map(|record| ("Record", record.as_str())));
        section(&mut text, "FILTER", &lines);
    }
    if let Some(file) = &configuration.include {
        // Writing to a string does not fail.
        let _ = writeln!(text, "@INCLUDE {file}\n");
    }
    for route in &configuration.routes {
        let tag = format!("{}-firelens*", route.container);
        for (name, pattern) in [("Regex", &route.include), ("Exclude", &route.exclude)] {
            if let Some(pattern) = pattern {
                let rule = format!("log {pattern}");
                section(&mut text, "FILTER", &[("Name", "grep"), ("Match", &tag), (name, &rule)]);
            }
        }
    }
    for route in configuration.routes.iter().filter(|route| !route.output.is_empty()) {
        let tag = format!("{}-firelens*", route.container);
        let is_matched = |name: &str| name.eq_ignore_ascii_case("Match") || name.eq_ignore_ascii_case("Match_Regex");
        let has_match = route.output.iter().any(|(name, _)| is_matched(name));
        let mut lines: Vec<(&str, &str)> =
            route.output.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if !has_match {
            lines.insert(1, ("Match", &tag));
        }
        section(&mut text, "OUTPUT", &lines);
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn section(text: &mut String, name: &str, lines: &[(&str, &str)]) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "[{name}]");
    for (name, value) in lines {
        let _ = writeln!(text, "    {name} {value}");
    }
    text.push('\n');
}
