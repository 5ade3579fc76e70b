//! Where an input came from, and text of it on one line.

use std::fmt;

/// A document in a file: `web.yaml#2`, and `services.json#1[0]` for an item of a list in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// Path as the user gave it, or `-` for standard input.
    pub file: String,
    /// Number of the document in the file, from 1. Empty documents do not count.
    pub index: usize,
    /// Position in each list on the way to the document, from 0.
    pub items: Vec<usize>,
}

impl Origin {
    /// A whole document.
    #[must_use]
    pub fn document(file: &str, index: usize) -> Self {
        Self { file: file.to_owned(), index, items: Vec::new() }
    }

    /// An item of a list in this document.
    #[must_use]
    pub fn item(&self, number: usize) -> Self {
        let mut items = self.items.clone();
        items.push(number);
        Self { items, ..self.clone() }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}#{}", line(&self.file), self.index)?;
        self.items.iter().try_for_each(|number| write!(formatter, "[{number}]"))
    }
}

/// One line without control characters: what a document says cannot forge a line of output or move the cursor.
#[must_use]
pub fn line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{85}') { ' ' } else { c })
        .collect::<String>()
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_document_is_in_lists_then_its_origin_names_each_position() {
        let origin = Origin::document("a.json", 2).item(0).item(3);
        assert_eq!(origin.to_string(), "a.json#2[0][3]");
    }

    #[test]
    fn when_a_text_has_line_breaks_then_it_stays_one_line() {
        assert_eq!(line("a\n# b\u{2028}c\u{1b}[31m\r\n"), "a # b c [31m");
    }
}
