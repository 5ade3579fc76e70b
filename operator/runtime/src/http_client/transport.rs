//! One request: guarded address, bounded answer, no redirect followed.

use std::sync::Arc;

use ::http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use futures::TryFutureExt as _;
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use tracing::debug;

use super::guard::{AddressRange, Forbidden, Guard, GuardedResolver, Reach};
use crate::error_chain::chain;

type Connector = HttpsConnector<HttpConnector<GuardedResolver>>;

/// Longest answer that is read. Manifests have at most 4 MiB by the distribution specification.
const LONGEST_BODY: usize = 4 * 1024 * 1024;
const USER_AGENT: &str = concat!("ecs-operator/", env!("CARGO_PKG_VERSION"));

/// Why there is no answer. The text holds nothing that a server said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TransportError {
    /// The address is one that must not be asked.
    #[error("{0}")]
    Refused(String),
    /// The URL cannot be a request.
    #[error("{0}")]
    Url(String),
    /// No connection, or one that broke.
    #[error("{0}")]
    Unreachable(String),
}

impl TransportError {
    /// One word for metrics.
    pub(crate) const fn category(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Url(_) => "protocol",
            Self::Unreachable(_) => "unreachable",
        }
    }
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Which hosts may be asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts {
    /// Hosts, with port, that are asked without TLS and may have any address; `*` stands for any characters.
    pub(crate) insecure: Vec<String>,
    /// Hosts, with port, that may have private addresses.
    pub(crate) listed: Vec<String>,
    /// Ranges that count as private besides those that everybody knows.
    pub(crate) private: Vec<AddressRange>,
}

/// Sends requests.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    public: Client<Connector, Empty<Bytes>>,
    private: Client<Connector, Empty<Bytes>>,
    local: Client<Connector, Empty<Bytes>>,
    guard: Guard,
    insecure: Vec<String>,
    listed: Vec<String>,
}

