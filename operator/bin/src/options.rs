//! Flags and environment variables.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use runtime::answer::Sources;
use runtime::answer::alarms::{Alertmanager, Source};
use runtime::answer::images::{AddressRange, Lookup, Registry, RegistryOptions};
use runtime::uninstall::Uninstall;
use runtime::{AlarmSource, Election, ImageResolution, Options};

/// Brings the semantics of Amazon ECS to Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "ecs-operator", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the operator, in the cluster of the kubeconfig or the one that this process runs in
    Run(Box<RunArguments>),
    /// Take the finalizers of an operator that is gone off everything that has one
    Uninstall(UninstallArguments),
    /// Print the CustomResourceDefinitions
    Crd(CrdArguments),
    /// Print the version
    Version,
}

#[derive(Debug, Args)]
pub(crate) struct CrdArguments {
    /// Write one file per CRD to this folder instead of all to standard output
    #[arg(long = "dir", value_name = "DIRECTORY")]
    pub(crate) directory: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Json,
    Text,
}

#[derive(Debug, Args)]
pub(crate) struct LogArguments {
    /// Log format
    #[arg(long, env = "ECS_OPERATOR_LOG_FORMAT", value_enum, default_value = "json")]
    pub(crate) log_format: LogFormat,

    /// A level (error, warn, info, debug, trace), or a list such as `info,runtime=debug`
    #[arg(long, env = "RUST_LOG", default_value = "info")]
    pub(crate) log_level: String,
}

#[derive(Debug, Args)]
pub(crate) struct ElectionArguments {
    /// Whether to elect a leader among several processes; use `false` only if there is certainly no other process
    #[arg(
        long,
        env = "ECS_OPERATOR_LEADER_ELECT",
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_value_t = true,
        default_missing_value = "true"
    )]
    leader_elect: bool,

    /// Name of the Lease
    #[arg(long, env = "ECS_OPERATOR_LEASE_NAME", default_value = "ecs-operator")]
    lease_name: String,

    /// Namespace of the Lease; in a cluster, that of the pod
    #[arg(long, env = "POD_NAMESPACE", default_value = "default")]
    lease_namespace: String,

    /// Seconds without renewal after which another process takes over
    #[arg(long, env = "ECS_OPERATOR_LEASE_DURATION", default_value_t = 15, value_parser = clap::value_parser!(u64).range(3..=3600))]
    lease_duration: u64,

    /// Seconds without renewal after which this process stops; less than the lease duration
    #[arg(long, env = "ECS_OPERATOR_LEASE_RENEW_DEADLINE", default_value_t = 10, value_parser = clap::value_parser!(u64).range(2..=3599))]
    lease_renew_deadline: u64,

    /// Seconds between two renewals, or two checks of another process's Lease
    #[arg(long, env = "ECS_OPERATOR_LEASE_RETRY_PERIOD", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=600))]
    lease_retry_period: u64,

    /// Name of this process in Events and in the Lease; in a cluster, that of the pod
    #[arg(long, env = "POD_NAME", default_value = "ecs-operator")]
    instance: String,
}

#[derive(Debug, Args)]
pub(crate) struct UninstallArguments {
    /// Namespaces that the operator worked in, separated by commas; empty means all
    #[arg(long, env = "ECS_OPERATOR_NAMESPACES", value_delimiter = ',')]
    namespaces: Vec<String>,

    #[command(flatten)]
    election: ElectionArguments,

    #[command(flatten)]
    pub(crate) logs: LogArguments,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// Namespaces to work in, separated by commas; empty means all
    #[arg(long, env = "ECS_OPERATOR_NAMESPACES", value_delimiter = ',')]
    namespaces: Vec<String>,

    /// Address of /livez, /readyz and /metrics
    #[arg(long, env = "ECS_OPERATOR_BIND_ADDRESS", default_value = "0.0.0.0:8080")]
    bind_address: SocketAddr,

    #[command(flatten)]
    pub(crate) logs: LogArguments,

    /// Number of objects to reconcile at the same time
    #[arg(long, env = "ECS_OPERATOR_WORKERS", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,

