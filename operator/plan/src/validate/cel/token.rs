//! Words of a rule.

use super::CelError;

/// One word, with the byte at which it starts.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Name(String),
    Integer(i64),
    Double(f64),
    Text(String),
    /// Operators and punctuation.
    Sign(&'static str),
}

/// Longer signs first, so that `<=` is not read as `<` and `=`.
#[rustfmt::skip]
const SIGNS: &[&str] = &[
    ".?", "&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "+", "-", "*", "/", "%", "?", ":", ".", ",", "(", ")", "[", "]",
];

pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, CelError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let start = at;
        let first = rest.chars().next().unwrap_or_default();
        let (length, token) = if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        } else if first.is_ascii_alphabetic() || first == '_' {
            let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            let name = rest.get(..length).unwrap_or_default();
            if name == "r" && rest.get(1..).is_some_and(|after| after.starts_with(['\'', '"'])) {
                let (inner, content) =
                    quoted(rest.get(1..).unwrap_or_default(), true).ok_or(CelError::Syntax(start))?;
                (inner + 1, Token::Text(content))
            } else {
                (length, Token::Name(name.to_owned()))
            }
        } else if first.is_ascii_digit() {
            number(rest).ok_or(CelError::Syntax(start))?
        } else if first == '\'' || first == '"' {
            let (length, content) = quoted(rest, false).ok_or(CelError::Syntax(start))?;
            (length, Token::Text(content))
        } else {
            let sign = SIGNS.iter().copied().find(|sign| rest.starts_with(sign)).ok_or(CelError::Syntax(start))?;
            (sign.len(), Token::Sign(sign))
        };
        tokens.push((start, token));
        at = start + length;
    }
    Ok(tokens)
}

fn number(rest: &str) -> Option<(usize, Token)> {
    let length = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    let digits = rest.get(..length)?;
    // `list[0].name` is an index and a member, not a fraction.
    let digits = digits.strip_suffix('.').unwrap_or(digits);
    if digits.contains('.') {
        Some((digits.len(), Token::Double(digits.parse().ok()?)))
    } else {
        Some((digits.len(), Token::Integer(digits.parse().ok()?)))
    }
}

/// A string in quotation marks: its length with them, and what it says.
fn quoted(rest: &str, is_raw: bool) -> Option<(usize, String)> {
    let mut characters = rest.char_indices();
    let (_, mark) = characters.next()?;
    let mut content = String::new();
    while let Some((position, c)) = characters.next() {
        match c {
            c if c == mark => return Some((position + c.len_utf8(), content)),
            '\\' if !is_raw => match characters.next()?.1 {
                'n' => content.push('\n'),
                't' => content.push('\t'),
                'r' => content.push('\r'),
                escaped @ ('\\' | '\'' | '"' | '`' | '?') => content.push(escaped),
                _ => return None,
            },
            c => content.push(c),
        }
    }
    None
}
