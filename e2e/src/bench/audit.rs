//! Requests counted by kind.

use std::collections::BTreeMap;

pub use crate::scenario::audit::{Mark, Request};

/// How often each kind of request was made: `patch ecsservices/status`, with the code when it failed.
#[must_use]
pub fn count<'a>(requests: impl IntoIterator<Item = &'a Request>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for request in requests {
        let code = if request.succeeded() { String::new() } else { format!(" ({})", request.code()) };
        *counts.entry(request.kind() + &code).or_insert(0) += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_watch_was_opened_and_closed_then_it_counts_once() {
        let log = std::env::temp_dir().join(format!("ecs-operator-bench-audit-{}.log", std::process::id()));
        let line = |verb: &str, stage: &str, code: u16| {
            format!(
                r#"{{"verb":"{verb}","stage":"{stage}","user":{{"username":"us"}},"objectRef":{{"resource":"pods"}},"responseStatus":{{"code":{code}}},"requestReceivedTimestamp":"2125-01-01T00:00:00.000001Z"}}"#
            ) + "\n"
        };
        std::fs::write(&log, "").unwrap();
        let mark = Mark::now(&log).unwrap();
        let text = [
            line("watch", "ResponseStarted", 200),
            line("watch", "ResponseComplete", 200),
            line("patch", "ResponseComplete", 200),
            line("create", "ResponseComplete", 409),
        ];
        std::fs::write(&log, text.concat()).unwrap();
        let expected = [("create pods (409)", 1), ("patch pods", 1), ("watch pods", 1)];
        let expected: BTreeMap<_, _> = expected.into_iter().map(|(line, count)| (line.to_owned(), count)).collect();
        assert_eq!(count(&mark.requests("us").unwrap()), expected);
        std::fs::remove_file(log).unwrap();
    }
}
