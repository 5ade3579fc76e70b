//! Image references: which registry a container image comes from, and what it is called there.
//!
//! The image string of a container definition goes to the container runtime as it is written. Only who asks a registry
//! about it has to take it apart, by the rules that all container runtimes share:
//!
//! | as written | registry | repository | tag | digest |
//! |---|---|---|---|---|
//! | `nginx` | `docker.io` | `library/nginx` | `latest` | |
//! | `team/app:1.2` | `docker.io` | `team/app` | `1.2` | |
//! | `localhost:5000/app` | `localhost:5000` | `app` | `latest` | |
//! | `ghcr.io/team/app:1@sha256:…` | `ghcr.io` | `team/app` | `1` | `sha256:…` |

use std::fmt;

use crate::pattern;

/// The registry of names that name none.
pub const DEFAULT_REGISTRY: &str = "docker.io";
/// The tag of references that have neither tag nor digest.
pub const DEFAULT_TAG: &str = "latest";

/// Longest name with its registry.
const LONGEST_NAME: usize = 255;
/// Longest tag.
const LONGEST_TAG: usize = 128;

/// An image reference, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageReference {
    /// Host of the registry, with its port if one is written.
    pub registry: String,
    /// Name of the image there.
    pub repository: String,
    /// Tag, if one is written.
    pub tag: Option<String>,
    /// Digest, if one is written: `sha256:` and 64 hex digits, or another algorithm's.
    pub digest: Option<String>,
    /// What is written before tag and digest: `nginx` and not `docker.io/library/nginx`.
    pub name: String,
}

/// Why a text is no image reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an image reference: {why}")]
pub struct NotAReference {
    text: String,
    why: &'static str,
}

impl ImageReference {
    /// Takes a reference apart.
    ///
    /// # Errors
    /// When no container runtime would accept it.
    pub fn parse(text: &str) -> Result<Self, NotAReference> {
        let wrong = |why| NotAReference { text: text.to_owned(), why };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) if is_digest(digest) => (rest, Some(digest.to_owned())),
            Some(_) => return Err(wrong("after @ comes a digest such as sha256: and 64 hex digits")),
            None => (text, None),
        };
        // A colon behind the last slash begins the tag; one before it belongs to the port of the registry.
        let last = rest.rfind('/').map_or(0, |slash| slash + 1);
        let colon = rest.get(last..).and_then(|part| part.find(':')).map(|colon| last + colon);
        let (name, tag) = match colon.and_then(|colon| rest.split_at_checked(colon)) {
            Some((name, tag)) => (name, tag.get(1..)),
            None => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(wrong("a tag has up to 128 letters, digits, underscores, dots and hyphens"));
        }
        if name.len() > LONGEST_NAME {
            return Err(wrong("a name has at most 255 characters"));
        }
        let (registry, path) = match name.split_once('/') {
            Some((first, path)) if is_host(first) => (first, path),
            _ => (DEFAULT_REGISTRY, name),
        };
        if !is_well_formed_host(registry) {
            return Err(wrong("the registry is not a host name or address with an optional port"));
        }
        if !path.split('/').all(is_component) {
            return Err(wrong(
                "names are lower case letters and digits, with dots, underscores and hyphens between them",
            ));
        }
        let registry = if registry == "index.docker.io" { DEFAULT_REGISTRY } else { registry };
        // `Registry/app` names a host by its capital alone, which it must keep.
        let lower = registry.to_ascii_lowercase();
        let host = if is_host(&lower) { lower } else { registry.to_owned() };
        let is_official = registry == DEFAULT_REGISTRY && !path.contains('/');
        Ok(Self {
            registry: host,
            repository: if is_official { format!("library/{path}") } else { path.to_owned() },
            tag: tag.map(ToOwned::to_owned),
            digest,
            name: name.to_owned(),
        })
    }

    /// The tag in effect: the written one, or `latest`.
    pub fn tag_or_latest(&self) -> &str {
        self.tag.as_deref().unwrap_or(DEFAULT_TAG)
    }

    /// The reference by digest, its name as it was written: `nginx:1` with `sha256:…` is `nginx@sha256:…`.
    pub fn pinned(&self, digest: &str) -> String {
        format!("{}@{digest}", self.name)
    }

    /// Whether a pattern names this image. `*` stands for any characters. A pattern with a slash is compared with
    /// registry and repository, one without with the registry alone: `*.dkr.ecr.*.amazonaws.com`, `ghcr.io/team/*`, `*`.
    pub fn matches(&self, pattern: &str) -> bool {
        if pattern.contains('/') {
            pattern::matches(pattern, &self.to_string_without_tag())
        } else {
            pattern::matches(pattern, &self.registry)
        }
    }

    fn to_string_without_tag(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.registry, self.repository)?;
        match &self.digest {
            Some(digest) => write!(formatter, "@{digest}"),
            None => write!(formatter, ":{}", self.tag_or_latest()),
        }
    }
}

/// Whether a text is a digest: an algorithm and its hex digits, 64 of them for SHA-256.
pub fn is_digest(text: &str) -> bool {
    let Some((algorithm, digits)) = text.split_once(':') else { return false };
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let is_named = algorithm.starts_with(|first: char| first.is_ascii_lowercase())
        && algorithm.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+._-".contains(&byte));
    is_named
        && is_hex
        && match algorithm {
            "sha256" => digits.len() == 64,
            "sha384" => digits.len() == 96,
            "sha512" => digits.len() == 128,
            _ => (32..=128).contains(&digits.len()),
        }
}

/// Whether the first part of a name is a registry: only a host has a dot, a port or capitals, and `localhost` is one.
fn is_host(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':']) || first.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn is_well_formed_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) => {
                let is_address =
                    !address.is_empty() && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':' || b == b'.');
                return is_address && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port));
            }
            None => return false,
        },
        None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.split('.').all(is_label) && port.is_none_or(is_port)
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port > 0) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= LONGEST_TAG
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-')
}

/// Lower case letters and digits; between them one dot, one or two underscores, or any number of hyphens.
fn is_component(part: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut separator = String::new();
    let ends_plain = |byte: Option<u8>| byte.is_some_and(is_plain);
    if !ends_plain(part.bytes().next()) || !ends_plain(part.bytes().last()) {
        return false;
    }
    for letter in part.chars() {
        if letter.is_ascii() && is_plain(u8::try_from(letter).unwrap_or_default()) {
            if !matches!(separator.as_str(), "" | "." | "_" | "__") && separator.bytes().any(|byte| byte != b'-') {
                return false;
            }
            separator.clear();
        } else if matches!(letter, '.' | '_' | '-') {
            separator.push(letter);
        } else {
            return false;
        }
    }
    true
}

#[cfg(test)]
#[path = "image_tests.rs"]
mod tests;
