//! The rules of ECS that histories are checked against, as plainly as they can be said and without a look at the operator.

/// `minimumHealthyPercent` and `maximumPercent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percentages {
    /// Of the desired count that stay healthy.
    pub minimum: i64,
    /// Of the desired count that may be RUNNING or PENDING.
    pub maximum: i64,
}

impl Percentages {
    /// Healthy tasks, never fewer: of 3 with 50 %, ceil(1.5) = 2.
    #[must_use]
    pub fn at_least(self, desired: i64) -> i64 {
        (desired * self.minimum + 99) / 100
    }

    /// RUNNING and PENDING tasks, never more: of 3 with 150 %, floor(4.5) = 4.
    #[must_use]
    pub fn at_most(self, desired: i64) -> i64 {
        desired * self.maximum / 100
    }

    /// Whether a deployment can neither start nor stop a task: 1 task with 50 and 100 %.
    #[must_use]
    pub fn is_stuck(self, desired: i64) -> bool {
        desired > 0 && self.at_least(desired) >= desired && self.at_most(desired) <= desired
    }
}

/// How the threshold of a circuit breaker is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThresholdType {
    /// The number of failures.
    Count,
    /// Percent of the desired count, 3 to 200.
    BoundedPercent,
    /// Percent of the desired count.
    UnboundedPercent,
}

impl ThresholdType {
    /// The spelling of ECS.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "COUNT",
            Self::BoundedPercent => "BOUNDED_PERCENT",
            Self::UnboundedPercent => "UNBOUNDED_PERCENT",
        }
    }
}

/// A deployment circuit breaker that is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// Whether a failed deployment goes back.
    pub rollback: bool,
    /// How the threshold is given.
    pub type_: ThresholdType,
    /// The threshold.
    pub value: i64,
    /// `resetOnHealthyTask`
    pub resets: bool,
}

impl Breaker {
    /// Failures that fail a deployment: with 50 % of 5 tasks 3, bounded or not.
    #[must_use]
    pub fn failures(self, desired: i64) -> i64 {
        let share = (desired * self.value + 99) / 100;
        match self.type_ {
            ThresholdType::Count => self.value,
            ThresholdType::BoundedPercent => share.clamp(3, 200),
            ThresholdType::UnboundedPercent => share.max(1),
        }
    }
}

/// Whether a service deployment in this state can change no more.
#[must_use]
pub fn is_over(status: &str) -> bool {
    matches!(status, "SUCCESSFUL" | "STOPPED" | "ROLLBACK_SUCCESSFUL" | "ROLLBACK_FAILED")
}

/// Whether a deployment may come from one state to another.
#[must_use]
pub fn may_follow(before: &str, after: &str) -> bool {
    before == after
        || match before {
            "" | "PENDING" => true,
            "IN_PROGRESS" | "STOP_REQUESTED" | "ROLLBACK_REQUESTED" => after != "PENDING",
            "ROLLBACK_IN_PROGRESS" => matches!(after, "ROLLBACK_SUCCESSFUL" | "ROLLBACK_FAILED"),
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_percentages_do_not_divide_then_the_minimum_is_rounded_up_and_the_maximum_down() {
        let table = [(3, 50, 150, 2, 4), (10, 33, 125, 4, 12), (1, 50, 100, 1, 1), (0, 100, 200, 0, 0)];
        for (desired, minimum, maximum, at_least, at_most) in table {
            let percentages = Percentages { minimum, maximum };
            assert_eq!((percentages.at_least(desired), percentages.at_most(desired)), (at_least, at_most));
        }
        assert!(Percentages { minimum: 50, maximum: 100 }.is_stuck(1));
        assert!(!Percentages { minimum: 50, maximum: 100 }.is_stuck(2));
    }

    #[test]
    fn when_a_threshold_is_bounded_then_it_is_three_to_two_hundred() {
        let breaker = |type_, value| Breaker { rollback: false, type_, value, resets: true };
        assert_eq!(breaker(ThresholdType::BoundedPercent, 50).failures(1), 3);
        assert_eq!(breaker(ThresholdType::BoundedPercent, 50).failures(401), 200);
        assert_eq!(breaker(ThresholdType::UnboundedPercent, 50).failures(1), 1);
        assert_eq!(breaker(ThresholdType::Count, 2).failures(100), 2);
    }
}
