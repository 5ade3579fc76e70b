//! Objects as text: a YAML stream with comments, or one JSON list.

use documents::line;
use serde_json::{Value, json};

/// How objects are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A stream of documents with comments.
    #[default]
    Yaml,
    /// One `List`, which `kubectl` and `jq` read; it has no comments.
    Json,
}

/// An object and what is said above it.
#[derive(Clone, Debug, PartialEq)]
pub struct Printed {
    /// One comment a line.
    pub comments: Vec<String>,
    /// The object.
    pub object: Value,
}

/// The text of `objects`.
///
/// # Errors
/// When an object cannot be written in the format; what has been read from JSON or YAML always can.
pub fn print(format: Format, objects: &[Printed]) -> Result<String, String> {
    match format {
        Format::Json => {
            let items: Vec<&Value> = objects.iter().map(|printed| &printed.object).collect();
            let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
            serde_json::to_string_pretty(&list).map(|text| text + "\n").map_err(|error| error.to_string())
        }
        Format::Yaml => objects.iter().map(document).collect(),
    }
}

fn document(printed: &Printed) -> Result<String, String> {
    // Long lines stay as they are: a folded command is hard to compare.
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    let body = serde_saphyr::to_string_with_options(&printed.object, options).map_err(|error| error.to_string())?;
    let mut text = "---\n".to_owned();
    for comment in &printed.comments {
        text.push_str("# ");
        text.push_str(&line(comment));
        text.push('\n');
    }
    text.push_str(&body);
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_texts_look_like_other_types_then_they_are_read_back_as_texts() {
        let texts = [
            "yes",
            "off",
            "n",
            "1",
            "0x1f",
            "1e3",
            "012",
            "1_000",
            "null",
            "~",
            "",
            " ",
            "a: b",
            "# c",
            "- d",
            "2001-01-01",
            "a\nb",
            "a\nb\n",
            "\ta",
            "'",
            "\"",
            "\u{85}",
            "é\u{2028}",
            "%",
            "&a",
            "*a",
            "!a",
            "{a}",
            "[a]",
            "|",
            ">",
            "12:30:45",
            ".inf",
            ".nan",
            "=",
            "<<",
            "a\n\n\n",
            " lead",
            "trail ",
            "\r\n",
            "---",
            "...",
            "\u{feff}x",
        ];
        let long = "long word ".repeat(40);
        for text in texts.iter().copied().chain([long.as_str()]) {
            let object = json!({"value": text, "list": [text, [text]]});
            let written = print(Format::Yaml, &[Printed { comments: Vec::new(), object: object.clone() }]).unwrap();
            let read = documents::parse::documents("a.yaml", written.as_bytes()).unwrap();
            assert_eq!(read[0].value, object, "{written}");
            assert_eq!(read[0].legacy, None, "{written}");
        }
    }

    #[test]
    fn when_a_comment_has_line_breaks_then_it_stays_a_comment() {
        let comments = vec!["a\nkind: Secret".to_owned()];
        let written = print(Format::Yaml, &[Printed { comments, object: json!({"a": 1}) }]).unwrap();
        assert_eq!(written, "---\n# a kind: Secret\na: 1\n");
    }
}
