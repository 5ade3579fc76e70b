//! `secrets[].valueFrom`: where a secret value comes from.

/// A reference to a secret value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretReference {
    /// A parameter of Systems Manager.
    SsmParameter {
        /// Name of the parameter, with the leading `/` of a hierarchical one.
        name: String,
        /// The region, when an ARN was given.
        region: Option<String>,
    },
    /// A secret of Secrets Manager.
    SecretsManager {
        /// Name of the secret, without the six characters that AWS adds in ARNs.
        name: String,
        /// The ARN of the secret, without the extra fields.
        arn: String,
        /// The region of the ARN.
        region: String,
        /// The key in the JSON object that the secret holds; absent for the text as a whole.
        json_key: Option<String>,
        /// The stage; with neither stage nor id it is `AWSCURRENT`.
        version_stage: Option<String>,
        /// The id of the version.
        version_id: Option<String>,
    },
}

/// Why a `valueFrom` cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Neither an ARN nor the name of a parameter.
    #[error("{0:?} is neither the name of a parameter nor an ARN of Systems Manager or Secrets Manager")]
    Unreadable(String),
    /// An ARN of something else.
    #[error("{0:?} is an ARN of neither a parameter of Systems Manager nor a secret of Secrets Manager")]
    OtherResource(String),
    /// One, two or more than three fields after the name of a secret.
    #[error(
        "a secret is followed by no field or by exactly three (json-key:version-stage:version-id, empty ones keep their colons), not by {0}"
    )]
    FieldCount(usize),
    /// Stage and id both select a version.
    #[error("version-stage and version-id exclude each other")]
    StageAndId,
    /// An ARN whose account is not twelve digits, or that names no region.
    #[error("{0:?} lacks its region or the twelve digits of its account")]
    Incomplete(String),
    /// A name with `.` or `..` between slashes.
    #[error("the name {0:?} has . or .. between slashes, which could lead to the secret of another folder")]
    LeadsOut(String),
    /// Credentials of a registry are a secret as a whole.
    #[error("credentials of a registry are the name or the ARN of a secret of Secrets Manager, without further fields")]
    NotWhole,
}

/// The stage that counts when a reference names no version.
pub const CURRENT_STAGE: &str = "AWSCURRENT";

/// Reads a `valueFrom`.
///
/// | form | meaning |
/// |---|---|
/// | `/prod/db` | parameter `/prod/db` of the own region |
/// | `arn:aws:ssm:eu-west-1:123456789012:parameter/prod/db` | parameter `/prod/db` of that region |
/// | `arn:aws:secretsmanager:…:secret:db-AbCdEf` | the secret `db` as a whole |
/// | `arn:aws:secretsmanager:…:secret:db-AbCdEf:password::` | the key `password` in it |
/// | `arn:aws:secretsmanager:…:secret:db-AbCdEf::AWSPREVIOUS:` | its previous value |
pub fn secret_reference(value_from: &str) -> Result<SecretReference, SecretError> {
    if !value_from.starts_with("arn:") {
        return parameter(value_from, value_from, None);
    }
    let fields: Vec<&str> = value_from.split(':').collect();
    let is_incomplete = |region: &str, account: &str| {
        region.is_empty() || account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit())
    };
    match fields.as_slice() {
        [_, _, "ssm" | "secretsmanager", region, account, ..] if is_incomplete(region, account) => {
            Err(SecretError::Incomplete(value_from.to_owned()))
        }
        [_, _, "ssm", region, _, resource] => match resource.strip_prefix("parameter/") {
            // The ARN of `db` is `parameter/db`, that of `/prod/db` is `parameter/prod/db`.
            Some(path) if path.contains('/') => parameter(value_from, &format!("/{path}"), Some(region)),
            Some(name) => parameter(value_from, name, Some(region)),
            None => Err(SecretError::OtherResource(value_from.to_owned())),
        },
        fields if is_secret_arn(fields) => secret(value_from, fields),
        _ => Err(SecretError::OtherResource(value_from.to_owned())),
    }
}

