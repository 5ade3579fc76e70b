//! The distribution protocol, as far as it takes to learn what a tag names: `HEAD /v2/<name>/manifests/<tag>`.

use std::path::PathBuf;

use ::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use ecs::image::{DEFAULT_REGISTRY, ImageReference, is_digest};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::Deserialize;

use super::challenge::{self, Challenge, is_same_site};
use super::credentials::{Credential, DockerConfig};
use super::{Lookup, LookupError};
use crate::api_server::request::query;
use crate::http_client::{AddressRange, Answer, Hosts, Transport};

/// Kinds of manifests that are asked for. With the indexes among them a tag of several platforms answers with the
/// digest of its index; without them, some registries would answer with the manifest of one platform.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json, \
                         application/vnd.oci.image.manifest.v1+json, \
                         application/vnd.docker.distribution.manifest.v2+json";
const DIGEST: &str = "docker-content-digest";
/// Where the API of the default registry is.
const DEFAULT_HOST: &str = "registry-1.docker.io";
/// Requests for one answer: a redirect, a challenge and the real one, and some to spare.
const MOST_STEPS: usize = 6;
/// Credentials tried for one image.
const MOST_CREDENTIALS: usize = 4;

/// How registries are asked.
#[derive(Clone, Debug, Default)]
pub struct RegistryOptions {
    /// Hosts, with port, that are asked without TLS; `*` stands for any characters.
    pub insecure: Vec<String>,
    /// Patterns of the registries that are asked. Those that one names may have private addresses: `*` names none.
    pub patterns: Vec<String>,
    /// Ranges that count as private besides those that everybody knows.
    pub private_ranges: Vec<AddressRange>,
    /// A docker configuration with the operator's own credentials. It is read again for every question, so that tokens
    /// that somebody refreshes are fresh.
    pub docker_config: Option<PathBuf>,
}

/// Asks the registries of the world.
#[derive(Debug)]
pub struct Registry {
    transport: Transport,
    docker_config: Option<PathBuf>,
}

/// Why registries cannot be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The TLS library refuses its configuration.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The docker configuration is not there or has another form.
    #[error("the docker configuration {0} cannot be read: {1}")]
    DockerConfig(PathBuf, String),
}

impl Registry {
    /// Reads the docker configuration once, so that a wrong path is noticed at the start.
    ///
    /// # Errors
    /// When it cannot be read, or TLS cannot be set up.
    pub fn new(options: RegistryOptions) -> Result<Self, RegistryError> {
        if let Some(path) = &options.docker_config {
            let wrong = |why: String| RegistryError::DockerConfig(path.clone(), why);
            let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
            DockerConfig::read(&text).map_err(|error| wrong(error.to_string()))?;
        }
        let listed = options.patterns.iter().filter_map(|pattern| named_host(pattern)).collect();
        let hosts = Hosts { insecure: options.insecure, listed, private: options.private_ranges };
        Ok(Self { transport: Transport::new(hosts)?, docker_config: options.docker_config })
    }

    async fn ask(&self, reference: &ImageReference, credentials: &[Credential]) -> Result<String, LookupError> {
        let mut refused = None;
        let tries = credentials.iter().take(MOST_CREDENTIALS).map(Some);
        // Whether there are credentials or not, at least one try.
        let anonymous = credentials.is_empty().then_some(None);
        for credential in tries.chain(anonymous) {
            match self.ask_as(reference, credential).await {
                Err(error @ LookupError::Unauthorized { .. }) => refused = Some(error),
                answered => return answered,
            }
        }
        Err(refused.unwrap_or_else(|| LookupError::NotFound(reference.registry.clone())))
    }

