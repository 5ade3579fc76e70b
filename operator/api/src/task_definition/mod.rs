//! See the kind of the same name.
