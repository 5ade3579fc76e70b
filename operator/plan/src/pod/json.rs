//! Small helpers for building objects that leave out what says nothing.

use serde_json::{Map, Value};

/// Adds members to an object; absent, empty and `false` values are left out, so that a Pod stays readable.
pub(super) trait Members {
    /// Adds `name`, whatever the value.
    fn put(&mut self, name: &str, value: impl Into<Value>);
    /// Adds `name` if there is a value.
    fn put_some(&mut self, name: &str, value: Option<impl Into<Value>>);
    /// Adds `name: true` if it is so.
    fn put_true(&mut self, name: &str, value: bool);
    /// Adds a list that is not empty.
    fn put_list(&mut self, name: &str, list: Vec<Value>);
    /// Adds an object that is not empty.
    fn put_map(&mut self, name: &str, map: Map<String, Value>);
}

impl Members for Map<String, Value> {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.insert(name.to_owned(), value.into());
    }

    fn put_some(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    fn put_true(&mut self, name: &str, value: bool) {
        if value {
            self.put(name, true);
        }
    }

    fn put_list(&mut self, name: &str, list: Vec<Value>) {
        if !list.is_empty() {
            self.put(name, list);
        }
    }

    fn put_map(&mut self, name: &str, map: Map<String, Value>) {
        if !map.is_empty() {
            self.put(name, map);
        }
    }
}
