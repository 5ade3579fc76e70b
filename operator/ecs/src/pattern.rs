//! Patterns of administrators: names in which `*` stands for any characters.

/// Whether `text` is what `pattern` says: `*` stands for any characters, none included, everything else for itself.
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part).and_then(|at| rest.get(at + part.len()..)) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn when_a_pattern_is_compared_then_only_stars_are_special() {
        for (pattern, text, is_match) in [
            ("*", "", true),
            ("arn:aws:iam::1:role/app-*", "arn:aws:iam::1:role/app-web", true),
            ("arn:aws:iam::1:role/app-*", "arn:aws:iam::2:role/app-web", false),
            ("arn:aws:iam::*:role/app", "arn:aws:iam::12:role/app", true),
            ("app", "app2", false),
            ("a*a", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, text), is_match, "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn a_pattern_of_one_star_and_the_text_itself_match_everything(text in "[a-z0-9./*-]{0,20}") {
            prop_assert!(matches("*", &text));
            prop_assert!(matches(&text, &text));
        }
    }
}
