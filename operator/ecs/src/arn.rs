//! Amazon resource names: reading the ones users write and building the ones that status shows.
//!
//! ECS takes a short name or an ARN almost everywhere. Region and account of an ARN are never a reason to refuse it:
//! what counts is the last segment.

use crate::hash::hex;
use crate::name;

/// A reference to a task definition as `family`, `family:3` or ARN.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskDefinitionReference {
    /// The family, in the spelling of the user.
    pub family: String,
    /// The pinned revision, 1 or more; absent when the reference follows the latest ACTIVE one.
    pub revision: Option<i64>,
}

/// Why a reference to a task definition cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// An ARN of something else.
    #[error("{0} is not the ARN of a task definition")]
    NotATaskDefinition(String),
    /// Families are ECS names.
    #[error("{0:?} is not a family: 1 to 255 letters, digits, hyphens and underscores")]
    Family(String),
    /// Revisions count from 1.
    #[error("{0:?} is not a revision: a whole number from 1")]
    Revision(String),
}

/// Reads `family`, `family:revision` or `arn:aws:ecs:region:account:task-definition/family:revision`.
pub fn task_definition_reference(text: &str) -> Result<TaskDefinitionReference, ReferenceError> {
    let short = if text.starts_with("arn:") {
        match text.split_once(":task-definition/") {
            Some((head, short)) if head.split(':').nth(2) == Some("ecs") => short,
            _ => return Err(ReferenceError::NotATaskDefinition(text.to_owned())),
        }
    } else {
        text
    };
    let (family, revision) = match short.split_once(':') {
        Some((family, revision)) => (family, Some(revision)),
        None => (short, None),
    };
    if !name::is_ecs_name(family) {
        return Err(ReferenceError::Family(family.to_owned()));
    }
    let revision = revision.map(read_revision).transpose()?;
    Ok(TaskDefinitionReference { family: family.to_owned(), revision })
}

fn read_revision(text: &str) -> Result<i64, ReferenceError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<i64>() {
        Ok(number) if digits && number >= 1 => Ok(number),
        _ => Err(ReferenceError::Revision(text.to_owned())),
    }
}

/// The short name in a short name or ARN: what follows the last `/`, and in an ARN without `/` what follows the last
/// `:`. `arn:aws:ecs:eu-west-1:123456789012:cluster/web` and `web` both give `web`.
pub fn last_segment(name_or_arn: &str) -> &str {
    let separator = if name_or_arn.contains('/') || !name_or_arn.starts_with("arn:") { '/' } else { ':' };
    name_or_arn.rsplit(separator).next().unwrap_or(name_or_arn)
}

/// Cluster and service of the resource id of a scalable target, `service/<cluster>/<service>`.
pub fn service_resource(resource_id: &str) -> Option<(&str, &str)> {
    let (cluster, service) = resource_id.strip_prefix("service/")?.split_once('/')?;
    let complete = !cluster.is_empty() && !service.is_empty() && !service.contains('/');
    complete.then_some((cluster, service))
}

/// The place that ARNs in status claim: partition, region and account, from the configuration of the operator.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// `aws`, `aws-cn`, …
    pub partition: String,
    /// The region; `kubernetes` unless configured.
    pub region: String,
    /// The twelve digits of the account; zeros unless configured.
    pub account: String,
}

impl Default for Identity {
    fn default() -> Self {
        Self { partition: "aws".to_owned(), region: "kubernetes".to_owned(), account: "000000000000".to_owned() }
    }
}

impl Identity {
    /// `arn:…:cluster/<cluster>`
    pub fn cluster_arn(&self, cluster: &str) -> String {
        self.ecs(&format!("cluster/{cluster}"))
    }

    /// `arn:…:service/<cluster>/<service>`
    pub fn service_arn(&self, cluster: &str, service: &str) -> String {
        self.ecs(&format!("service/{cluster}/{service}"))
    }

    /// `arn:…:service-deployment/<cluster>/<service>/<id>`
    pub fn service_deployment_arn(&self, cluster: &str, service: &str, id: &str) -> String {
        self.ecs(&format!("service-deployment/{cluster}/{service}/{id}"))
    }

    /// `arn:…:service-revision/<cluster>/<service>/<id>`
    pub fn service_revision_arn(&self, cluster: &str, service: &str, id: &str) -> String {
        self.ecs(&format!("service-revision/{cluster}/{service}/{id}"))
    }

    /// `arn:…:task-definition/<family>:<revision>`
    pub fn task_definition_arn(&self, family: &str, revision: i64) -> String {
        self.ecs(&format!("task-definition/{family}:{revision}"))
    }

    /// `arn:…:task/<cluster>/<task id>`, see [`task_id`].
    pub fn task_arn(&self, cluster: &str, task_id: &str) -> String {
        self.ecs(&format!("task/{cluster}/{task_id}"))
    }

    /// `arn:…:capacity-provider/<name>`
    pub fn capacity_provider_arn(&self, provider: &str) -> String {
        self.ecs(&format!("capacity-provider/{provider}"))
    }

    /// `arn:…:application-autoscaling:…:scalable-target/<36 hex digits>`, from the resource id.
    pub fn scalable_target_arn(&self, resource_id: &str) -> String {
        let Self { partition, region, account } = self;
        let id = hex(resource_id, 36);
        format!("arn:{partition}:application-autoscaling:{region}:{account}:scalable-target/{id}")
    }

    fn ecs(&self, resource: &str) -> String {
        let Self { partition, region, account } = self;
        format!("arn:{partition}:ecs:{region}:{account}:{resource}")
    }
}

/// The id of a deployment: `ecs-svc/` and 19 digits, the first of them not zero, made from `seed`.
pub fn deployment_id(seed: &str) -> String {
    format!("ecs-svc/{}", nineteen_digits(seed))
}

/// The id of a task: the 32 hex digits of the uid of its Pod. A uid of another form is hashed to 32 hex digits.
pub fn task_id(uid: &str) -> String {
    let digits: String = uid.chars().filter(|&c| c != '-').map(|c| c.to_ascii_lowercase()).collect();
    if digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) { digits } else { hex(uid, 32) }
}

/// A number from 10^18 to 10^19 - 1, so that there are always nineteen digits.
fn nineteen_digits(seed: &str) -> String {
    const FIRST: u128 = 1_000_000_000_000_000_000;
    // Thirty hex digits are 120 bits: they always fit, and the remainder is even over the whole range.
    let number = u128::from_str_radix(&hex(seed, 30), 16).unwrap_or_default();
    (FIRST + number % (9 * FIRST)).to_string()
}

#[cfg(test)]
#[path = "arn_tests.rs"]
mod tests;
