//! Images without a container engine: OCI image layouts in a tar file, with the `manifest.json` that `docker load` wants
//! beside it.
//!
//! The same files give the same bytes: every time is zero and every owner is root. One archive may hold several images;
//! what they share is in it once.

use std::collections::BTreeSet;
use std::io::{Read as _, Write};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// The time of everything in an image.
const EPOCH: &str = "1970-01-01T00:00:00Z";

/// One image with one layer.
#[derive(Clone, Debug)]
pub struct Image {
    /// The full name with its tag, such as `docker.io/library/ecs-operator:0.1.0`: containerd stores the long form.
    pub name: String,
    /// What the layer holds.
    pub layer: Layer,
    /// `config` of the image configuration: `Entrypoint`, `Cmd`, `User`, `Env`, `StopSignal` and so on.
    pub config: Value,
}

/// A layer as it is stored. It may be large, so its digest is found once.
#[derive(Clone, Debug)]
pub struct Layer(Arc<Blob>);

/// Content under its digest.
#[derive(Debug)]
struct Blob {
    content: Vec<u8>,
    digest: String,
}

/// Adds files to a [`Layer`].
pub struct LayerBuilder(tar::Builder<Vec<u8>>);

impl LayerBuilder {
    /// An empty layer.
    #[must_use]
    pub fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    /// Adds a file.
    ///
    /// # Errors
    /// When the path is not allowed in an archive.
    pub fn file(mut self, path: &str, mode: u32, content: &[u8]) -> Result<Self> {
        append(&mut self.0, path, mode, content)?;
        Ok(self)
    }

    /// Adds an empty folder.
    ///
    /// # Errors
    /// When the path is not allowed in an archive.
    pub fn folder(mut self, path: &str, mode: u32) -> Result<Self> {
        let mut header = header(mode, 0);
        header.set_entry_type(tar::EntryType::Directory);
        self.0.append_data(&mut header, path, std::io::empty()).with_context(|| format!("cannot pack {path}"))?;
        Ok(self)
    }

    /// Adds a symbolic link.
    ///
    /// # Errors
    /// When the path is not allowed in an archive.
    pub fn link(mut self, path: &str, target: &str) -> Result<Self> {
        let mut header = header(0o777, 0);
        header.set_entry_type(tar::EntryType::Symlink);
        self.0.append_link(&mut header, path, target).with_context(|| format!("cannot pack {path}"))?;
        Ok(self)
    }

    /// The layer.
    ///
    /// # Errors
    /// When the archive cannot be finished.
    pub fn build(self) -> Result<Layer> {
        Ok(Layer(Arc::new(Blob::new(self.0.into_inner()?))))
    }
}

impl Default for LayerBuilder {
    fn default() -> Self {
        Self::new()
    }
}

/// The architecture of this machine in the spelling of OCI.
///
/// # Errors
/// When there is none for it.
pub fn architecture() -> Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => bail!("no image for {other}: only x86_64 and aarch64 are known"),
    }
}

/// Writes the archive and returns the digests of the images' manifests.
///
/// # Errors
/// When it cannot be written.
pub fn write_archive(output: impl Write, images: &[Image], architecture: &str) -> Result<Vec<String>> {
    let mut blobs = Blobs { archive: tar::Builder::new(output), written: BTreeSet::new() };
    let (mut index, mut docker, mut digests) = (Vec::new(), Vec::new(), Vec::new());
    append(&mut blobs.archive, "oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    for Image { name, layer, config } in images {
        let config = Blob::new(serde_json::to_vec(&json!({
            "created": EPOCH,
            "architecture": architecture,
            "os": "linux",
            "config": config,
            // The layer is not compressed, so its content and its blob have the same digest.
            "rootfs": { "type": "layers", "diff_ids": [layer.0.digest] },
            "history": [{ "created": EPOCH, "created_by": "cargo xtask image" }],
        }))?);
        let manifest = Blob::new(serde_json::to_vec(&json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config.descriptor("application/vnd.oci.image.config.v1+json"),
            "layers": [layer.0.descriptor("application/vnd.oci.image.layer.v1.tar")],
        }))?);
        let mut entry = manifest.descriptor("application/vnd.oci.image.manifest.v1+json");
        if let Some(entry) = entry.as_object_mut() {
            let tag = name.rsplit(':').next().unwrap_or_default();
            let annotations = json!({ "io.containerd.image.name": name, "org.opencontainers.image.ref.name": tag });
            entry.insert("annotations".to_owned(), annotations);
            entry.insert("platform".to_owned(), json!({ "os": "linux", "architecture": architecture }));
        }
        index.push(entry);
        docker.push(json!({ "Config": config.path(), "RepoTags": [name], "Layers": [layer.0.path()] }));
        digests.push(manifest.digest.clone());
        for blob in [&config, &manifest, &layer.0] {
            blobs.add(blob)?;
        }
    }
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": index,
    });
    append(&mut blobs.archive, "index.json", 0o644, &serde_json::to_vec(&index)?)?;
    append(&mut blobs.archive, "manifest.json", 0o644, &serde_json::to_vec(&docker)?)?;
    blobs.archive.into_inner()?.flush()?;
    Ok(digests)
}