    #[command(flatten)]
    election: ElectionArguments,

    /// Seconds that running reconciles may take after SIGTERM
    #[arg(long, env = "ECS_OPERATOR_DRAIN_SECONDS", default_value_t = 20)]
    drain_seconds: u64,

    /// Partition in ARNs
    #[arg(long, env = "ECS_OPERATOR_AWS_PARTITION", default_value = "aws")]
    aws_partition: String,

    /// Region in ARNs
    #[arg(long, env = "ECS_OPERATOR_AWS_REGION", default_value = "kubernetes")]
    aws_region: String,

    /// Account in ARNs, twelve digits
    #[arg(long, env = "ECS_OPERATOR_AWS_ACCOUNT_ID", default_value = "000000000000", value_parser = account)]
    aws_account_id: String,

    /// API groups to ignore although the cluster serves them, separated by commas
    #[arg(long, env = "ECS_OPERATOR_IGNORED_API_GROUPS", value_delimiter = ',')]
    ignored_api_groups: Vec<String>,

    /// Registries whose image tags are pinned to digests: `off`, or patterns separated by commas; `*` matches any
    /// characters, and a pattern with a slash also matches the name (`ghcr.io/team/*`)
    #[arg(long, env = "ECS_OPERATOR_IMAGE_RESOLUTION", value_name = "off|PATTERNS", default_value = "*")]
    image_resolution: String,

    /// Registries to ask without TLS, with port, separated by commas; `*` matches any characters
    #[arg(long, env = "ECS_OPERATOR_INSECURE_REGISTRIES", value_delimiter = ',', value_name = "PATTERNS")]
    insecure_registries: Vec<String>,

    /// Ranges of addresses that count as private, besides those that everybody knows, separated by commas: those of
    /// Services and pods, where they are public ones. Only registries that --image-resolution names may have private
    /// addresses
    #[arg(long, env = "ECS_OPERATOR_PRIVATE_RANGES", value_delimiter = ',', value_name = "CIDRS")]
    private_ranges: Vec<AddressRange>,

    /// Docker configuration file with the operator's own credentials for registries
    #[arg(long, env = "ECS_OPERATOR_DOCKER_CONFIG", value_name = "FILE")]
    docker_config: Option<PathBuf>,

    /// Whether to ask registries with the Secrets that pods pull with, which requires the right to get them
    #[arg(
        long,
        env = "ECS_OPERATOR_IMAGE_PULL_SECRETS",
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_value_t = false,
        default_missing_value = "true"
    )]
    image_pull_secrets: bool,

    /// URL of the Alertmanager with the alarms of deployments; without one, affected services report that alarms are
    /// not monitored
    #[arg(long, env = "ECS_OPERATOR_ALERTMANAGER_URL", value_name = "URL", default_value = "")]
    alertmanager_url: String,

    /// Alert that always fires while alerting works; while it does not fire, the state of all alarms is unknown
    #[arg(long, env = "ECS_OPERATOR_ALERTMANAGER_WATCHDOG", value_name = "ALERT", default_value = "")]
    alertmanager_watchdog: String,

    /// Alerts without a label `namespace` that services of all namespaces may name as alarms, separated by commas; `*`
    /// matches any characters
    #[arg(long, env = "ECS_OPERATOR_SHARED_ALERTS", value_delimiter = ',', value_name = "PATTERNS")]
    shared_alerts: Vec<String>,

    /// Whether a scheduler with the profiles `ecs-binpack-cpu`, `ecs-binpack-memory`, `ecs-spread-binpack-cpu` and
    /// `ecs-spread-binpack-memory` runs: tasks with the placement strategy binpack then use them
    #[arg(
        long,
        env = "ECS_OPERATOR_BINPACK_SCHEDULER",
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_value_t = false,
        default_missing_value = "true"
    )]
    binpack_scheduler: bool,
}

fn account(text: &str) -> Result<String, String> {
    let is_account = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_account { Ok(text.to_owned()) } else { Err("an account has twelve digits".to_owned()) }
}

