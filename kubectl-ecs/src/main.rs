//! The `kubectl-ecs` binary, used as `kubectl ecs …`: arguments in, text and exit code out.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use documents::Inputs;
use documents::env_file::Target;
use jiff::Timestamp;
use kubectl_ecs::print::Format;
use kubectl_ecs::report::{Exit, Report};
use kubectl_ecs::{env_file, import, render};
use plan::ClusterFeatures;
use plan::core::facts::KubernetesVersion;

const EXAMPLES: &str = "\
Examples:
  # What would become of a task definition and a service that run on ECS
  aws ecs describe-task-definition --task-definition web > web-task.json
  aws ecs describe-services --cluster shop --services web > web-service.json
  kubectl ecs render -f web-task.json -f web-service.json

  # Manifests of them, to keep and apply
  kubectl ecs import -f web-task.json -f web-service.json > web.yaml

  # In a pipeline: fail when a field would not act as on ECS
  kubectl ecs render -f deploy/ --strict > /dev/null

Exit codes:
  0  everything was taken
  1  an object is refused; standard error says which field, with ECS's exception
  2  the command line is wrong, or an input cannot be read or is no known document
  3  only with --strict: a field does not act as on ECS, or is none of the API";

/// Amazon ECS on Kubernetes: shows what the operator creates from ECS documents and manifests.
#[derive(Parser)]
#[command(name = "kubectl-ecs", bin_name = "kubectl ecs", after_help = EXAMPLES, disable_version_flag = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the objects that the operator would create and the status it would report, without a cluster.
    ///
    /// Accepts manifests of ecs-operator.dev and the documents of the AWS CLI: inputs (--cli-input-json) and outputs
    /// (describe-…) for task definitions, services, clusters, capacity providers, scalable targets, scaling policies and
    /// scheduled actions. Annotations of a Namespace among them say what its administrator allows. A reference to
    /// something that is not among the inputs is reported as a condition. Only the operator acts: counts of running tasks
    /// stay 0.
    #[command(after_help = EXAMPLES)]
    Render {
        #[command(flatten)]
        source: Source,
        /// Output format.
        #[arg(short, long, value_enum, default_value_t = Format::Yaml)]
        output: Format,
        /// Exit with 3 if a field does not act as on ECS or is not part of the API.
        #[arg(long)]
        strict: bool,
        /// Time of the pass, such as 2026-01-31T12:00:00Z. Without it, the output has no times.
        #[arg(long, value_name = "TIME")]
        now: Option<Timestamp>,
        /// Kubernetes version of the target cluster, such as 1.34: older ones lack features.
        #[arg(long, value_name = "VERSION", default_value_t = KubernetesVersion::NEWEST)]
        kubernetes_version: KubernetesVersion,
        /// Additional API version that the cluster serves, such as external-secrets.io/v1; may be repeated.
        #[arg(long, value_name = "GROUP/VERSION")]
        api_version: Vec<String>,
    },
    /// Convert documents to manifests, with comments above each that say what is lost or acts differently.
    ///
    /// Accepts what render accepts. Fields that only describe commands print are omitted; names that Kubernetes does
    /// not accept get a legal object name, and stay unchanged in the spec.
    #[command(after_help = EXAMPLES)]
    Import {
        #[command(flatten)]
        source: Source,
    },
    /// Convert an environment file from S3 to the ConfigMap that containers read its variables from.
    ///
    /// Reads the file as ECS does: a line counts unless it starts with # or has nothing before its first =; quotes,
    /// blanks and export are part of names and values. The name of the ConfigMap is derived from the ARN.
    EnvFile {
        /// ARN of the file, as in environmentFiles: arn:aws:s3:::BUCKET/KEY.env.
        arn: String,
        /// The file, or - for standard input.
        file: String,
        /// Write a Secret; kubernetes.environmentFiles of the task definition must name it.
        #[arg(long)]
        secret: bool,
        /// Name of the object; kubernetes.environmentFiles of the task definition must name it.
        #[arg(long)]
        name: Option<String>,
        /// Namespace of the object.
        #[arg(short, long)]
        namespace: Option<String>,
        /// Output format.
        #[arg(short, long, value_enum, default_value_t = Format::Yaml)]
        output: Format,
        /// Exit with 3 if a variable must be omitted.
        #[arg(long)]
        strict: bool,
    },
    /// Print the version.
    Version,
}

#[derive(Args)]
struct Source {
    /// File, folder, or - for standard input; may be repeated.
    #[arg(short, long = "filename", required = true, value_name = "FILE")]
    filename: Vec<String>,
    /// Include subfolders.
    #[arg(short = 'R', long)]
    recursive: bool,
    /// Namespace of objects without one.
    #[arg(short, long)]
    namespace: Option<String>,
}

impl Source {
    fn inputs(&self) -> Result<Inputs, Report> {
        let namespace = self.namespace.as_deref().unwrap_or("default");
        documents::read::documents(&self.filename, self.recursive)
            .and_then(|documents| documents::inputs(documents, namespace))
            .map_err(|errors| Report {
                output: String::new(),
                lines: errors.iter().map(ToString::to_string).collect(),
                exit: Exit::Unusable,
            })
    }
}

fn main() -> ExitCode {
    let report = run(Arguments::parse().command).unwrap_or_else(|report| report);
    write(&report)
}

fn run(command: Command) -> Result<Report, Report> {
    match command {
        Command::Render { source, output, strict, now, kubernetes_version, api_version } => {
            let facts = ClusterFeatures { kubernetes: kubernetes_version, served: api_version.into_iter().collect() };
            Ok(render::render(&source.inputs()?, &render::Options { format: output, is_strict: strict, now, facts }))
        }
        Command::Import { source } => Ok(import::import(&source.inputs()?, source.namespace.as_deref())),
        Command::EnvFile { arn, file, secret, name, namespace, output, strict } => {
            let target = Target { name, namespace, is_secret: secret };
            let options = env_file::Options { target, format: output, is_strict: strict };
            Ok(env_file::object(&arn, &env_file::read(&file)?, &options))
        }
        Command::Version => {
            let output = format!("kubectl-ecs {}\n", env!("CARGO_PKG_VERSION"));
            Ok(Report { output, lines: Vec::new(), exit: Exit::Fine })
        }
    }
}

/// Writes a report. A reader that has seen enough (`| head`) is no error.
fn write(report: &Report) -> ExitCode {
    let mut errors = std::io::stderr().lock();
    for line in &report.lines {
        // Nothing is left to tell it to.
        let _ = writeln!(errors, "{line}");
    }
    let mut output = std::io::stdout().lock();
    match output.write_all(report.output.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            let _ = writeln!(errors, "standard output: {error}");
            ExitCode::from(Exit::Unusable.code())
        }
        _ => ExitCode::from(report.exit.code()),
    }
}
