//! The programs of which the cluster consists, and the Go module each is built from.
//!
//! Every component has a module file of its own under `kubernetes/`, so that it is linked against the library versions of
//! its own release. The versions are written there and nowhere else.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

/// One program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Binary {
    /// The store below the API server.
    Etcd,
    /// The API server.
    KubeApiserver,
    /// Kubernetes' own controllers: Deployment, Job, HPA, persistent volumes, garbage collection and so on.
    KubeControllerManager,
    /// Binds pods to nodes.
    KubeScheduler,
    /// The command line.
    Kubectl,
    /// Runs containers on a real node.
    Kubelet,
    /// Service addresses on a real node.
    KubeProxy,
    /// Plays nodes and pods.
    Kwok,
    /// Installs charts.
    Helm,
    /// Serves `metrics.k8s.io` from what the nodes report.
    MetricsServer,
    /// What containers on a real node run; of this repository.
    TaskApp,
    /// Keeps images, for scenarios about them.
    Registry,
    /// Knows which alerts fire, for scenarios about deployment alarms.
    Alertmanager,
    /// Runs scripts as Argo CD does; of this repository.
    ArgoLua,
}

/// A Go module that builds one or more programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Component {
    /// Folder below `kubernetes/`.
    pub folder: &'static str,
    /// The module whose version counts as the component's version.
    pub module: &'static str,
    /// Roughly how long the first build takes, for the progress line.
    pub first_build: &'static str,
}

const KUBERNETES: Component =
    Component { folder: "kubernetes", module: "k8s.io/kubernetes", first_build: "about 4 minutes on two cores" };
const ETCD: Component =
    Component { folder: "etcd", module: "go.etcd.io/etcd/server/v3", first_build: "about half a minute" };
const KWOK: Component = Component { folder: "kwok", module: "sigs.k8s.io/kwok", first_build: "about a minute" };
const HELM: Component = Component { folder: "helm", module: "helm.sh/helm/v4", first_build: "about 2 minutes" };
const METRICS_SERVER: Component =
    Component { folder: "metrics-server", module: "sigs.k8s.io/metrics-server", first_build: "about 3 minutes" };
/// No release of anybody: it has no version besides its source.
const TASK_APP: Component =
    Component { folder: "taskapp", module: "ecs-operator.dev/e2e/kubernetes/taskapp", first_build: "a few seconds" };
const REGISTRY: Component =
    Component { folder: "registry", module: "github.com/distribution/distribution/v3", first_build: "about a minute" };
/// The last version whose web assets are in the module: later ones embed a folder that only a release build makes.
const ALERTMANAGER: Component =
    Component { folder: "alertmanager", module: "github.com/prometheus/alertmanager", first_build: "about 2 minutes" };
/// No release of anybody: it has no version besides its source.
const ARGO_LUA: Component =
    Component { folder: "argo-lua", module: "ecs-operator.dev/e2e/kubernetes/argo-lua", first_build: "a few seconds" };

impl Binary {
    /// What real nodes need besides.
    pub const REAL: [Self; 3] = [Self::Kubelet, Self::KubeProxy, Self::TaskApp];

    /// What a scenario on KWOK nodes needs.
    pub const LOCAL: [Self; 8] = [
        Self::Etcd,
        Self::KubeApiserver,
        Self::KubeControllerManager,
        Self::KubeScheduler,
        Self::Kubectl,
        Self::Kwok,
        Self::Helm,
        Self::MetricsServer,
    ];