impl ElectionArguments {
    fn to_election(&self) -> Option<Election> {
        self.leader_elect.then(|| Election {
            namespace: self.lease_namespace.clone(),
            name: self.lease_name.clone(),
            identity: runtime::lead::lease::identity(&self.instance),
            lease: Duration::from_secs(self.lease_duration),
            // A leader that stops later than others may begin would be one of two.
            renew_deadline: Duration::from_secs(self.lease_renew_deadline.min(self.lease_duration - 1)),
            retry: Duration::from_secs(self.lease_retry_period),
        })
    }
}

impl UninstallArguments {
    pub(crate) fn into_uninstall(self) -> Uninstall {
        Uninstall { namespaces: named(self.namespaces), election: self.election.to_election() }
    }
}

impl RunArguments {
    /// # Errors
    /// When registries or the Alertmanager cannot be asked as the flags say.
    pub(crate) fn into_options(self) -> anyhow::Result<Options> {
        let identity =
            runtime::Identity { partition: self.aws_partition, region: self.aws_region, account: self.aws_account_id };
        let images = image_resolution(&self.image_resolution);
        let lookup: Option<Arc<dyn Lookup>> = if images == ImageResolution::Off {
            None
        } else {
            let named = match &images {
                ImageResolution::Registries(patterns) => patterns.clone(),
                ImageResolution::Off | ImageResolution::LeftToOperator => Vec::new(),
            };
            Some(Arc::new(Registry::new(RegistryOptions {
                insecure: patterns(&self.insecure_registries),
                patterns: named,
                private_ranges: self.private_ranges,
                docker_config: self.docker_config,
            })?))
        };
        let alarms: Option<Arc<dyn Source>> = if self.alertmanager_url.is_empty() {
            None
        } else {
            Some(Arc::new(Alertmanager::new(
                &self.alertmanager_url,
                Some(self.alertmanager_watchdog),
                patterns(&self.shared_alerts),
            )?))
        };
        let alarm_source = if alarms.is_some() { AlarmSource::Configured } else { AlarmSource::None };
        Ok(Options {
            namespaces: named(self.namespaces),
            address: self.bind_address,
            workers: usize::from(self.workers),
            election: self.election.to_election(),
            drain: Duration::from_secs(self.drain_seconds),
            instance: self.election.instance,
            ignored_groups: self.ignored_api_groups.into_iter().filter(|group| !group.is_empty()).collect(),
            settings: runtime::settings(identity, images, alarm_source, self.binpack_scheduler),
            sources: Sources { lookup, reads_pull_secrets: self.image_pull_secrets, alarms },
        })
    }
}

/// An empty value of a flag is one empty name.
fn named(namespaces: Vec<String>) -> Vec<String> {
    namespaces.into_iter().filter(|name| !name.is_empty()).collect()
}

/// `off` and the empty list ask nobody.
fn image_resolution(text: &str) -> ImageResolution {
    let all: Vec<String> = text.split(',').map(ToOwned::to_owned).collect();
    let patterns = patterns(&all);
    if patterns.is_empty() || patterns == ["off"] {
        ImageResolution::Off
    } else {
        ImageResolution::Registries(patterns)
    }
}

