//! Kubeconfig files with everything inside, so that one can be copied anywhere.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::pki::{Identity, write_private};

/// How a kubeconfig proves who it is.
#[derive(Clone, Debug)]
pub(super) enum Credentials {
    /// A client certificate.
    Certificate(Identity),
    /// A ServiceAccount token.
    Token(String),
}

/// Writes a kubeconfig with one cluster, one user and one context.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn write(path: &Path, server: &str, authority: &str, user: &str, credentials: Credentials) -> Result<()> {
    let user_data = match credentials {
        Credentials::Certificate(identity) => json!({
            "client-certificate-data": base64(&identity.certificate)?,
            "client-key-data": base64(&identity.key)?,
        }),
        Credentials::Token(token) => json!({ "token": token }),
    };
    let context = "ecs-operator-e2e";
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": context,
            "cluster": { "server": server, "certificate-authority-data": base64(authority)? },
        }],
        "users": [{ "name": user, "user": user_data }],
        "contexts": [{ "name": context, "context": { "cluster": context, "user": user } }],
        "current-context": context,
    });
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    write_private(path, &serde_saphyr::to_string(&config)?)
}

/// Kubernetes' byte strings are base64 when serialised.
fn base64(text: &str) -> Result<Value> {
    Ok(serde_json::to_value(ByteString(text.as_bytes().to_vec()))?)
}
