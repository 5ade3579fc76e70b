use proptest::prelude::*;

use super::*;

/// What the kubelet does to a text when no variable of that name exists. `by_byte` is how older releases read
/// the character behind a lone `$`: as one byte, turned into the character with that number.
fn expand(text: &str, by_byte: bool) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        result.push_str(&rest[..start]);
        let after = &rest[start + 1..];
        let Some(next) = after.chars().next() else {
            result.push('$');
            return result;
        };
        rest = match next {
            '$' => {
                result.push('$');
                &after[1..]
            }
            '(' => {
                if let Some(end) = after.find(')') {
                    result.push_str("<value of ");
                    result.push_str(&after[1..end]);
                    result.push('>');
                    &after[end + 1..]
                } else {
                    result.push_str("$(");
                    &after[1..]
                }
            }
            _ if by_byte && !next.is_ascii() => {
                result.push('$');
                result.push(char::from(after.as_bytes()[0]));
                // The remaining bytes are no text any more; what matters is that they differ.
                &after[next.len_utf8()..]
            }
            _ => {
                result.push('$');
                result.push(next);
                &after[next.len_utf8()..]
            }
        };
    }
    result.push_str(rest);
    result
}

#[test]
fn when_the_kubelet_would_change_a_text_then_it_is_escaped_and_otherwise_not() {
    for (text, escaped) in [
        ("", ""),
        ("plain", "plain"),
        ("$", "$"),
        ("$HOME", "$HOME"),
        ("${HOME}", "${HOME}"),
        ("$(HOME)", "$$(HOME)"),
        ("$(", "$$("),
        ("a$(b)c$(d)", "a$$(b)c$$(d)"),
        ("echo $$", "echo $$$$"),
        ("$$(HOME)", "$$$$(HOME)"),
        ("$$$(HOME)", "$$$$$$(HOME)"),
        ("$é", "$$é"),
        ("50 $ (net)", "50 $ (net)"),
        ("$)", "$)"),
    ] {
        assert_eq!(escape_expansion(text), escaped, "{text}");
        assert_eq!(expand(escaped, false), text);
    }
}

#[test]
fn when_nothing_is_escaped_then_the_kubelet_does_change_texts() {
    assert_eq!(expand("$(HOME)", false), "<value of HOME>");
    assert_eq!(expand("echo $$", false), "echo $");
    assert_eq!(expand("$é", true), "$Ã");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_the_text_is_the_process_gets_it_unchanged(text in r"[$()a-cé ]{0,12}") {
        prop_assert_eq!(expand(&escape_expansion(&text), false), text.clone());
        prop_assert_eq!(expand(&escape_expansion(&text), true), text);
    }

    #[test]
    fn any_other_text_comes_back_as_well(text in ".{0,30}") {
        prop_assert_eq!(expand(&escape_expansion(&text), true), text);
    }
}
