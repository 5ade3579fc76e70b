//! Bytes as `kubectl ecs render` and `import` read them: as JSON, and as YAML.
//!
//! Whatever they are, they are used or refused with lines that a terminal can show; what `import` writes can be read.
#![no_main]

use documents::parse;
use kubectl_ecs::import;
use kubectl_ecs::print::Format;
use kubectl_ecs::render::{self, Options};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for file in ["a.json", "a.yaml"] {
        let Ok(documents) = parse::documents(file, bytes) else { continue };
        let Ok(inputs) = documents::inputs(documents, "default") else { continue };
        let options = Options { format: Format::Json, is_strict: true, now: None, facts: plan::ClusterFeatures::default() };
        let report = render::render(&inputs, &options);
        assert!(report.lines.iter().all(|line| !line.contains(char::is_control)), "{:?}", report.lines);
        let imported = import::import(&inputs, None);
        assert!(parse::documents("b.yaml", imported.output.as_bytes()).is_ok(), "{}", imported.output);
    }
});
