//! Removing members by path: `spec.a[0].b`, and by pattern: `a[].b`.

use serde_json::Value;

/// Removes the member at `path`, as [`plan::validate::unknown_fields`] writes paths: member names with dots between them,
/// item numbers in brackets, unprintable characters replaced. A name may itself have dots, so every member whose name
/// fits is tried.
pub(crate) fn remove(value: &mut Value, path: &str) -> bool {
    match value {
        Value::Object(members) => {
            let names: Vec<String> = members.keys().cloned().collect();
            for name in names {
                let written = crate::origin::line(&name);
                let Some(rest) = path.strip_prefix(written.as_str()).or_else(|| path.strip_prefix(name.as_str()))
                else {
                    continue;
                };
                if rest.is_empty() {
                    return members.remove(&name).is_some();
                }
                let inner = rest.strip_prefix('.').or_else(|| rest.starts_with('[').then_some(rest));
                if let (Some(rest), Some(inner)) = (inner, members.get_mut(&name))
                    && remove(inner, rest)
                {
                    return true;
                }
            }
            // Keys of a map stand in brackets.
            let Some((key, rest)) = path.strip_prefix('[').and_then(|path| path.split_once(']')) else { return false };
            let rest = rest.strip_prefix('.').unwrap_or(rest);
            members.get_mut(key).is_some_and(|inner| remove(inner, rest))
        }
        Value::Array(items) => {
            let Some((number, rest)) = path.strip_prefix('[').and_then(|path| path.split_once(']')) else {
                return false;
            };
            let rest = rest.strip_prefix('.').unwrap_or(rest);
            let item = number.parse::<usize>().ok().and_then(|number| items.get_mut(number));
            item.is_some_and(|item| remove(item, rest))
        }
        _ => false,
    }
}

/// Removes every member that fits `pattern`, as the registry of fields writes them: `[]` is every item of a list.
pub(crate) fn remove_pattern(value: &mut Value, pattern: &str) {
    let (head, rest) = pattern.split_once('.').map_or((pattern, None), |(head, rest)| (head, Some(rest)));
    let (name, is_list) = head.strip_suffix("[]").map_or((head, false), |name| (name, true));
    let Some(members) = value.as_object_mut() else { return };
    match rest {
        None => {
            members.remove(name);
        }
        Some(rest) if is_list => {
            for item in members.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten() {
                remove_pattern(item, rest);
            }
        }
        Some(rest) => {
            if let Some(inner) = members.get_mut(name) {
                remove_pattern(inner, rest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn when_a_path_leads_through_lists_and_dotted_names_then_its_member_is_removed() {
        let mut value = json!({"spec": {"a": [{"x": 1}, {"x": 1, "y.z": {"q": 1, "r": 2}}], "a.b": 3}});
        assert!(remove(&mut value, "spec.a[1].y.z.q"));
        assert!(remove(&mut value, "spec.a.b"));
        assert!(!remove(&mut value, "spec.a[7].x"));
        assert_eq!(value, json!({"spec": {"a": [{"x": 1}, {"x": 1, "y.z": {"r": 2}}]}}));
    }

    #[test]
    fn when_a_pattern_has_a_list_then_every_item_loses_the_member() {
        let mut value = json!({"a": [{"b": 1, "c": 2}, {"b": 3}], "d": {"e": 1}});
        remove_pattern(&mut value, "a[].b");
        remove_pattern(&mut value, "d.e");
        remove_pattern(&mut value, "nothing[].here");
        assert_eq!(value, json!({"a": [{"c": 2}, {}], "d": {}}));
    }
}