struct Blobs<W: Write> {
    archive: tar::Builder<W>,
    written: BTreeSet<String>,
}

impl<W: Write> Blobs<W> {
    fn add(&mut self, blob: &Blob) -> Result<()> {
        let path = blob.path();
        if self.written.insert(path.clone()) {
            append(&mut self.archive, &path, 0o644, &blob.content)?;
        }
        Ok(())
    }
}

impl Blob {
    fn new(content: Vec<u8>) -> Self {
        Self { digest: digest(&content), content }
    }

    fn descriptor(&self, media_type: &str) -> Value {
        json!({ "mediaType": media_type, "digest": self.digest, "size": self.content.len() })
    }

    fn path(&self) -> String {
        format!("blobs/{}", self.digest.replace(':', "/"))
    }
}

fn header(mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header
}

fn append(archive: &mut tar::Builder<impl Write>, path: &str, mode: u32, content: &[u8]) -> Result<()> {
    let mut header = header(mode, content.len().try_into()?);
    archive.append_data(&mut header, path, content.take(u64::MAX)).with_context(|| format!("cannot pack {path}"))
}

pub(crate) fn digest(content: &[u8]) -> String {
    format!("sha256:{}", ecs::hash::sha256(content))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};

    use super::*;

    fn pack() -> Vec<u8> {
        let layer = LayerBuilder::new().file("program", 0o755, b"program").unwrap();
        let layer = layer.folder("tmp", 0o1777).unwrap().link("bin", "usr/bin").unwrap().build().unwrap();
        let image = |name: &str, config| Image { name: name.to_owned(), layer: layer.clone(), config };
        let images =
            [image("e2e.local/a:1", json!({ "User": "1" })), image("e2e.local/b:1", json!({ "Cmd": ["/program"] }))];
        let mut bytes = Vec::new();
        write_archive(&mut bytes, &images, "amd64").unwrap();
        bytes
    }

    fn unpack(bytes: &[u8]) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(bytes).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            let path = entry.path().unwrap().into_owned();
            assert!(files.insert(path.clone(), content).is_none(), "{} is there twice", path.display());
        }
        files
    }

    #[test]
    fn when_an_archive_is_packed_then_every_reference_in_it_resolves_to_a_blob_of_that_digest() {
        let files = unpack(&pack());
        let open = |descriptor: &Value| {
            let name = descriptor["digest"].as_str().unwrap();
            let content = &files[Path::new(&format!("blobs/{}", name.replace(':', "/")))];
            assert_eq!(digest(content), name);
            assert_eq!(descriptor["size"], content.len());
            content.clone()
        };
        let index: Value = serde_json::from_slice(&files[Path::new("index.json")]).unwrap();
        for (at, name, member) in [(0, "e2e.local/a:1", "User"), (1, "e2e.local/b:1", "Cmd")] {
            let entry = &index["manifests"][at];
            assert_eq!(entry["annotations"]["io.containerd.image.name"], name);
            let manifest: Value = serde_json::from_slice(&open(entry)).unwrap();
            let config: Value = serde_json::from_slice(&open(&manifest["config"])).unwrap();
            assert!(config["config"].get(member).is_some(), "{config}");
            let layer = unpack(&open(&manifest["layers"][0]));
            assert_eq!(layer[Path::new("program")], b"program");
        }
    }

    #[test]
    fn when_the_same_files_are_packed_twice_then_the_bytes_are_the_same() {
        assert_eq!(pack(), pack());
    }
}
