//! The images that every node has. Nothing is ever pulled: the names belong to no registry.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::oci::{self, Image, Layer, LayerBuilder};

/// The sandbox of each pod.
pub(super) const PAUSE: &str = "e2e.local/pause:1";

/// What busybox does under these names.
const APPLETS: [&str; 31] = [
    "sh", "ash", "cat", "cp", "date", "dd", "echo", "env", "false", "grep", "head", "hostname", "id", "kill", "ls",
    "mkdir", "mount", "mv", "nc", "ps", "rm", "sed", "seq", "sleep", "stat", "tail", "test", "touch", "true", "wc",
    "wget",
];

/// Writes the archive with all of them.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write(path: &Path, app: &Path, busybox: Option<&Path>) -> Result<()> {
    let app = fs::read(app).with_context(|| format!("cannot read {}", app.display()))?;
    let plain = layer(&app)?.build()?;
    let mut images = variants(&plain);
    if let Some(busybox) = busybox {
        let busybox = fs::read(busybox).with_context(|| format!("cannot read {}", busybox.display()))?;
        let mut layer = layer(&app)?.file("bin/busybox", 0o755, &busybox)?;
        for applet in APPLETS {
            layer = layer.link(&format!("bin/{applet}"), "busybox")?;
        }
        images.push(image("shell", &layer.build()?, json!({ "Cmd": ["/bin/sh"] })));
    }
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    oci::write_archive(file, &images, oci::architecture()?)?;
    Ok(())
}

/// What the e2e README tells of them.
fn variants(plain: &Layer) -> Vec<Image> {
    vec![
        image("pause", plain, json!({ "Entrypoint": ["/bin/taskapp", "pause"] })),
        image("app", plain, json!({ "Entrypoint": ["/bin/taskapp"] })),
        image("cmd", plain, json!({ "Cmd": ["/bin/taskapp", "serve", "8080"], "WorkingDir": "/data" })),
        image("user", plain, json!({ "Entrypoint": ["/bin/taskapp"], "User": "1234:5678" })),
        image("stopsignal", plain, json!({ "Entrypoint": ["/bin/taskapp"], "StopSignal": "SIGINT" })),
    ]
}

fn image(name: &str, layer: &Layer, mut config: Value) -> Image {
    if let Some(config) = config.as_object_mut() {
        config.insert("Env".to_owned(), json!(["PATH=/bin", "FROM_IMAGE=yes"]));
    }
    Image { name: format!("e2e.local/{name}:1"), layer: layer.clone(), config }
}

fn layer(app: &[u8]) -> Result<LayerBuilder> {
    let mut layer = LayerBuilder::new();
    for folder in ["bin", "data", "dev", "etc", "proc", "run", "sys"] {
        layer = layer.folder(folder, 0o755)?;
    }
    layer
        .folder("tmp", 0o1777)?
        .file("etc/passwd", 0o644, b"root:x:0:0:root:/:/bin/sh\napp:x:1234:5678:app:/data:/bin/sh\n")?
        .file("etc/group", 0o644, b"root:x:0:\napp:x:5678:\nextra:x:4321:app\n")?
        .file("bin/taskapp", 0o755, app)
}
