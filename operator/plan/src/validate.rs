//! Validation without the API server's help.
