//! Names: what ECS allows, and how an ECS name becomes a legal name on Kubernetes without ever meeting another one.
//!
//! ECS names have up to 255 characters and know capitals and `_`; Kubernetes names have 63 and know neither. A name
//! that is legal as it stands is kept. Any other name is cleaned and gets a hash of the original, so that `My_App`
//! and `my-app` stay two names:
//!
//! | original | `dns_label(…, 63)` |
//! |---|---|
//! | `my-app` | `my-app` |
//! | `My_App` | `my-app-` + 8 hex digits of the hash of `My_App` |
//! | `my_app` | `my-app-` + 8 hex digits of the hash of `my_app` |
//!
//! A legal name that merely *looks* like a cleaned one (it ends in `-` and 8 hex digits) is hashed as well. Otherwise
//! somebody could give an object the very name that `My_App` becomes.

use crate::hash::hex;

/// Length of the hash at the end of a cleaned name.
const GUARD: usize = 8;

/// Turns `original` into a DNS-1123 label of at most `max` characters.
///
/// The result is lower case letters, digits and inner `-`, never empty, and the same for the same input. It equals
/// `original` when that is already legal, short enough and does not look like a cleaned name.
/// With `max` below 10 there is no room for more than the hash itself.
pub fn dns_label(original: &str, max: usize) -> String {
    let cleaned = clean(original);
    if cleaned == original && is_plain(original, max) {
        return cleaned;
    }
    guarded(&cleaned, '-', &hex(original, GUARD), max)
}

/// Turns `original` into a DNS-1035 label of at most `max` characters: as [`dns_label`], and the first character is a
/// letter, as names of Services need it. `1-api` becomes `n1-api-` and the hash.
pub fn dns_1035_label(original: &str, max: usize) -> String {
    let cleaned = clean(original);
    if starts_with_letter(&cleaned) {
        return if cleaned == original && is_plain(original, max) {
            cleaned
        } else {
            guarded(&cleaned, '-', &hex(original, GUARD), max)
        };
    }
    guarded(&format!("n{cleaned}"), '-', &hex(original, GUARD), max)
}

/// The name of a child object: `<root>-<suffix>`, at most `max` characters.
///
/// Two different pairs never give the same name: `api` with `fargate-spot` and `api-fargate` with `spot` would both
/// read `api-fargate-spot`, so a suffix that has a `-` itself, or that looks like a hash, is followed by a hash of the
/// pair. Roots that are no DNS label and names that are too long get the same hash.
pub fn child_name(root: &str, suffix: &str, max: usize) -> String {
    let joined = if suffix.is_empty() { clean(root) } else { clean(&format!("{root}-{suffix}")) };
    let unambiguous = !suffix.is_empty()
        && !suffix.contains('-')
        && !is_guard(suffix)
        && !root.is_empty()
        && clean(root) == root
        && joined.len() == root.len() + 1 + suffix.len()
        && joined == format!("{root}-{suffix}")
        && joined.len() <= max;
    if unambiguous {
        return joined;
    }
    guarded(&joined, '-', &hex(&format!("{root}\0{suffix}"), GUARD), max)
}

/// Turns `original` into a name for a container port: at most 15 characters, lower case letters, digits and single
/// inner `-`, with at least one letter. `http` stays; `web_admin_backend` becomes `web-ad-` and the hash.
pub fn port_name(original: &str) -> String {
    const MAX: usize = 15;
    let mut cleaned = clean(original);
    while cleaned.contains("--") {
        cleaned = cleaned.replace("--", "-");
    }
    let has_letter = cleaned.bytes().any(|byte| byte.is_ascii_lowercase());
    if cleaned == original && has_letter && is_plain(original, MAX) {
        return cleaned;
    }
    let base = if has_letter && starts_with_letter(&cleaned) { cleaned } else { format!("p{cleaned}") };
    guarded(&base, '-', &hex(original, GUARD), MAX)
}

/// Turns `original` into a label value: at most 63 of `[A-Za-z0-9._-]`, first and last a letter or digit.
///
/// A legal value stays as it is, also an empty one. Any other is cleaned and followed by `.` and a hash; so is a
/// legal value that already ends in `.` and 8 hex digits.
pub fn label_value(original: &str) -> String {
    const MAX: usize = 63;
    let cleaned: String = original.chars().map(|c| if is_label_character(c) { c } else { '-' }).collect();
    let cleaned = cleaned.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    if cleaned == original && original.len() <= MAX && !looks_guarded(original, '.') {
        return original.to_owned();
    }
    guarded(cleaned, '.', &hex(original, GUARD), MAX)
}

/// Ten hex digits of the SHA-256 of `text`: enough to tell the parameter sets of one namespace apart.
pub fn short_hash(text: &str) -> String {
    hex(text, 10)
}

/// Whether ECS accepts `name` for a cluster, service, family, container, volume or capacity provider: 1 to 255
/// letters, digits, `_` and `-`.
pub fn is_ecs_name(name: &str) -> bool {
    (1..=255).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Lower case, everything that is not a letter or digit becomes `-`, no `-` at either end.
fn clean(original: &str) -> String {
    let lower: String = original
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
        .collect();
    lower.trim_matches('-').to_owned()
}

/// Whether a cleaned name may stand without a hash.
fn is_plain(cleaned: &str, max: usize) -> bool {
    !cleaned.is_empty() && cleaned.len() <= max && !looks_guarded(cleaned, '-')
}

/// Whether `text` has a form that only [`guarded`] may produce.
fn looks_guarded(text: &str, separator: char) -> bool {
    let behind_a_base = text.rsplit_once(separator).is_some_and(|(_, tail)| is_guard(tail));
    behind_a_base || text.strip_prefix('n').is_some_and(is_guard)
}

fn is_guard(text: &str) -> bool {
    text.len() == GUARD && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn is_label_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

fn starts_with_letter(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
}

/// `base`, cut so that `separator` and `hash` fit behind it. Both parts are ASCII.
fn guarded(base: &str, separator: char, hash: &str, max: usize) -> String {
    let room = max.saturating_sub(hash.len() + 1);
    let cut: String = base.chars().take(room).collect();
    let cut = cut.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    if cut.is_empty() {
        // A hash may start with a digit, which a DNS-1035 label may not: lead with a letter where there is room.
        let lead: String = format!("n{hash}");
        return lead.chars().take(max.max(1)).collect();
    }
    format!("{cut}{separator}{hash}")
}

#[cfg(test)]
#[path = "name_tests.rs"]
mod tests;