    async fn ask_as(&self, reference: &ImageReference, who: Option<&Credential>) -> Result<String, LookupError> {
        let mut conversation = Conversation::new(&self.transport, reference, who)?;
        let head = conversation.manifest(&Method::HEAD).await?;
        let stated = |answer: &Answer| answer.header(DIGEST).filter(|text| is_digest(text)).map(ToOwned::to_owned);
        if let Some(digest) = stated(&head).filter(|_| head.status == StatusCode::OK) {
            return Ok(digest);
        }
        // Some answer HEAD without the digest, or not at all: it is the hash of the manifest's bytes.
        let manifest = conversation.manifest(&Method::GET).await?;
        let host = &reference.registry;
        if manifest.status != StatusCode::OK || manifest.body.is_empty() {
            return Err(LookupError::Protocol(format!(
                "{host} answered {} without a manifest",
                manifest.status.as_u16()
            )));
        }
        let computed = format!("sha256:{}", ecs::hash::sha256(&manifest.body));
        match stated(&manifest) {
            Some(other) if other.starts_with("sha256:") && other != computed => {
                Err(LookupError::Protocol(format!("{host} states {other} for a manifest whose digest is {computed}")))
            }
            _ => Ok(computed),
        }
    }
}

/// The registry of a pattern, unless the pattern stands for any registry.
fn named_host(pattern: &str) -> Option<String> {
    let host = pattern.split('/').next().unwrap_or_default();
    host.contains(|character: char| character.is_ascii_alphanumeric()).then(|| host.to_owned())
}

impl Lookup for Registry {
    fn digest<'a>(
        &'a self,
        reference: &'a ImageReference,
        credentials: &'a [Credential],
    ) -> BoxFuture<'a, Result<String, LookupError>> {
        self.ask(reference, credentials).boxed()
    }

    fn own_credentials(&self, reference: &ImageReference) -> Vec<Credential> {
        let text = self.docker_config.as_ref().and_then(|path| std::fs::read(path).ok());
        let config = text.and_then(|text| DockerConfig::read(&text).ok()).unwrap_or_default();
        config.credentials(reference)
    }
}

/// Requests about one image until there is an answer that is no detour.
struct Conversation<'a> {
    transport: &'a Transport,
    reference: &'a ImageReference,
    who: Option<&'a Credential>,
    /// The registry's own host: credentials go nowhere else, except to the server of tokens it names.
    home: String,
    url: Uri,
    /// Host and value of the `Authorization` header that it asked for.
    authorization: Option<(String, HeaderValue)>,
}

impl<'a> Conversation<'a> {
    fn new(
        transport: &'a Transport,
        reference: &'a ImageReference,
        who: Option<&'a Credential>,
    ) -> Result<Self, LookupError> {
        let home = if reference.registry == DEFAULT_REGISTRY { DEFAULT_HOST } else { reference.registry.as_str() };
        let scheme = if transport.is_insecure(home) { "http" } else { "https" };
        let (name, tag) = (&reference.repository, reference.tag_or_latest());
        let url = uri(&format!("{scheme}://{home}/v2/{name}/manifests/{tag}"))?;
        Ok(Self { transport, reference, who, home: home.to_owned(), url, authorization: None })
    }

