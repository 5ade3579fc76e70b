//! A real registry, for scenarios about images: distribution's own program on loopback, with the storage in memory.

mod token;

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Request, header};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::cluster::{Binary, paths, resolve, until};
use crate::http::{Answer, exchange};
use crate::oci::digest;
use crate::operator::tail;
use token::Tokens;

/// The one user of registries that ask who one is.
pub const USER: &str = "somebody";
/// Their password.
pub const PASSWORD: &str = "correct horse";
/// bcrypt of it, with the smallest cost.
const PASSWORD_HASH: &str = "$2a$04$bceX3v.1zo8bkQtxsUQ/ZegK64a9pWdE8E/uSfNAnwRp2ICA9CfUm";

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// Who may read and write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open,
    /// Who sends user and password.
    Password,
    /// Who sends a token, which another server gives for user and password.
    Token,
}

/// A registry that runs; it ends when the value is dropped.
#[derive(Debug)]
pub struct Registry {
    address: String,
    access: Access,
    tokens: Option<Tokens>,
    folder: PathBuf,
    _process: Child,
}

impl Drop for Registry {
    fn drop(&mut self) {
        // What is left of it in the cache folder is of no use; a folder that cannot be removed does no harm.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Registry {
    /// Starts one on a free port. The first time, its program is built.
    ///
    /// # Errors
    /// When it does not answer within half a minute.
    pub async fn start(access: Access) -> Result<Self> {
        let programs = resolve(&[Binary::Registry]).await?;
        let program = programs.get(&Binary::Registry).context("the registry was not built")?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let folder = paths::cache()?.join("registries").join(format!("{}-{port}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let tokens = if access == Access::Token { Some(Tokens::start(&folder).await?) } else { None };
        let mut configuration = json!({
            "version": "0.1",
            "log": { "level": "warn" },
            "storage": { "inmemory": {} },
            "http": { "addr": format!("127.0.0.1:{port}") },
        });
        let auth = match (access, &tokens) {
            (Access::Password, _) => {
                let path = folder.join("htpasswd");
                fs::write(&path, format!("{USER}:{PASSWORD_HASH}\n"))?;
                Some(json!({ "htpasswd": { "realm": "test", "path": path } }))
            }
            (_, Some(tokens)) => Some(tokens.configuration()),
            _ => None,
        };
        if let (Some(auth), Some(members)) = (auth, configuration.as_object_mut()) {
            members.insert("auth".to_owned(), auth);
        }
        let path = folder.join("config.yml");
        // JSON is YAML.
        fs::write(&path, configuration.to_string())?;
        let log = folder.join("log");
        let output = fs::File::create(&log)?;
        let process = Command::new(program)
            .arg("serve")
            .arg(&path)
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        let address = format!("127.0.0.1:{port}");
        let registry = Self { address, access, tokens, folder, _process: process };
        until("the registry answers", Duration::from_secs(30), async || {
            let answer = exchange(Request::get(registry.url("/v2/")).body("")?).await;
            let answer = answer.with_context(|| format!("its log ends with\n{}", tail(&log, 10)))?;
            ensure!(matches!(answer.status, 200 | 401), "it says {}", answer.status);
            Ok(Some(()))
        })
        .await?;
        Ok(registry)
    }

    /// `127.0.0.1:<port>`
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A docker configuration for it with this password.
    #[must_use]
    pub fn docker_config(&self, password: &str) -> String {
        json!({ "auths": { (self.address.as_str()): { "username": USER, "password": password } } }).to_string()
    }

    /// Pushes an image for two platforms under a tag and answers with the digest of its index. Other content makes another
    /// image.
    ///
    /// # Errors
    /// When the registry refuses something.
    pub async fn push(&self, repository: &str, tag: &str, content: &str) -> Result<String> {
        let mut manifests = Vec::new();
        for architecture in ["amd64", "arm64"] {
            let config = json!({ "architecture": architecture, "os": "linux", "content": content }).to_string();
            self.upload(repository, config.as_bytes()).await?;
            let manifest = json!({
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": { "mediaType": CONFIG, "digest": digest(config.as_bytes()), "size": config.len() },
                "layers": [],
            })
            .to_string();
            let name = digest(manifest.as_bytes());
            self.put(repository, &name, MANIFEST, manifest.as_bytes()).await?;
            manifests.push(json!({
                "mediaType": MANIFEST, "digest": name, "size": manifest.len(),
                "platform": { "architecture": architecture, "os": "linux" },
            }));
        }
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests }).to_string();
        self.put(repository, tag, INDEX, index.as_bytes()).await?;
        Ok(digest(index.as_bytes()))
    }

    async fn upload(&self, repository: &str, blob: &[u8]) -> Result<()> {
        let begun = self.send("POST", repository, &format!("/v2/{repository}/blobs/uploads/"), "", b"").await?;
        let location = begun.headers.get(header::LOCATION).context("no place to upload to")?.to_str()?;
        let path = location.strip_prefix(&format!("http://{}", self.address)).unwrap_or(location);
        let separator = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{separator}digest={}", digest(blob));
        self.send("PUT", repository, &path, "application/octet-stream", blob).await.map(drop)
    }

    async fn put(&self, repository: &str, name: &str, kind: &str, manifest: &[u8]) -> Result<()> {
        let path = format!("/v2/{repository}/manifests/{name}");
        self.send("PUT", repository, &path, kind, manifest).await.map(drop)
    }

    async fn send(&self, method: &str, repository: &str, path: &str, kind: &str, body: &[u8]) -> Result<Answer> {
        let mut request = Request::builder().method(method).uri(self.url(path));
        if !kind.is_empty() {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let authorization = match (self.access, &self.tokens) {
            (Access::Password, _) => Some(basic(USER, PASSWORD)),
            (_, Some(tokens)) => {
                Some(format!("Bearer {}", tokens.sign(&format!("repository:{repository}:pull,push"))?))
            }
            _ => None,
        };
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let answer = exchange(request.body(body.to_vec())?).await?;
        ensure!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.body);
        Ok(answer)
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// A Secret of type `kubernetes.io/dockerconfigjson`.
#[must_use]
pub fn pull_secret(name: &str, docker_config: &str) -> Value {
    let data = BTreeMap::from([(".dockerconfigjson", docker_config)]);
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name },
        "type": "kubernetes.io/dockerconfigjson", "stringData": data,
    })
}
