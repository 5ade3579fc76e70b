//! Capacity provider strategies: how a count of tasks is divided over capacity providers. Services and clusters share
//! the item type and the rules of the whole list.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A capacity provider of a strategy. Tasks first fill `base`; `weight` divides the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapacityProviderStrategyItem {
    /// Name of the capacity provider: the `name` of an ECSCapacityProvider, `FARGATE` or `FARGATE_SPOT`.
    #[schemars(length(min = 1, max = 255))]
    pub capacity_provider: String,
    /// Share of the tasks that remain after the base is filled, relative to the other weights, 0 to 1000. Defaults to
    /// 0, which gives the provider nothing beyond its base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub weight: Option<i32>,
    /// Number of tasks that go to this provider before weights apply, 0 to 100000. Defaults to 0. Only one item of a
    /// strategy may have a base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub base: Option<i32>,
}

/// The rules of a whole strategy, for the struct whose member `$field` it is: one base, some weight, one kind of
/// capacity.
macro_rules! strategy_rules {
    ($field:literal) => {
        [
            $crate::schema::Rule {
                path: concat!(".", $field),
                message: "InvalidParameterException: only one capacity provider of a strategy can have a base greater \
                          than 0",
                cel: concat!(
                    "!has(self.",
                    $field,
                    ") || self.",
                    $field,
                    ".filter(i, has(i.base) && i.base > 0).size() <= 1"
                ),
            },
            $crate::schema::Rule {
                path: concat!(".", $field),
                message: "InvalidParameterException: a strategy with several capacity providers needs at least one \
                          weight greater than 0",
                cel: concat!(
                    "!has(self.",
                    $field,
                    ") || self.",
                    $field,
                    ".size() < 2 || self.",
                    $field,
                    ".exists(i, has(i.weight) && i.weight > 0)"
                ),
            },
            $crate::schema::Rule {
                path: concat!(".", $field),
                message: "InvalidParameterException: a strategy cannot mix FARGATE or FARGATE_SPOT with other \
                          capacity providers",
                cel: concat!(
                    "!has(self.",
                    $field,
                    ") || self.",
                    $field,
                    ".all(i, i.capacityProvider in ['FARGATE', 'FARGATE_SPOT']) || !self.",
                    $field,
                    ".exists(i, i.capacityProvider in ['FARGATE', 'FARGATE_SPOT'])"
                ),
            },
        ]
    };
}
pub(crate) use strategy_rules;
