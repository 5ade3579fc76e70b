//! Tags, shared by every kind that ECS can tag.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::{Rule, validations};

/// Rules that one tag must meet by itself.
pub const TAG_RULES: &[Rule] = &[Rule {
    path: ".key",
    message: "InvalidParameterException: Tag keys may not start with aws: in any case, that prefix is reserved.",
    cel: "!self.key.lowerAscii().startsWith('aws:')",
}];

/// A key and an optional value for finding and grouping resources.
///
/// A list of tags has at most 50 entries and each key once:
/// `#[schemars(length(max = 50), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["key"]))]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(TAG_RULES)))]
pub struct Tag {
    /// Key of the tag, 1 to 128 characters: letters, digits, spaces and `_ . : / = + - @`.
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$"))]
    pub key: String,
    /// Value of the tag, 0 to 256 characters from the same set as the key. Defaults to the empty string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = r"^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$"))]
    pub value: Option<String>,
}
