//! The server of tokens that a registry sends its clients to, as Docker Hub and others have one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, StatusCode, Uri, header};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519, SigningKey as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

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
        let answers = Router::new().route("/token", get(answer)).with_state(Arc::clone(&signer));
        let server = tokio::spawn(async move {
            // It ends with the task.
            let _ = axum::serve(listener, answers).await;
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

/// A token for the scope that a client names, if it knows the password.
async fn answer(State(signer): State<Arc<Signer>>, headers: HeaderMap, uri: Uri) -> Result<Json<Value>, StatusCode> {
    let known = headers.get(header::AUTHORIZATION).is_some_and(|value| *value == basic(USER, PASSWORD));
    if !known {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let scope = uri.query().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("scope="));
    let scope = percent_decode_str(scope.unwrap_or_default()).decode_utf8().map_err(|_| StatusCode::BAD_REQUEST)?;
    let token = signer.sign(&scope).map_err(|_| StatusCode::BAD_REQUEST)?;
    Ok(Json(json!({ "token": token })))
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
