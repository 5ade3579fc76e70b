//! The server of tokens that a registry sends its clients to, as Docker Hub and others have one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519, SigningKey as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::http::{answer, question};
use super::{PASSWORD, USER, basic};

const SERVICE: &str = "registry of the tests";
const ISSUER: &str = "tokens of the tests";
/// Seconds that a token is good for.
const VALIDITY: i64 = 300;

/// A server of tokens that runs; it ends when the value is dropped.
#[derive(Debug)]
pub(super) struct Tokens {
    address: String,
    signer: Arc<Signer>,
    certificate: PathBuf,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Signer {
    key: KeyPair,
    /// DER, as base64.
    certificate: String,
}

impl Drop for Tokens {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Tokens {
    /// Starts it; the certificate that the registry trusts goes into `folder`.
    pub(super) async fn start(folder: &Path) -> Result<Self> {
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let issued = CertificateParams::new(Vec::new())?.self_signed(&key)?;
        let certificate = folder.join("tokens.pem");
        fs::write(&certificate, issued.pem())?;
        let signer = Arc::new(Signer { key, certificate: STANDARD.encode(issued.der()) });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?.to_string();
        let own = Arc::clone(&signer);
        let server = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let signer = Arc::clone(&own);
                tokio::spawn(async move {
                    // A client that goes away early is its own affair.
                    let _ = serve(&mut stream, &signer).await;
                });
            }
        });
        Ok(Self { address, signer, certificate, server })
    }

    /// What the registry has to know.
    pub(super) fn configuration(&self) -> Value {
        json!({ "token": {
            "realm": format!("http://{}/token", self.address),
            "service": SERVICE,
            "issuer": ISSUER,
            "rootcertbundle": self.certificate,
        } })
    }

    /// A token for a scope such as `repository:team/app:pull,push`.
    pub(super) fn sign(&self, scope: &str) -> Result<String> {
        self.signer.sign(scope)
    }
}

async fn serve(stream: &mut TcpStream, signer: &Signer) -> Result<()> {
    let question = question(stream).await?;
    let known = question.headers.get("authorization").is_some_and(|value| *value == basic(USER, PASSWORD));
    if !known {
        return answer(stream, 401, "{}").await;
    }
    let query = question.path.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let scope = query.split('&').find_map(|pair| pair.strip_prefix("scope=")).unwrap_or_default();
    let token = signer.sign(&scope.replace("%3A", ":").replace("%2F", "/").replace("%2C", ","))?;
    answer(stream, 200, &json!({ "token": token }).to_string()).await
}

impl Signer {
    fn sign(&self, scope: &str) -> Result<String> {
        let mut parts = scope.splitn(3, ':');
        let (kind, name, actions) = (parts.next(), parts.next(), parts.next());
        let actions: Vec<&str> = actions.context("a scope has three parts")?.split(',').collect();
        let now = Timestamp::now().as_second();
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({ "typ": "JWT", "alg": "EdDSA", "x5c": [self.certificate] });
        let claims = json!({
            "iss": ISSUER, "sub": USER, "aud": SERVICE, "jti": now.to_string(),
            "iat": now, "nbf": now - 10, "exp": now + VALIDITY,
            "access": [{ "type": kind, "name": name, "actions": actions }],
        });
        let text = format!("{}.{}", encode(&header), encode(&claims));
        let signature = self.key.sign(text.as_bytes())?;
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
