//! Everything that a condition can say has its entry on the page about troubleshooting, and nothing else has.
#![allow(clippy::unwrap_used)] // tests report by panicking

use std::collections::BTreeSet;

use api::conditions::{ConditionType, Reason};

fn page() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/troubleshooting.md")).unwrap()
}

/// What stands between `start` and `end` on the lines that begin with `start`.
fn entries<'p>(page: &'p str, start: &str, end: &str) -> BTreeSet<&'p str> {
    page.lines().filter_map(|line| line.strip_prefix(start)?.split_once(end)).map(|(entry, _)| entry).collect()
}

#[test]
fn when_a_reason_can_be_shown_then_the_page_explains_it() {
    let reasons: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(entries(&page(), "### `", "`"), reasons);
}

#[test]
fn when_a_condition_can_be_shown_then_the_page_says_when_to_look_at_it() {
    let conditions: BTreeSet<&str> = ConditionType::ALL.iter().map(|condition| condition.as_str()).collect();
    assert_eq!(entries(&page(), "| `", "` |"), conditions);
}

#[test]
fn when_an_entry_is_read_then_it_says_something() {
    let page = page();
    let sections = page.split("\n### `").skip(1);
    for section in sections {
        let (title, text) = section.split_once('\n').unwrap();
        assert!(text.trim().len() >= "All is well.".len(), "{title}: {text:?}");
    }
}
