//! Tags of ECS resources.

use crate::violation::Violation;

/// Most tags of one resource.
pub const MOST_TAGS: usize = 50;
const MOST_KEY: usize = 128;
const MOST_VALUE: usize = 256;

/// Every rule that the tags of one resource break. `path` is where the list stands, for example `tags`.
///
/// At most 50 tags; a key has 1 to 128 characters and is there once; a value has at most 256. Letters, digits, blanks
/// and `_ . : / = + - @` are allowed. Keys and values may not start with `aws:` in any case.
pub fn check_tags<'a>(path: &str, tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<Violation> {
    let tags: Vec<(&str, &str)> = tags.into_iter().collect();
    let mut violations = Vec::new();
    if tags.len() > MOST_TAGS {
        violations.push(Violation::new(path, format!("at most {MOST_TAGS} tags, not {}", tags.len())));
    }
    let mut seen = std::collections::BTreeSet::new();
    for (index, (key, value)) in tags.into_iter().enumerate() {
        let key_path = format!("{path}[{index}].key");
        if let Some(message) = broken_rule(key, 1, MOST_KEY) {
            violations.push(Violation::new(&key_path, message));
        }
        if !seen.insert(key) {
            violations.push(Violation::new(&key_path, format!("the key {key:?} is there more than once")));
        }
        if let Some(message) = broken_rule(value, 0, MOST_VALUE) {
            violations.push(Violation::new(format!("{path}[{index}].value"), message));
        }
    }
    violations
}

fn broken_rule(text: &str, least: usize, most: usize) -> Option<String> {
    let length = text.chars().count();
    if !(least..=most).contains(&length) {
        return Some(format!("{least} to {most} characters, not {length}"));
    }
    if text.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:")) {
        return Some("the prefix aws: is reserved".to_owned());
    }
    let illegal = text.chars().find(|&c| !is_tag_character(c))?;
    Some(format!("{illegal:?} is not allowed: letters, digits, blanks and _ . : / = + - @ are"))
}

fn is_tag_character(c: char) -> bool {
    let blank = c.is_whitespace() && !c.is_control();
    c.is_alphanumeric() || blank || matches!(c, '_' | '.' | ':' | '/' | '=' | '+' | '-' | '@')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(tags: &[(&str, &str)]) -> Vec<String> {
        check_tags("tags", tags.iter().copied()).into_iter().map(|violation| violation.path).collect()
    }

    #[test]
    fn when_tags_are_within_the_limits_then_nothing_is_refused() {
        let (key, value) = ("k".repeat(128), "v".repeat(256));
        assert_eq!(
            paths(&[(&key, &value), ("Größe é 1", ""), ("a:b/c=d+e-f@g_h.i", "x y"), ("myaws:x", "y")]),
            [""; 0]
        );
    }

    #[test]
    fn when_lengths_count_then_they_are_characters_and_not_bytes() {
        assert_eq!(paths(&[(&"é".repeat(128), &"é".repeat(256))]), [""; 0]);
        assert_eq!(paths(&[(&"é".repeat(129), &"é".repeat(257))]), ["tags[0].key", "tags[0].value"]);
    }

    #[test]
    fn when_a_key_is_empty_reserved_doubled_or_has_another_character_then_its_path_is_named() {
        assert_eq!(paths(&[("", "")]), ["tags[0].key"]);
        assert_eq!(paths(&[("ok", ""), ("AwS:x", "")]), ["tags[1].key"]);
        assert_eq!(paths(&[("ok", "aws:x")]), ["tags[0].value"]);
        assert_eq!(paths(&[("a", "1"), ("a", "2")]), ["tags[1].key"]);
        assert_eq!(paths(&[("a,b", "1;2")]), ["tags[0].key", "tags[0].value"]);
        assert_eq!(paths(&[("a\nb", "\u{7}")]), ["tags[0].key", "tags[0].value"]);
    }

    #[test]
    fn when_there_are_more_than_fifty_then_the_list_is_named() {
        let keys: Vec<String> = (0..51).map(|number| format!("k{number}")).collect();
        let tags: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "")).collect();
        assert_eq!(paths(&tags), ["tags"]);
        assert_eq!(paths(&tags[..50]), [""; 0]);
    }
}
