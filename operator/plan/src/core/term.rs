//! Properties by which objects are found without looking at all of them.

/// A property by which objects of a kind are found. Which objects carry which is in [`super::relation`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Term {
    /// The `metadata.uid` of the object itself; only roots carry it.
    Uid(String),
    /// The `metadata.uid` of an owner.
    Owner(String),
    /// The ECS name of the object itself: `serviceName`, `clusterName`, `family`, a provider's `name`.
    EcsName(String),
    /// A task definition family that the object refers to, or belongs to.
    Family(String),
    /// The revision that the object is, `family:N`.
    Revision(String),
    /// The same of a revision that something new may use, ordered by number; see [`active_revision`].
    ActiveRevision(String),
    /// A cluster (ECS name) that the object refers to; of a pod, the label value made of that name.
    Cluster(String),
    /// A capacity provider (ECS name) that the object refers to.
    CapacityProvider(String),
    /// The ECSService that the object belongs to, as the label value made of its object name. The service carries its own.
    Service(String),
    /// The ECS name of the service that a scalable target scales.
    ScaledService(String),
    /// The service runs one task on each eligible node.
    Daemon,
    /// The service moves tasks between zones, so that nodes that come or go concern it.
    Rebalanced,
    /// A PersistentVolumeClaim or VolumeSnapshot, `namespace/name`: the object itself, or the one it was made for.
    Claim(String),
    /// A node (object name): the object itself, or the one a pod is on.
    Node(String),
    /// A node that takes no new tasks, see [`crate::nodes::instance`].
    Draining,
    /// The same with the node's name.
    DrainingNode(String),
    /// A pod without a node, of which the operator says which nodes it may be on.
    Unplaced,
    /// A label of a node, `key=value`.
    Label(String),
    /// A Namespace (object name): the object itself, the one that a record is in, or the one that a StorageClass is for.
    Namespace(String),
    /// A StorageClass of managed volumes that pods are made with.
    StorageClass(String),
}

/// Makes a term of a name: `Term::Cluster` and the like.
pub type Named = fn(String) -> Term;

impl Term {
    /// What the term names; empty for those that name nothing.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Uid(name)
            | Self::Owner(name)
            | Self::EcsName(name)
            | Self::Family(name)
            | Self::Revision(name)
            | Self::ActiveRevision(name)
            | Self::Cluster(name)
            | Self::CapacityProvider(name)
            | Self::Service(name)
            | Self::ScaledService(name)
            | Self::Claim(name)
            | Self::Node(name)
            | Self::DrainingNode(name)
            | Self::Label(name)
            | Self::Namespace(name)
            | Self::StorageClass(name) => name,
            Self::Daemon | Self::Rebalanced | Self::Draining | Self::Unplaced => "",
        }
    }

    /// Whether `named` makes terms of this sort.
    #[must_use]
    pub fn is(&self, named: Named) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(&named(String::new()))
    }
}

/// The name in [`Term::ActiveRevision`]: `namespace/family/` and the number with leading zeros, so that the newest
/// revision of a family in a namespace is the last one.
#[must_use]
pub fn active_revision(namespace: &str, family: &str, number: i64) -> String {
    format!("{}{number:019}", active_revisions(namespace, family))
}

/// What the names in [`Term::ActiveRevision`] of all ACTIVE revisions of a family begin with.
#[must_use]
pub fn active_revisions(namespace: &str, family: &str) -> String {
    format!("{namespace}/{family}/")
}

/// The cluster that ECS assumes when a request names none.
pub const DEFAULT_CLUSTER: &str = "default";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_numbers_have_more_digits_then_they_still_come_later() {
        assert!(active_revision("shop", "web", 9) < active_revision("shop", "web", 10));
        assert!(active_revision("shop", "web", i64::MAX).starts_with(&active_revisions("shop", "web")));
    }

    #[test]
    fn when_terms_are_of_another_sort_then_they_are_told_apart() {
        assert!(Term::Cluster("a".to_owned()).is(Term::Cluster));
        assert!(!Term::Cluster("a".to_owned()).is(Term::Service));
        assert!(Term::Daemon.is(|_| Term::Daemon));
    }
}
