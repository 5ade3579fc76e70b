//! Placement of service tasks: binding constraints and best-effort strategies.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::{Rule, validations};

/// Type of a placement constraint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum PlacementConstraintType {
    /// Each task of the service on a different node.
    #[serde(rename = "distinctInstance")]
    DistinctInstance,
    /// Only nodes for which the expression is true.
    #[serde(rename = "memberOf")]
    MemberOf,
}

/// Rules that one [`PlacementConstraint`] must meet by itself.
pub const PLACEMENT_CONSTRAINT_RULES: &[Rule] = &[
    Rule {
        path: ".type",
        message: "InvalidParameterException: a placement constraint needs a type",
        cel: "has(self.type)",
    },
    Rule {
        path: ".expression",
        message: "InvalidParameterException: distinctInstance takes no expression",
        cel: "!has(self.type) || self.type != 'distinctInstance' || !has(self.expression) || self.expression == ''",
    },
    Rule {
        path: ".expression",
        message: "InvalidParameterException: memberOf needs an expression",
        cel: "!has(self.type) || self.type != 'memberOf' || (has(self.expression) && self.expression != '')",
    },
];

/// A constraint on the nodes that may run a task. All constraints of the service and of its task definition must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(PLACEMENT_CONSTRAINT_RULES)))]
pub struct PlacementConstraint {
    /// `distinctInstance` or `memberOf`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_: Option<PlacementConstraintType>,
    /// Expression in the cluster query language, up to 2000 characters; only with `memberOf`. The expressions of a service
    /// and its task definition have at most 8 regular expressions together, each of at most 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2000))]
    pub expression: Option<String>,
}

/// How tasks are distributed across the nodes that may run them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PlacementStrategyType {
    /// Any node.
    Random,
    /// Evenly over the values of `field`.
    Spread,
    /// The node with the least remaining amount of `field`.
    Binpack,
}

/// Rules that one [`PlacementStrategy`] must meet by itself.
pub const PLACEMENT_STRATEGY_RULES: &[Rule] = &[
    Rule {
        path: ".type",
        message: "InvalidParameterException: a placement strategy needs a type",
        cel: "has(self.type)",
    },
    Rule {
        path: ".field",
        message: "InvalidParameterException: placement strategy random takes no field",
        cel: "!has(self.type) || self.type != 'random' || !has(self.field) || self.field == ''",
    },
    Rule {
        path: ".field",
        message: "InvalidParameterException: placement strategy binpack needs the field cpu or memory",
        cel: "!has(self.type) || self.type != 'binpack' || (has(self.field) && self.field.lowerAscii() in ['cpu', \
              'memory'])",
    },
    Rule {
        path: ".field",
        message: "InvalidParameterException: placement strategy spread needs a field",
        cel: "!has(self.type) || self.type != 'spread' || (has(self.field) && self.field != '')",
    },
];

/// A best-effort rule for distributing tasks across nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(PLACEMENT_STRATEGY_RULES)))]
pub struct PlacementStrategy {
    /// `random`, `spread` or `binpack`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_: Option<PlacementStrategyType>,
    /// For `spread`: `instanceId`, `host` or an attribute such as `attribute:ecs.availability-zone`. For `binpack`:
    /// `cpu` or `memory`. Not used by `random`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub field: Option<String>,
}
