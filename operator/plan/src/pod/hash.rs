//! Hashes for names.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// The first `digits` hex digits of the SHA-256 of `text`, at most 64.
pub(super) fn hex(text: &str, digits: usize) -> String {
    let mut result = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        // Writing to a string cannot fail.
        let _ = write!(result, "{byte:02x}");
    }
    result.truncate(digits);
    result
}