fn patterns(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(arguments: &[&str]) -> Options {
        let all = ["ecs-operator", "run"].iter().chain(arguments);
        let Command::Run(run) = Arguments::try_parse_from(all).unwrap().command else { panic!("not run") };
        run.into_options().unwrap()
    }

    #[test]
    fn when_the_election_is_switched_then_every_spelling_is_understood() {
        assert!(options(&[]).election.is_some());
        assert!(options(&["--leader-elect"]).election.is_some());
        assert!(options(&["--leader-elect=true"]).election.is_some());
        assert!(options(&["--leader-elect=false"]).election.is_none());
    }

    #[test]
    fn when_namespaces_are_given_then_empty_ones_do_not_count() {
        assert!(options(&["--namespaces="]).namespaces.is_empty());
        assert_eq!(options(&["--namespaces=a,b"]).namespaces, ["a", "b"]);
    }

    #[test]
    fn when_api_groups_are_not_to_be_used_then_they_are_named() {
        assert!(options(&["--ignored-api-groups="]).ignored_groups.is_empty());
        let both = options(&["--ignored-api-groups=external-secrets.io,secrets-store.csi.x-k8s.io"]).ignored_groups;
        assert_eq!(both, ["external-secrets.io", "secrets-store.csi.x-k8s.io"]);
    }

    #[test]
    fn when_it_is_uninstalled_then_the_same_namespaces_and_election_count() {
        let read = |arguments: &[&str]| {
            let all = ["ecs-operator", "uninstall"].iter().chain(arguments);
            let Command::Uninstall(read) = Arguments::try_parse_from(all).unwrap().command else { panic!("not this") };
            read.into_uninstall()
        };
        assert!(read(&["--namespaces="]).namespaces.is_empty() && read(&["--leader-elect=false"]).election.is_none());
        let some = read(&["--namespaces=a,b", "--lease-name=other", "--lease-namespace=ops"]);
        let election = some.election.unwrap();
        assert_eq!((some.namespaces.len(), election.name.as_str(), election.namespace.as_str()), (2, "other", "ops"));
    }

    #[test]
    fn when_the_renew_deadline_is_not_below_the_lease_then_it_is_brought_below() {
        let election = options(&["--lease-duration=15", "--lease-renew-deadline=60"]).election.unwrap();
        assert_eq!(election.renew_deadline, Duration::from_secs(14));
    }

    #[test]
    fn when_an_account_is_not_twelve_digits_then_it_is_refused() {
        for account in ["1", "12345678901a", "1234567890123"] {
            let flag = format!("--aws-account-id={account}");
            assert!(Arguments::try_parse_from(["ecs-operator", "run", &flag]).is_err(), "{account}");
        }
    }

    #[test]
    fn when_image_resolution_is_off_then_no_registry_is_asked_and_otherwise_those_that_are_listed() {
        for text in ["off", "", " , "] {
            let options = options(&[&format!("--image-resolution={text}")]);
            assert!(options.settings.images == ImageResolution::Off && options.sources.lookup.is_none(), "{text}");
        }
        let listed = |arguments: &[&str]| options(arguments).settings.images;
        assert_eq!(listed(&[]), ImageResolution::Registries(vec!["*".to_owned()]));
        let two = ImageResolution::Registries(vec!["ghcr.io".to_owned(), "*.example.com".to_owned()]);
        assert_eq!(listed(&["--image-resolution=ghcr.io, *.example.com"]), two);
        let packs = |arguments: &[&str]| options(arguments).settings.has_binpack_profiles;
        assert!(!packs(&[]) && packs(&["--binpack-scheduler"]) && !packs(&["--binpack-scheduler=false"]));
        assert!(
            !options(&[]).sources.reads_pull_secrets && options(&["--image-pull-secrets"]).sources.reads_pull_secrets
        );
    }

    #[test]
    fn when_an_alertmanager_is_given_then_it_is_asked_and_a_url_that_is_none_is_refused() {
        let with = options(&["--alertmanager-url=http://alertmanager.monitoring:9093"]);
        assert!(with.sources.alarms.is_some() && with.settings.alarms == AlarmSource::Configured);
        for arguments in [&[][..], &["--alertmanager-url="], &["--alertmanager-watchdog=Watchdog"]] {
            let without = options(arguments);
            assert!(without.sources.alarms.is_none() && without.settings.alarms == AlarmSource::None, "{arguments:?}");
        }
        let all = ["ecs-operator", "run", "--alertmanager-url=alertmanager:9093"];
        let Command::Run(run) = Arguments::try_parse_from(all).unwrap().command else { panic!("not run") };
        assert!(run.into_options().is_err());
    }

    #[test]
    fn when_the_docker_configuration_cannot_be_read_then_the_operator_does_not_start() {
        let all = ["ecs-operator", "run", "--docker-config=/no/such/file"];
        let Command::Run(run) = Arguments::try_parse_from(all).unwrap().command else { panic!("not run") };
        assert!(run.into_options().is_err());
    }
}