    /// The file name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::KubeApiserver => "kube-apiserver",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::KubeScheduler => "kube-scheduler",
            Self::Kubectl => "kubectl",
            Self::Kubelet => "kubelet",
            Self::KubeProxy => "kube-proxy",
            Self::Kwok => "kwok",
            Self::Helm => "helm",
            Self::MetricsServer => "metrics-server",
            Self::TaskApp => "taskapp",
            Self::Registry => "registry",
            Self::Alertmanager => "alertmanager",
            Self::ArgoLua => "argo-lua",
        }
    }

    /// The module it is built from.
    #[must_use]
    pub const fn component(self) -> Component {
        match self {
            Self::Etcd => ETCD,
            Self::Kwok => KWOK,
            Self::Helm => HELM,
            Self::MetricsServer => METRICS_SERVER,
            Self::TaskApp => TASK_APP,
            Self::Registry => REGISTRY,
            Self::Alertmanager => ALERTMANAGER,
            Self::ArgoLua => ARGO_LUA,
            Self::KubeApiserver
            | Self::KubeControllerManager
            | Self::KubeScheduler
            | Self::Kubectl
            | Self::Kubelet
            | Self::KubeProxy => KUBERNETES,
        }
    }

    /// The main package.
    #[must_use]
    pub const fn package(self) -> &'static str {
        match self {
            Self::Etcd => "go.etcd.io/etcd/server/v3",
            Self::KubeApiserver => "k8s.io/kubernetes/cmd/kube-apiserver",
            Self::KubeControllerManager => "k8s.io/kubernetes/cmd/kube-controller-manager",
            Self::KubeScheduler => "k8s.io/kubernetes/cmd/kube-scheduler",
            Self::Kubectl => "k8s.io/kubernetes/cmd/kubectl",
            Self::Kubelet => "k8s.io/kubernetes/cmd/kubelet",
            Self::KubeProxy => "k8s.io/kubernetes/cmd/kube-proxy",
            Self::Kwok => "sigs.k8s.io/kwok/cmd/kwok",
            Self::Helm => "helm.sh/helm/v4/cmd/helm",
            Self::MetricsServer => "sigs.k8s.io/metrics-server/cmd/metrics-server",
            Self::TaskApp => TASK_APP.module,
            Self::Registry => "github.com/distribution/distribution/v3/cmd/registry",
            Self::Alertmanager => "github.com/prometheus/alertmanager/cmd/alertmanager",
            Self::ArgoLua => ARGO_LUA.module,
        }
    }

    /// The arguments that make it print its version and end.
    #[must_use]
    pub const fn version_arguments(self) -> &'static [&'static str] {
        match self {
            Self::Kubectl => &["version", "--client"],
            Self::Helm => &["version", "--short"],
            _ => &["--version"],
        }
    }

    /// Whether a program found on `PATH` may stand in for the pinned one.
    ///
    /// kubectl is supported one minor version either way; Helm's behaviour is stable within a major version; everything
    /// else must be of the same minor version. Example: pinned 1.36 takes kubectl 1.35 and 1.37, not 1.34.
    #[must_use]
    pub fn accepts(self, found: Version, pinned: Version) -> bool {
        match self {
            Self::Kubectl => found.major == pinned.major && found.minor.abs_diff(pinned.minor) <= 1,
            Self::Helm => found.major == pinned.major,
            _ => found == pinned,
        }
    }
}

/// Major and minor version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Major.
    pub major: u32,
    /// Minor.
    pub minor: u32,
}

impl Version {
    /// The first `major.minor` in a text such as `Client Version: v1.36.3` or `etcd Version: 3.6.14`.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        text.split(|c: char| !(c.is_ascii_digit() || c == '.')).find_map(|word| {
            let mut numbers = word.split('.');
            let major = numbers.next()?.parse().ok()?;
            let minor = numbers.next()?.parse().ok()?;
            Some(Self { major, minor })
        })
    }
}

/// The variable that names another minor version of Kubernetes than the usual one, such as `1.34`.
const KUBERNETES_VERSION: &str = "E2E_KUBERNETES";

impl Component {
    /// The folder with the module file. That of Kubernetes depends on [`KUBERNETES_VERSION`].
    #[must_use]
    pub fn path(self) -> PathBuf {
        let modules = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("kubernetes");
        let version = std::env::var(KUBERNETES_VERSION).ok();
        modules.join(self.folder_of(version.as_deref()))
    }

    /// Each other version has a folder of its own beside the usual one.
    fn folder_of(self, version: Option<&str>) -> String {
        match version.filter(|version| !version.is_empty() && self == KUBERNETES) {
            Some(version) => format!("{}-{version}", self.folder),
            None => self.folder.to_owned(),
        }
    }

    /// The pinned version, such as `v1.36.3`, from the module file; `v0.0.0` for a module of this repository.
    ///
    /// # Errors
    /// When the module file cannot be read or does not require the module.
    pub fn version(self) -> Result<String> {
        let path = self.path().join("go.mod");
        let text = fs::read_to_string(&path).with_context(|| {
            format!("cannot read {}: does {KUBERNETES_VERSION} name a version that has a folder there?", path.display())
        })?;
        if text.lines().any(|line| line.strip_prefix("module ") == Some(self.module)) {
            return Ok("v0.0.0".to_owned());
        }
        text.lines()
            .find_map(|line| {
                let mut words = line.trim().trim_start_matches("require ").split_whitespace();
                (words.next()? == self.module).then(|| words.next())?.map(str::to_owned)
            })
            .with_context(|| format!("{} does not require {}", path.display(), self.module))
    }

