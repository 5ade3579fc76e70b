//! A sorted set whose copies cost nothing: they share what they have in common.
//!
//! It is a list of sorted chunks. A copy shares the list and all chunks; the first change after it copies the list (one
//! pointer for each chunk) and the chunk that it touches. A set of which there is no copy is changed in place.

use std::cmp::Ordering;
use std::sync::Arc;

/// Items of a full chunk. With a million items a change after a copy moves about 8,000 pointers and 256 items.
const MOST: usize = 256;

/// See the module.
#[derive(Debug)]
pub struct SharedSet<T> {
    /// None is empty.
    chunks: Arc<Vec<Arc<Vec<T>>>>,
    len: usize,
}

impl<T> Clone for SharedSet<T> {
    fn clone(&self) -> Self {
        Self { chunks: Arc::clone(&self.chunks), len: self.len }
    }
}

impl<T> Default for SharedSet<T> {
    fn default() -> Self {
        Self { chunks: Arc::default(), len: 0 }
    }
}

/// Compares an item with what is looked for: `Less` where the item comes before it.
pub trait Find<T>: Fn(&T) -> Ordering {}
impl<T, F: Fn(&T) -> Ordering> Find<T> for F {}

impl<T> SharedSet<T> {
    /// How many items there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The item that is equal.
    pub fn get(&self, find: impl Find<T>) -> Option<&T> {
        let chunk = self.chunks.get(self.chunk(&find))?;
        chunk.get(chunk.binary_search_by(find).ok()?)
    }

    /// All items that do not come before what is looked for, in order.
    pub fn from(&self, find: impl Find<T>) -> impl Iterator<Item = &T> {
        let at = self.chunk(&find);
        let (first, rest) = match self.chunks.get(at..) {
            Some([first, rest @ ..]) => (first.as_slice(), rest),
            _ => (Default::default(), Default::default()),
        };
        let before = first.partition_point(|item| find(item) == Ordering::Less);
        first.iter().skip(before).chain(rest.iter().flat_map(|chunk| chunk.iter()))
    }

    /// The last item that comes before what is looked for.
    pub fn last_before(&self, find: impl Find<T>) -> Option<&T> {
        // Of the chunks, only the last one that begins before can have it.
        let at = self.chunks.partition_point(|chunk| chunk.first().is_some_and(|first| find(first) == Ordering::Less));
        let chunk = self.chunks.get(at.checked_sub(1)?)?;
        chunk.get(chunk.partition_point(|item| find(item) == Ordering::Less).checked_sub(1)?)
    }

    /// All items in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// The first chunk that does not end before what is looked for.
    fn chunk(&self, find: &impl Find<T>) -> usize {
        self.chunks.partition_point(|chunk| chunk.last().is_some_and(|last| find(last) == Ordering::Less))
    }
}

impl<T: Clone> SharedSet<T> {
    /// Takes an item in; `find` compares with it. Returns the equal one that it replaces.
    pub fn insert(&mut self, item: T, find: impl Find<T>) -> Option<T> {
        let at = self.chunk(&find).min(self.chunks.len().saturating_sub(1));
        let chunks = Arc::make_mut(&mut self.chunks);
        let Some(chunk) = chunks.get_mut(at) else {
            chunks.push(Arc::new(vec![item]));
            self.len += 1;
            return None;
        };
        let chunk = Arc::make_mut(chunk);
        match chunk.binary_search_by(find) {
            Ok(place) => chunk.get_mut(place).map(|old| std::mem::replace(old, item)),
            Err(place) => {
                chunk.insert(place, item);
                self.len += 1;
                if chunk.len() > MOST {
                    let upper = chunk.split_off(MOST / 2);
                    chunks.insert(at + 1, Arc::new(upper));
                }
                None
            }
        }
    }

    /// Takes the equal item out.
    pub fn remove(&mut self, find: impl Find<T>) -> Option<T> {
        let at = self.chunk(&find);
        let place = self.chunks.get(at)?.binary_search_by(find).ok()?;
        let chunks = Arc::make_mut(&mut self.chunks);
        let chunk = Arc::make_mut(chunks.get_mut(at)?);
        let item = chunk.remove(place);
        self.len -= 1;
        if chunk.is_empty() {
            chunks.remove(at);
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn by(wanted: u16) -> impl Find<u16> {
        move |item: &u16| item.cmp(&wanted)
    }

    fn items(set: &SharedSet<u16>) -> Vec<u16> {
        set.iter().copied().collect()
    }

    proptest! {
        /// Whatever is put in and taken out: the set has what an ordinary one has, and a copy what it had when it was made.
        #[test]
        fn a_set_is_as_an_ordinary_one_and_copies_never_change(
            steps in proptest::collection::vec((any::<bool>(), 0_u16..2_000), 0..3_000),
            copy_at in 0_usize..3_000,
            looked_for in 0_u16..2_000,
        ) {
            let (mut set, mut model) = (SharedSet::default(), BTreeSet::new());
            let mut copy = None;
            for (number, (is_added, item)) in steps.into_iter().enumerate() {
                if number == copy_at {
                    copy = Some((set.clone(), items(&set)));
                }
                if is_added {
                    prop_assert_eq!(set.insert(item, by(item)).is_none(), model.insert(item));
                } else {
                    prop_assert_eq!(set.remove(by(item)).is_some(), model.remove(&item));
                }
            }
            prop_assert_eq!(items(&set), model.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(set.len(), model.len());
            prop_assert_eq!(set.get(by(looked_for)).copied(), model.get(&looked_for).copied());
            prop_assert_eq!(set.from(by(looked_for)).next(), model.range(looked_for..).next());
            prop_assert_eq!(set.from(by(looked_for)).count(), model.range(looked_for..).count());
            prop_assert_eq!(set.last_before(by(looked_for)), model.range(..looked_for).next_back());
            if let Some((copy, before)) = copy {
                prop_assert_eq!(items(&copy), before);
            }
        }
    }

    #[test]
    fn when_a_copy_was_made_then_a_change_copies_one_chunk_and_shares_the_others() {
        let mut set = SharedSet::default();
        for item in 0..2_000 {
            set.insert(item, by(item));
        }
        let copy = set.clone();
        set.insert(5_000, by(5_000));
        let shared = set.chunks.iter().zip(copy.chunks.iter()).filter(|(one, other)| Arc::ptr_eq(one, other)).count();
        assert_eq!(shared, set.chunks.len() - 1);
    }
}
