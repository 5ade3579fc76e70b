//! How much of what is past is kept for going back to.

/// Bytes of one history, as JSON: a hundred ordinary documents of 20 KB. A family or service of the largest documents keeps
/// fewer of them instead of filling the memory of the API server and of everybody who watches.
pub const MOST_BYTES: usize = 2 * 1024 * 1024;

/// How many of the newest are kept, of a history with these sizes from the newest to the oldest: at most `most`, and as
/// many as [`MOST_BYTES`] have room for.
#[must_use]
pub fn kept(most: usize, sizes: impl IntoIterator<Item = usize>) -> usize {
    let mut total = 0_usize;
    let fits = |size: &usize| {
        total = total.saturating_add(*size);
        total <= MOST_BYTES
    };
    sizes.into_iter().take(most).take_while(fits).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_history_is_counted_then_both_bounds_hold() {
        for (most, sizes, expected) in [
            (100, vec![], 0),
            (2, vec![1, 1, 1], 2),
            (10, vec![MOST_BYTES, 1], 1),
            (10, vec![MOST_BYTES / 2, MOST_BYTES / 2, 1], 2),
            (10, vec![1, MOST_BYTES, 1], 1),
            (10, vec![MOST_BYTES + 1], 0),
            (100, vec![20_000; 200], 100),
            (10_000, vec![262_144; 200], 8),
        ] {
            assert_eq!(kept(most, sizes.clone()), expected, "{most} of {}", sizes.len());
        }
    }
}
