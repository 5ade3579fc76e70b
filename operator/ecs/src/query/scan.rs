//! Characters of an expression: blanks, words, symbols, values.

use super::QueryError;

/// A place in a text.
pub(super) struct Scanner {
    characters: Vec<char>,
    next: usize,
}

impl Scanner {
    pub(super) fn new(text: &str) -> Self {
        Self { characters: text.chars().collect(), next: 0 }
    }

    /// The column of the next character, from 1.
    pub(super) const fn column(&self) -> usize {
        self.next + 1
    }

    pub(super) fn error(&self, message: impl Into<String>) -> QueryError {
        QueryError { column: self.column(), message: message.into() }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.peek_at(0)
    }

    fn peek_at(&self, offset: usize) -> Option<char> {
        self.characters.get(self.next + offset).copied()
    }

    pub(super) fn skip_blanks(&mut self) {
        self.take_while(char::is_whitespace);
    }

    /// Takes `symbol` if it comes next, as it is written.
    pub(super) fn symbol(&mut self, symbol: &str) -> bool {
        let is_next = symbol.chars().enumerate().all(|(offset, wanted)| self.peek_at(offset) == Some(wanted));
        if is_next {
            self.next += symbol.chars().count();
        }
        is_next
    }

    /// Takes `word` if it comes next, in any case, and ends there.
    pub(super) fn word(&mut self, word: &str) -> bool {
        let length = word.chars().count();
        let is_next = word
            .chars()
            .enumerate()
            .all(|(offset, wanted)| self.peek_at(offset).is_some_and(|found| found.eq_ignore_ascii_case(&wanted)));
        let ends = self.peek_at(length).is_none_or(|after| !is_word(after));
        if is_next && ends {
            self.next += length;
        }
        is_next && ends
    }

    /// Takes what can be in a subject: a name, perhaps behind `attribute:`.
    pub(super) fn subject(&mut self) -> String {
        self.take_while(|c| is_word(c) || matches!(c, ':' | '.' | '/' | '\\' | '-' | '@'))
    }

    /// Takes a value: in quotes anything up to the closing one, without them up to a blank, comma, bracket or parenthesis.
    pub(super) fn value(&mut self) -> Result<String, QueryError> {
        self.quoted().unwrap_or_else(|| {
            let mut value = String::new();
            while let Some(c) = self.peek() {
                let is_connective = ['&', '|'].contains(&c) && self.peek_at(1) == Some(c);
                if c.is_whitespace() || matches!(c, ',' | '[' | ']' | '(' | ')') || is_connective {
                    break;
                }
                value.push(c);
                self.next += 1;
            }
            if value.is_empty() { Err(self.error("a value is missing")) } else { Ok(value) }
        })
    }

    /// Takes a regular expression: as a value, except that brackets and balanced parentheses belong to it.
    pub(super) fn pattern(&mut self) -> Result<String, QueryError> {
        self.quoted().unwrap_or_else(|| {
            let (mut pattern, mut depth) = (String::new(), 0_usize);
            while let Some(c) = self.peek() {
                match c {
                    '(' => depth += 1,
                    ')' if depth == 0 => break,
                    ')' => depth -= 1,
                    c if c.is_whitespace() => break,
                    _ => {}
                }
                pattern.push(c);
                self.next += 1;
            }
            if pattern.is_empty() { Err(self.error("a regular expression is missing")) } else { Ok(pattern) }
        })
    }

    fn quoted(&mut self) -> Option<Result<String, QueryError>> {
        let quote = self.peek().filter(|c| ['"', '\''].contains(c))?;
        let opening = self.column();
        self.next += 1;
        let value = self.take_while(|c| c != quote);
        Some(if self.peek() == Some(quote) {
            self.next += 1;
            Ok(value)
        } else {
            Err(QueryError { column: opening, message: "the quote is not closed".to_owned() })
        })
    }

    fn take_while(&mut self, accepts: impl Fn(char) -> bool) -> String {
        let rest = self.characters.get(self.next..).unwrap_or_default();
        let taken: String = rest.iter().take_while(|c| accepts(**c)).collect();
        self.next += taken.chars().count();
        taken
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
