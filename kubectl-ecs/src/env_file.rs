//! `kubectl ecs env-file`: an environment file of S3 as the ConfigMap (or Secret) that containers take its variables from.

use std::io::Read as _;

use documents::env_file::{self, Target};
use documents::line;

use crate::print::{Format, Printed, print};
use crate::report::{Exit, Report};

/// What to make of a file.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The object.
    pub target: Target,
    /// Form of the output.
    pub format: Format,
    /// Whether a variable that has to be left out is a failure.
    pub is_strict: bool,
}

/// Reads a file, or standard input for `-`.
///
/// # Errors
/// When it cannot be read or is no UTF-8.
pub fn read(path: &str) -> Result<String, Report> {
    let text = if path == "-" {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    text.map_err(|error| unusable(&format!("{path}: {error}")))
}

/// Prints the object with the variables of `text`, which is the file that `arn` names.
#[must_use]
pub fn object(arn: &str, text: &str, options: &Options) -> Report {
    let file = match env_file::read(arn, text, &options.target) {
        Ok(file) => file,
        Err(error) => return unusable(&error.to_string()),
    };
    let kind = file.kind;
    let left_out = file.left_out.iter().map(|variable| {
        line(&format!("{variable:?} cannot be a key of a {kind} and is left out: put it into `environment`"))
    });
    let lines: Vec<String> = left_out.collect();
    let mut comments = vec![format!("variables of {arn}")];
    comments.extend(file.reference.map(|reference| format!("in the task definition: {reference}")));
    let exit = if options.is_strict && !lines.is_empty() { Exit::NotApplied } else { Exit::Fine };
    match print(options.format, &[Printed { comments, object: file.object }]) {
        Ok(output) => Report { output, lines, exit },
        Err(error) => unusable(&error),
    }
}

fn unusable(message: &str) -> Report {
    Report { output: String::new(), lines: vec![line(message)], exit: Exit::Unusable }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ARN: &str = "arn:aws:s3:::config/prod/web.env";

    fn written(text: &str, options: Options) -> (Value, Report) {
        let report = object(ARN, text, &Options { format: Format::Json, ..options });
        let list: Value = serde_json::from_str(&report.output).unwrap();
        (list["items"][0].clone(), report)
    }

    #[test]
    fn when_a_file_is_given_then_each_variable_is_a_key_as_ecs_reads_it() {
        let (object, report) = written("# c=1\nA=1\r\nB= \"x\" \nA=$(HOME)\n=2\nno\nC=\n", Options::default());
        assert_eq!(
            object,
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "env-config-prod-web-env-da2a7002"},
                "data": {"A": "$(HOME)", "B": " \"x\" ", "C": ""}})
        );
        assert_eq!((report.lines, report.exit), (Vec::new(), Exit::Fine));
    }

    #[test]
    fn when_a_secret_is_wanted_then_it_is_one_and_the_task_definition_has_to_name_it() {
        let target = Target { is_secret: true, namespace: Some("shop".to_owned()), name: None };
        let options = Options { target, ..Options::default() };
        let (object, _) = written("A=1", options.clone());
        assert_eq!((&object["kind"], &object["stringData"]), (&json!("Secret"), &json!({"A": "1"})));
        assert_eq!(object["metadata"]["namespace"], "shop");
        let text = super::object(ARN, "A=1", &options).output;
        assert!(text.contains("{secret: env-config-prod-web-env-da2a7002}"), "{text}");
    }

    #[test]
    fn when_a_variable_cannot_be_a_key_then_it_is_named_and_left_out() {
        let (object, report) = written("export A=1\nB=2\n", Options { is_strict: true, ..Options::default() });
        assert_eq!(object["data"], json!({"B": "2"}));
        assert_eq!(report.exit, Exit::NotApplied);
        assert!(report.lines[0].starts_with("\"export A\" cannot be a key"), "{:?}", report.lines);
        assert!(!report.lines[0].contains('1'), "values stay where they are");
    }

    #[test]
    fn when_the_arn_is_none_of_an_environment_file_then_nothing_is_written() {
        for arn in ["arn:aws:s3:::config", "arn:aws:s3:::config/web.txt", "s3://config/web.env"] {
            let report = object(arn, "A=1", &Options::default());
            assert_eq!((report.exit, report.output.as_str()), (Exit::Unusable, ""), "{arn}");
        }
    }
}
