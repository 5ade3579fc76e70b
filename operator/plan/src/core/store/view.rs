//! Typed values of an object that plans read, decoded once for each version of it.
//!
//! A copy of an object never changes, so what is read of it does not either. The first plan that asks decodes, all later
//! ones share; the runtime asks when an event arrives, outside of the store's lock ([`crate::views::prepare`]).

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::{DecodeError, Stored};

/// What plans read of an object of some kind.
pub trait View: Any + Send + Sync + Sized {
    /// Decodes the view.
    ///
    /// # Errors
    /// [`DecodeError`] when the object does not have the form of its kind.
    fn read(stored: &Stored) -> Result<Self, DecodeError>;
}

/// The views of one copy of an object that were asked for so far: one or two.
#[derive(Default)]
pub(crate) struct Views(Mutex<Vec<(TypeId, Arc<dyn Any + Send + Sync>)>>);

impl Views {
    /// The view, decoded by `stored` if this is the first time. A failure is kept as well.
    pub(crate) fn get<V: View>(&self, stored: &Stored) -> Result<Arc<V>, DecodeError> {
        if let Some(known) = self.known::<V>() {
            return known;
        }
        // Not under the lock: a view may ask for another one. Two plans that decode at once come to the same.
        let read = V::read(stored).map(Arc::new);
        let mut views = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        views.retain(|(id, _)| *id != TypeId::of::<V>());
        views.push((TypeId::of::<V>(), Arc::new(read.clone())));
        views.shrink_to_fit();
        read
    }

    fn known<V: View>(&self) -> Option<Result<Arc<V>, DecodeError>> {
        let views = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, view) = views.iter().find(|(id, _)| *id == TypeId::of::<V>())?;
        view.downcast_ref::<Result<Arc<V>, DecodeError>>().cloned()
    }
}

/// Views follow from the object: another copy decodes its own.
impl Clone for Views {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Views {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Views {}

impl fmt::Debug for Views {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Views")
    }
}
