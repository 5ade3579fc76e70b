//! What the cluster offers, as far as plans depend on it. The runtime asks the server; tests and `render` state it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// A Kubernetes version, `major.minor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KubernetesVersion {
    /// `1`
    pub major: u32,
    /// `36`
    pub minor: u32,
}

impl KubernetesVersion {
    /// The newest version that the tests run on, and what is assumed where nobody says otherwise.
    pub const NEWEST: Self = Self { major: 1, minor: 36 };
}

impl fmt::Display for KubernetesVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

/// A text that is not a Kubernetes version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a Kubernetes version such as 1.36")]
pub struct NotAVersion(String);

impl FromStr for KubernetesVersion {
    type Err = NotAVersion;

    /// Reads `1.36`, `v1.36.3` and what providers make of it: `1.33+`, `v1.34.2-eks-1234`.
    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let mut parts = text.trim().trim_start_matches('v').split('.');
        let mut number = || {
            let part = parts.next()?;
            let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part.get(..end)?.parse().ok()
        };
        let read = number().zip(number());
        read.map(|(major, minor)| Self { major, minor }).ok_or_else(|| NotAVersion(text.to_owned()))
    }
}

/// What the API server is and serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterFeatures {
    /// Its version.
    pub kubernetes: KubernetesVersion,
    /// Groups with their versions as `apiVersion` spells them: `external-secrets.io/v1`.
    pub served: BTreeSet<String>,
}

impl Default for ClusterFeatures {
    fn default() -> Self {
        Self { kubernetes: KubernetesVersion::NEWEST, served: BTreeSet::new() }
    }
}

impl ClusterFeatures {
    /// Whether `apiVersion` (`group/version`) is served.
    #[must_use]
    pub fn serves(&self, api_version: &str) -> bool {
        self.served.contains(api_version)
    }

    /// `spec.resources` of a Pod: one reservation and one cap over all its containers. On by default since 1.34.
    #[must_use]
    pub fn has_pod_level_resources(&self) -> bool {
        self.is_at_least(34)
    }

    /// `restartPolicy` and `restartPolicyRules` of main containers. On by default since 1.35.
    #[must_use]
    pub fn has_container_restart_rules(&self) -> bool {
        self.is_at_least(35)
    }

    /// `behavior.scaleUp.tolerance` and `scaleDown.tolerance` of a HorizontalPodAutoscaler. On by default since 1.35.
    #[must_use]
    pub fn has_autoscaler_tolerance(&self) -> bool {
        self.is_at_least(35)
    }

    fn is_at_least(&self, minor: u32) -> bool {
        self.kubernetes >= KubernetesVersion { major: 1, minor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_providers_decorate_versions_then_they_are_read_all_the_same() {
        for (text, minor) in
            [("1.36", 36), ("v1.36.3", 36), ("1.33+", 33), ("v1.34.2-eks-1234", 34), ("v1.35.0+k3s1", 35)]
        {
            assert_eq!(text.parse(), Ok(KubernetesVersion { major: 1, minor }), "{text}");
        }
        for text in ["", "1", "one.two", "v1."] {
            assert_eq!(text.parse::<KubernetesVersion>(), Err(NotAVersion(text.to_owned())));
        }
    }

    #[test]
    fn when_the_cluster_is_older_then_newer_features_are_absent() {
        let at =
            |minor| ClusterFeatures { kubernetes: KubernetesVersion { major: 1, minor }, ..ClusterFeatures::default() };
        assert_eq!([33, 34, 35].map(|minor| at(minor).has_pod_level_resources()), [false, true, true]);
        assert_eq!([33, 34, 35].map(|minor| at(minor).has_container_restart_rules()), [false, false, true]);
        assert_eq!([33, 34, 35].map(|minor| at(minor).has_autoscaler_tolerance()), [false, false, true]);
    }
}
