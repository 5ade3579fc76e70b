//! Certificates of one cluster: one authority that signs everything, as small as a test cluster needs it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// The authority, and the folder into which everything is written.
pub(super) struct Pki {
    folder: PathBuf,
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its private key, both PEM.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    /// Certificate.
    pub certificate: String,
    /// PKCS #8 private key.
    pub key: String,
}

impl std::fmt::Debug for Pki {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Pki").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Pki {
    /// Makes an authority, the key pair that signs ServiceAccount tokens and the serving certificates in `folder`.
    ///
    /// # Errors
    /// When a key cannot be generated or a file cannot be written.
    pub(super) fn create(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = name("ecs-operator-e2e", None);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let certificate = params.self_signed(&key)?.pem();
        // The controller manager signs certificate requests with it.
        write_private(&folder.join("ca.key"), &key.serialize_pem())?;
        write_private(&folder.join("ca.crt"), &certificate)?;
        let pki = Self { folder: folder.to_owned(), certificate, issuer: Issuer::new(params, key) };

        let tokens = KeyPair::generate()?;
        write_private(&pki.path("service-account.key"), &tokens.serialize_pem())?;
        write_private(&pki.path("service-account.pub"), &tokens.public_key_pem())?;

        // 10.96.0.1 is the first address of the Service range: the `kubernetes` Service. 10.99.0.1 is what real nodes call.
        let names = [
            "127.0.0.1",
            "10.99.0.1",
            "10.96.0.1",
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
        ];
        pki.write("serving", &pki.sign("kube-apiserver", None, &names)?)?;
        pki.write("front-proxy", &pki.sign("front-proxy", None, &[])?)?;
        pki.write("kubelet-client", &pki.client("e2e:kubelet-client", Some("system:masters"))?)?;
        Ok(pki)
    }

    /// The authority's certificate, PEM.
    #[must_use]
    pub(super) fn authority(&self) -> &str {
        &self.certificate
    }

    /// A client certificate for a user, perhaps in a group.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub(super) fn client(&self, user: &str, group: Option<&str>) -> Result<Identity> {
        self.sign(user, group, &[])
    }

    /// Writes a serving certificate for these names and addresses, and its key.
    ///
    /// # Errors
    /// When it cannot be signed or written.
    pub(super) fn write_serving(&self, file: &str, user: &str, hosts: &[&str]) -> Result<()> {
        self.write(file, &self.sign(user, None, hosts)?)
    }

    /// The path of a file in the folder.
    #[must_use]
    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    fn sign(&self, user: &str, group: Option<&str>, hosts: &[&str]) -> Result<Identity> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(hosts.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        params.distinguished_name = name(user, group);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![if hosts.is_empty() {
            ExtendedKeyUsagePurpose::ClientAuth
        } else {
            ExtendedKeyUsagePurpose::ServerAuth
        }];
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Identity { certificate, key: key.serialize_pem() })
    }

    fn write(&self, file: &str, identity: &Identity) -> Result<()> {
        write_private(&self.path(&format!("{file}.crt")), &identity.certificate)?;
        write_private(&self.path(&format!("{file}.key")), &identity.key)
    }
}

/// Kubernetes reads the user from the common name and the group from the organization.
fn name(user: &str, group: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    if let Some(group) = group {
        name.push(DnType::OrganizationName, group);
    }
    name.push(DnType::CommonName, user);
    name
}

/// Writes a file that only its owner can read: it may hold a key or a token.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn write_private(path: &Path, text: &str) -> Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}

/// A PEM block.
#[must_use]
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    // Kubernetes' byte strings are base64 when serialised, which spares a crate for it.
    let encoded = serde_json::to_value(k8s_openapi::ByteString(der.to_vec())).unwrap_or_default();
    let encoded = encoded.as_str().unwrap_or_default();
    let lines: Vec<_> = encoded.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