    async fn manifest(&mut self, method: &Method) -> Result<Answer, LookupError> {
        for _ in 0..MOST_STEPS {
            let host = authority(&self.url);
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(MANIFESTS));
            let authorization = self.authorization.as_ref().filter(|(to, _)| *to == host).map(|(_, value)| value);
            headers.extend(authorization.map(|value| (header::AUTHORIZATION, value.clone())));
            let answer = self.transport.send(method.clone(), &self.url, &headers).await?;
            match answer.status {
                StatusCode::UNAUTHORIZED if authorization.is_none() => self.authorize(&host, &answer).await?,
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(self.unauthorized(&host)),
                StatusCode::NOT_FOUND => return Err(LookupError::NotFound(host)),
                status if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() => {
                    return Err(LookupError::Busy { registry: host, status: status.as_u16() });
                }
                status if status.is_redirection() => self.url = redirected(&self.url, &answer)?,
                _ => return Ok(answer),
            }
        }
        Err(LookupError::Protocol(format!("{} leads from one place to the next without an answer", self.home)))
    }

    /// Gets what the registry asks for. Another host that it redirected to is met without credentials.
    async fn authorize(&mut self, host: &str, answer: &Answer) -> Result<(), LookupError> {
        let who = self.who.filter(|_| *host == self.home);
        let headers = answer.headers.get_all(header::WWW_AUTHENTICATE).iter();
        let asked = challenge::read(headers.filter_map(|value| value.to_str().ok()));
        let value = match (asked, who) {
            (Some(Challenge::Basic), Some(credential)) => credential.basic(),
            (Some(Challenge::Basic), None) => return Err(self.unauthorized(host)),
            (Some(Challenge::Bearer { realm, service, scope }), who) => {
                let scope = scope.unwrap_or_else(|| format!("repository:{}:pull", self.reference.repository));
                let url = uri(&realm)?;
                self.check_realm(&authority(&url), host)?;
                format!("Bearer {}", self.token(&realm, service.as_deref(), &scope, who).await?)
            }
            (None, _) => {
                return Err(LookupError::Protocol(format!("{host} asks for an authentication that is not known")));
            }
        };
        self.authorization = Some((host.to_owned(), secret(&value, host)?));
        Ok(())
    }

    /// A registry names the server of its tokens, and with it a host, a path and a query that the operator asks: one of the
    /// registry's own site, or one that an administrator knows.
    fn check_realm(&self, realm: &str, registry: &str) -> Result<(), LookupError> {
        if is_same_site(realm, registry) || self.transport.is_listed(realm) {
            return Ok(());
        }
        Err(LookupError::Refused(format!(
            "{realm} is not asked for a token: it is of another site than {registry}, and the administrator does not list it"
        )))
    }

    async fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        scope: &str,
        who: Option<&Credential>,
    ) -> Result<String, LookupError> {
        let mut pairs = vec![("scope", scope)];
        pairs.extend(service.map(|service| ("service", service)));
        let separator = if realm.contains('?') { '&' } else { '?' };
        let url = uri(&format!("{realm}{separator}{}", query(&pairs)))?;
        let host = authority(&url);
        let mut headers = HeaderMap::new();
        if let Some(credential) = who {
            headers.insert(header::AUTHORIZATION, secret(&credential.basic(), &host)?);
        }
        let answer = self.transport.send(Method::GET, &url, &headers).await?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(self.unauthorized(&host)),
            status if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() => {
                return Err(LookupError::Busy { registry: host, status: status.as_u16() });
            }
            status => return Err(LookupError::Protocol(format!("{host} answered {} for a token", status.as_u16()))),
        }
        let read: Token = serde_json::from_slice(&answer.body).unwrap_or_default();
        let token = Some(read.token).filter(|token| !token.is_empty()).unwrap_or(read.access_token);
        if token.is_empty() {
            return Err(LookupError::Protocol(format!("{host} answered without a token")));
        }
        Ok(token)
    }

    fn unauthorized(&self, host: &str) -> LookupError {
        let with = if self.who.is_some() { "the credentials" } else { "anonymous access" };
        LookupError::Unauthorized { registry: host.to_owned(), with }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Token {
    token: String,
    access_token: String,
}

fn uri(text: &str) -> Result<Uri, LookupError> {
    text.parse().map_err(|_| LookupError::Protocol("a URL that the registry gave is not one".to_owned()))
}

fn authority(url: &Uri) -> String {
    url.authority().map_or_else(String::new, ToString::to_string)
}

/// A header that no log shows.
fn secret(value: &str, host: &str) -> Result<HeaderValue, LookupError> {
    let wrong = |_| LookupError::Protocol(format!("what {host} is to be told does not fit into a header"));
    let mut value = HeaderValue::from_str(value).map_err(wrong)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Where a redirect leads: an absolute URL, or a path on the same host.
fn redirected(from: &Uri, answer: &Answer) -> Result<Uri, LookupError> {
    let target = answer.header("location").unwrap_or_default();
    if target.starts_with('/') && !target.starts_with("//") {
        return uri(&format!("{}://{}{target}", from.scheme_str().unwrap_or("https"), authority(from)));
    }
    uri(target)
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