impl Transport {
    /// Trusts the certificate authorities of the system, or Mozilla's where the system has none, as in an image without
    /// any files.
    pub(crate) fn new(hosts: Hosts) -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore::empty();
        for certificate in rustls_native_certs::load_native_certs().certs {
            // One that cannot be read must not cost the others.
            let _ = roots.add(certificate);
        }
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        Self::trusting(roots, hosts)
    }

    fn trusting(roots: RootCertStore, hosts: Hosts) -> Result<Self, rustls::Error> {
        let guard = Guard::new(hosts.private);
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = |reach| {
            let mut http = HttpConnector::new_with_resolver(GuardedResolver { guard: guard.clone(), reach });
            http.enforce_http(false);
            let connector = HttpsConnectorBuilder::new()
                .with_tls_config(config.clone())
                .https_or_http()
                .enable_http1()
                .wrap_connector(http);
            Client::builder(TokioExecutor::new()).pool_max_idle_per_host(1).build(connector)
        };
        Ok(Self {
            public: client(Reach::Public),
            private: client(Reach::Private),
            local: client(Reach::Local),
            guard: guard.clone(),
            insecure: hosts.insecure,
            listed: hosts.listed,
        })
    }

    /// Whether a host is asked without TLS.
    pub(crate) fn is_insecure(&self, host: &str) -> bool {
        self.insecure.iter().any(|pattern| ecs::pattern::matches(pattern, host))
    }

    /// Whether an administrator knows the host.
    pub(crate) fn is_listed(&self, host: &str) -> bool {
        self.reach(host) > Reach::Public
    }

    fn reach(&self, host: &str) -> Reach {
        if self.is_insecure(host) {
            Reach::Local
        } else if self.listed.iter().any(|pattern| ecs::pattern::matches(pattern, host)) {
            Reach::Private
        } else {
            Reach::Public
        }
    }

    /// One request, one answer.
    pub(crate) async fn send(&self, method: Method, url: &Uri, headers: &HeaderMap) -> Result<Answer, TransportError> {
        let reach = self.check(url)?;
        let host = url.authority().map_or_else(String::new, ToString::to_string);
        let mut request = Request::builder().method(method).uri(url).header(header::USER_AGENT, USER_AGENT);
        if let Some(all) = request.headers_mut() {
            all.extend(headers.clone());
        }
        let request = request
            .body(Empty::new())
            .map_err(|_| TransportError::Url(format!("{host} cannot be asked: its URL is not one")))?;
        let client = match reach {
            Reach::Public => &self.public,
            Reach::Private => &self.private,
            Reach::Local => &self.local,
        };
        let answer = client.request(request).map_err(|error| unreachable(&host, &error)).await?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, LONGEST_BODY).collect().await;
        let body = body.map_err(|error| {
            debug!(step = "http", host, error = error.to_string(), "the answer broke off");
            let what = if error.is::<LengthLimitError>() { "is longer than 4 MiB" } else { "broke off" };
            TransportError::Unreachable(format!("the answer of {host} {what}"))
        })?;
        Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
    }

    /// Checks that the URL may be asked. Returns how far its name may lead.
    fn check(&self, url: &Uri) -> Result<Reach, TransportError> {
        let refuse = |why: String| Err(TransportError::Refused(why));
        let Some(authority) = url.authority().filter(|authority| !authority.as_str().contains('@')) else {
            return refuse("a URL without a plain host is not asked".to_owned());
        };
        let reach = self.reach(authority.as_str());
        match url.scheme_str() {
            Some("https") => {}
            Some("http") if reach == Reach::Local => {}
            _ => return refuse(format!("{authority} is not asked without TLS: it is no insecure registry")),
        }
        // Names are judged when they are resolved; an address in the URL never gets there.
        let literal = authority.host().trim_start_matches('[').trim_end_matches(']').parse();
        match literal.ok().and_then(|address| self.guard.forbidden(address, reach)) {
            Some(reason) => refuse(format!("{authority} is not asked: it is {reason}")),
            None => Ok(reach),
        }
    }
}

fn unreachable(host: &str, error: &hyper_util::client::legacy::Error) -> TransportError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(forbidden) = inner.and_then(|inner| inner.downcast_ref::<Forbidden>()) {
            return TransportError::Refused(format!("{host} is not asked: {forbidden}"));
        }
        cause = error.source();
    }
    // What a port or a certificate of the operator's network says is not for everybody who may name an image.
    debug!(step = "http", host, error = chain(error), "cannot be reached");
    TransportError::Unreachable(format!("{host} cannot be reached"))
}

#[cfg(test)]
mod tests {
    use rustls::ServerConfig;
    use rustls::pki_types::PrivateKeyDer;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio_rustls::TlsAcceptor;

    use super::*;

    #[tokio::test]
    async fn when_the_certificate_is_trusted_then_tls_is_spoken_and_otherwise_nobody_hears_of_it() {
        let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let certificate = issued.cert.der().clone();
        let key = PrivateKeyDer::Pkcs8(issued.signing_key.serialize_der().into());
        let server = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that does not trust us ends the handshake.
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let _ = stream.read(&mut [0; 1024]).await;
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
                let _ = stream.shutdown().await;
            }
        });
        let url: Uri = format!("https://localhost:{port}/v2/").parse().unwrap();
        let local = Hosts { insecure: vec!["localhost:*".to_owned()], ..Hosts::default() };
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let trusting = Transport::trusting(roots, local.clone()).unwrap();
        let answer = trusting.send(Method::HEAD, &url, &HeaderMap::new()).await.unwrap();
        assert_eq!(answer.status, StatusCode::NO_CONTENT);

        let error = Transport::new(local).unwrap().send(Method::HEAD, &url, &HeaderMap::new()).await.unwrap_err();
        assert_eq!(error, TransportError::Unreachable(format!("localhost:{port} cannot be reached")));
    }
}
