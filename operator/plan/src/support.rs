//! The registry of every input field and how it acts.
