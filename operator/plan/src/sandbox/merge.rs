//! Server-side apply, as far as the bodies of plans need it.
//!
//! Mappings are merged. Owner references are a list by uid, to which several owners of a shared object add. Any other list
//! belongs as a whole to who applied it.

use serde_json::Value;

const OWNERS: &str = "ownerReferences";

/// Puts in what is applied.
pub fn merge(live: &mut Value, applied: &Value) {
    let (Value::Object(live), Value::Object(applied)) = (&mut *live, applied) else {
        *live = applied.clone();
        return;
    };
    for (name, value) in applied {
        match (live.get_mut(name), value) {
            (Some(Value::Array(owners)), Value::Array(added)) if name == OWNERS => {
                for owner in added {
                    match owners.iter_mut().find(|known| known.get("uid") == owner.get("uid")) {
                        Some(known) => merge(known, owner),
                        None => owners.push(owner.clone()),
                    }
                }
            }
            (Some(known), _) => merge(known, value),
            (None, _) => {
                live.insert(name.clone(), value.clone());
            }
        }
    }
}

/// Removes what a manager applied before and does not apply any more.
pub(super) fn withdraw(live: &mut Value, before: &Value, applied: &Value) {
    let (Some(live), Some(before)) = (live.as_object_mut(), before.as_object()) else { return };
    for (name, old) in before {
        match (applied.get(name), live.get_mut(name), old) {
            (None, _, _) => {
                live.remove(name);
            }
            (Some(new), Some(Value::Array(owners)), Value::Array(old)) if name == OWNERS => {
                let is_in = |list: &[Value], owner: &Value| list.iter().any(|it| it.get("uid") == owner.get("uid"));
                let new = new.as_array().map(Vec::as_slice).unwrap_or_default();
                owners.retain(|owner| !is_in(old, owner) || is_in(new, owner));
            }
            (Some(new), Some(part), old) => withdraw(part, old, new),
            (Some(_), None, _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn when_a_second_owner_applies_a_shared_object_then_both_own_it() {
        let mut live = json!({"metadata": {"name": "a", "ownerReferences": [{"uid": "1"}]}, "list": [1, 2]});
        merge(&mut live, &json!({"metadata": {"ownerReferences": [{"uid": "2"}, {"uid": "1"}]}, "list": [3]}));
        let owners = json!([{"uid": "1"}, {"uid": "2"}]);
        assert_eq!(live, json!({"metadata": {"name": "a", "ownerReferences": owners}, "list": [3]}));
    }

    #[test]
    fn when_a_manager_leaves_something_out_then_only_that_goes() {
        let mut live =
            json!({"labels": {"a": "1", "b": "2", "c": "3"}, "ownerReferences": [{"uid": "1"}, {"uid": "2"}]});
        let before = json!({"labels": {"a": "1", "b": "2"}, "ownerReferences": [{"uid": "1"}]});
        withdraw(&mut live, &before, &json!({"labels": {"a": "1"}, "ownerReferences": []}));
        assert_eq!(live, json!({"labels": {"a": "1", "c": "3"}, "ownerReferences": [{"uid": "2"}]}));
    }
}
