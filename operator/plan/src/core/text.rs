//! Text of users and of others inside messages: printable, one line, short. It can neither break a log line nor fill an event.

/// Longest piece of user input that a message repeats, in characters.
const LONGEST: usize = 128;

/// Longest message, in characters.
const LONGEST_MESSAGE: usize = 512;

/// The text without control characters and bidirectional overrides, cut after 128 characters.
pub(crate) fn printable(text: &str) -> String {
    cut(text, LONGEST)
}

/// A whole message, which may repeat user input: as [`printable`], cut after 512 characters.
pub(crate) fn line(message: &str) -> String {
    cut(message, LONGEST_MESSAGE)
}

fn cut(text: &str, longest: usize) -> String {
    let mut clean: String = text.chars().take(longest).map(|c| if is_printable(c) { c } else { '\u{fffd}' }).collect();
    if text.chars().nth(longest).is_some() {
        clean.push('…');
    }
    clean
}

/// The text as [`printable`], in quotation marks.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", printable(text))
}

/// The text in its whole length, on one line, with every character replaced that is not printable.
pub(crate) fn clean(text: &str) -> String {
    let replace = |c: char| if c.is_control() { ' ' } else { '\u{fffd}' };
    text.chars().map(|c| if is_printable(c) { c } else { replace(c) }).collect()
}

/// U+2028 and U+2029 end lines; U+061C, U+200E, U+200F, U+202A to U+202E and U+2066 to U+2069 turn the direction of what
/// follows.
fn is_printable(c: char) -> bool {
    const TURNS: [char; 3] = ['\u{61c}', '\u{200e}', '\u{200f}'];
    !c.is_control() && !TURNS.contains(&c) && !matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_text_has_line_ends_escapes_or_overrides_then_they_are_replaced() {
        assert_eq!(printable("a\nb\r\u{1b}[31mc\u{202e}d\u{2028}e\0"), "a�b��[31mc�d�e�");
        assert_eq!(clean("a\u{200f}b\nc"), "a�b c");
    }

    #[test]
    fn when_text_is_long_then_it_is_cut_between_characters() {
        assert_eq!(quoted(&"ä".repeat(200)), format!("\"{}…\"", "ä".repeat(128)));
        assert_eq!(quoted(&"ä".repeat(128)), format!("\"{}\"", "ä".repeat(128)));
    }
}
