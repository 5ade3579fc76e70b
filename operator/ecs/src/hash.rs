//! SHA-256 in hexadecimal: what names, comparisons and digests of images are made of.

use sha2::{Digest as _, Sha256};

/// The SHA-256 of `bytes`: 64 hex digits in lower case.
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes)
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0xf])
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

/// The first `digits` hex digits of the SHA-256 of `text`, at most 64.
pub fn hex(text: &str, digits: usize) -> String {
    let mut hash = sha256(text);
    hash.truncate(digits);
    hash
}