    /// A short hash of everything that decides what a build yields besides the Go toolchain.
    ///
    /// # Errors
    /// When a module file cannot be read.
    pub fn fingerprint(self) -> Result<String> {
        let mut parts = Vec::new();
        for path in self.sources()? {
            parts.extend(fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
        }
        parts.extend(self.linker_flags()?.into_bytes());
        parts.extend([std::env::consts::OS, std::env::consts::ARCH].join("/").into_bytes());
        Ok(ecs::hash::sha256(parts).chars().take(12).collect())
    }

    /// `go.mod`, `go.sum` and, for a module of this repository, its source; by name.
    fn sources(self) -> Result<Vec<PathBuf>> {
        let folder = self.path();
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        let is_source = |extension: &std::ffi::OsStr| ["go", "mod", "sum"].iter().any(|&known| known == extension);
        paths.retain(|path| path.extension().is_some_and(is_source));
        paths.sort();
        Ok(paths)
    }

    /// Linker flags: no debug tables, and the release's version where the release build stamps it. Without the stamp the
    /// API server calls itself `v0.0.0-master` and every client's version check misfires.
    ///
    /// # Errors
    /// When the version cannot be read from the module file.
    pub fn linker_flags(self) -> Result<String> {
        let version = self.version()?;
        let stamp = match self.folder {
            // The first package is what the servers report, the second what they call themselves as clients.
            "kubernetes" => {
                let Version { major, minor } = Version::find(&version).context("no version number")?;
                let stamp = |package: &str| {
                    format!(
                        "-X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor} \
                         -X {package}.gitTreeState=clean"
                    )
                };
                [stamp("k8s.io/component-base/version"), stamp("k8s.io/client-go/pkg/version")].join(" ")
            }
            "kwok" => format!("-X sigs.k8s.io/kwok/pkg/consts.Version={version}"),
            "helm" => format!("-X helm.sh/helm/v4/internal/version.version={version}"),
            "registry" => format!("-X github.com/distribution/distribution/v3/version.version={version}"),
            "alertmanager" => format!("-X github.com/prometheus/common/version.Version={version}"),
            "metrics-server" => format!("-X k8s.io/client-go/pkg/version.gitVersion={version}"),
            _ => String::new(),
        };
        Ok(format!("-s -w {stamp}").trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_program_prints_its_version_then_major_and_minor_are_found() {
        for (text, major, minor) in [
            ("Client Version: v1.36.3\nKustomize Version: v5.8.1", 1, 36),
            ("etcd Version: 3.6.14\nGit SHA: abc1234", 3, 6),
            ("v4.3.1+gabc", 4, 3),
            ("kwok version v0.8.0 go1.26.8", 0, 8),
        ] {
            assert_eq!(Version::find(text), Some(Version { major, minor }), "{text}");
        }
        assert_eq!(Version::find("unknown"), None);
    }

    #[test]
    fn when_kubectl_is_two_minors_away_then_it_is_not_accepted() {
        let pinned = Version { major: 1, minor: 36 };
        for (minor, accepted) in [(34, false), (35, true), (36, true), (37, true), (38, false)] {
            assert_eq!(Binary::Kubectl.accepts(Version { major: 1, minor }, pinned), accepted, "{minor}");
        }
        assert!(!Binary::KubeApiserver.accepts(Version { major: 1, minor: 35 }, pinned));
    }

    #[test]
    fn when_another_version_of_kubernetes_is_named_then_only_kubernetes_has_another_folder() {
        assert_eq!(KUBERNETES.folder_of(None), "kubernetes");
        assert_eq!(KUBERNETES.folder_of(Some("")), "kubernetes");
        assert_eq!(KUBERNETES.folder_of(Some("1.34")), "kubernetes-1.34");
        assert_eq!(ETCD.folder_of(Some("1.34")), "etcd");
    }

    #[test]
    fn when_a_module_file_is_read_then_it_pins_the_component_and_lists_its_programs_as_tools() {
        for binary in
            [Binary::LOCAL.as_slice(), &Binary::REAL, &[Binary::Registry, Binary::Alertmanager, Binary::ArgoLua]]
                .concat()
        {
            let component = binary.component();
            assert!(component.version().unwrap().starts_with('v'));
            let text = fs::read_to_string(component.path().join("go.mod")).unwrap();
            assert!(text.contains(binary.package()), "{} is no tool of {}", binary.name(), component.folder);
        }
    }
}
