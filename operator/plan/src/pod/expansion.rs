//! Commands, arguments and environment values: keeping the kubelet from changing them.

/// Escapes `text` so that the kubelet passes it to the process unchanged.
///
/// ECS hands arguments and environment values over verbatim; the kubelet replaces `$(NAME)` in them and reads `$$` as
/// an escaped `$`. Only what the kubelet would change is escaped, so that manifests stay readable:
///
/// | text | escaped | why |
/// |---|---|---|
/// | `$HOME` | `$HOME` | not a reference for the kubelet |
/// | `$(HOME)` | `$$(HOME)` | would be replaced |
/// | `echo $$` | `echo $$$$` | two become one |
/// | `$$(HOME)` | `$$$$(HOME)` | two become one, and then a bracket |
/// | `$é` | `$$é` | the kubelet copies one byte behind `$`, which breaks a character of several bytes |
pub(super) fn escape_expansion(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 4);
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        let (before, from_dollar) = rest.split_at(start);
        let after = from_dollar.trim_start_matches('$');
        let run = from_dollar.len() - after.len();
        let harmless = run == 1 && after.chars().next().is_none_or(|next| next.is_ascii() && next != '(');
        escaped.push_str(before);
        escaped.extend(std::iter::repeat_n('$', if harmless { 1 } else { 2 * run }));
        rest = after;
    }
    escaped.push_str(rest);
    escaped
}

#[cfg(test)]
#[path = "expansion_tests.rs"]
mod tests;