/// Reads a `repositoryCredentials.credentialsParameter`: the name or the ARN of a secret that holds a JSON object with
/// `username` and `password`.
///
/// # Errors
/// When it is neither, or has further fields.
pub fn registry_credentials(parameter: &str) -> Result<SecretReference, SecretError> {
    if !parameter.starts_with("arn:") {
        const OTHERS: [char; 7] = ['/', '_', '+', '=', '.', '@', '-'];
        let is_legal = |c: char| c.is_ascii_alphanumeric() || OTHERS.contains(&c);
        if parameter.is_empty() || !parameter.chars().all(is_legal) {
            return Err(SecretError::NotWhole);
        }
        stays_inside(parameter)?;
        return Ok(SecretReference::SecretsManager {
            name: parameter.to_owned(),
            arn: parameter.to_owned(),
            region: String::new(),
            json_key: None,
            version_stage: None,
            version_id: None,
        });
    }
    match secret_reference(parameter)? {
        reference @ SecretReference::SecretsManager {
            json_key: None, version_stage: None, version_id: None, ..
        } => Ok(reference),
        _ => Err(SecretError::NotWhole),
    }
}

fn parameter(value_from: &str, name: &str, region: Option<&str>) -> Result<SecretReference, SecretError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/');
    if name.trim_matches('/').is_empty() || !name.chars().all(legal) {
        return Err(SecretError::Unreadable(value_from.to_owned()));
    }
    stays_inside(name)?;
    Ok(SecretReference::SsmParameter { name: name.to_owned(), region: region.map(str::to_owned) })
}

/// Whoever reads a name as a path must not be led out of its folder: it would be allowed with that one, and be another
/// one's.
fn stays_inside(name: &str) -> Result<(), SecretError> {
    let leads_out = name.split('/').any(|segment| matches!(segment, "." | ".."));
    if leads_out { Err(SecretError::LeadsOut(name.to_owned())) } else { Ok(()) }
}

fn is_secret_arn(fields: &[&str]) -> bool {
    matches!(fields, [_, _, "secretsmanager", _, _, "secret", name, ..] if !name.is_empty())
}

fn secret(value_from: &str, fields: &[&str]) -> Result<SecretReference, SecretError> {
    const NAME_FIELDS: usize = 7;
    let (arn, extra) = fields.split_at_checked(NAME_FIELDS).unwrap_or((fields, &[]));
    let (json_key, stage, id) = match extra {
        [] => ("", "", ""),
        [json_key, stage, id] => (*json_key, *stage, *id),
        other => return Err(SecretError::FieldCount(other.len())),
    };
    let [_, _, _, region, _, _, name] = arn else {
        return Err(SecretError::OtherResource(value_from.to_owned()));
    };
    if !stage.is_empty() && !id.is_empty() {
        return Err(SecretError::StageAndId);
    }
    stays_inside(name)?;
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Ok(SecretReference::SecretsManager {
        name: without_suffix(name).to_owned(),
        arn: arn.join(":"),
        region: (*region).to_owned(),
        json_key: given(json_key),
        version_stage: given(stage),
        version_id: given(id),
    })
}

/// Cuts the hyphen and the six letters or digits that AWS adds to the name in an ARN.
fn without_suffix(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((stem, suffix))
            if suffix.len() == 6 && suffix.bytes().all(|b| b.is_ascii_alphanumeric()) && !stem.is_empty() =>
        {
            stem
        }
        _ => name,
    }
}

impl SecretReference {
    /// The key in the JSON object that the secret holds.
    pub fn json_key(&self) -> Option<&str> {
        match self {
            Self::SsmParameter { .. } => None,
            Self::SecretsManager { json_key, .. } => json_key.as_deref(),
        }
    }

    /// `remoteRef.key` of the External Secrets Operator: the name of a parameter, the ARN of a secret.
    pub fn remote_key(&self) -> &str {
        match self {
            Self::SsmParameter { name, .. } => name,
            Self::SecretsManager { arn, .. } => arn,
        }
    }

    /// `remoteRef.property` of the External Secrets Operator: the json-key. It is a path there, in which `*`, `|` and
    /// the like have a meaning unless a backslash stands before them; a `.` is tried as part of the key first.
    pub fn remote_property(&self) -> Option<String> {
        let key = self.json_key()?;
        let mut property = String::with_capacity(key.len());
        for c in key.chars() {
            if c.is_ascii_punctuation() && !matches!(c, '_' | '-' | '.' | ':' | '/') {
                property.push('\\');
            }
            property.push(c);
        }
        Some(property)
    }

    /// `remoteRef.version` of the External Secrets Operator: the stage, or `uuid/` and the version id.
    pub fn remote_version(&self) -> Option<String> {
        match self {
            Self::SsmParameter { .. } => None,
            Self::SecretsManager { version_stage, version_id, .. } => {
                version_id.as_ref().map(|id| format!("uuid/{id}")).or_else(|| version_stage.clone())
            }
        }
    }
}

#[cfg(test)]
#[path = "secret_tests.rs"]
mod tests;
