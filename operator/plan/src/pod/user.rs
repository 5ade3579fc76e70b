//! The user that a container runs as.

/// The greatest user and group id that the Kubernetes API takes.
const GREATEST_ID: i64 = 2_147_483_647;

/// Numeric user and group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RunAs {
    /// `runAsUser`
    pub(super) user: i64,
    /// `runAsGroup`; without one the runtime takes the user's group from the image, as docker does.
    pub(super) group: Option<i64>,
}

/// Why a user cannot be set on a Pod.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum UserError {
    /// Only the image knows the number of the name, and Pods take numbers. Running as the image's own user instead could
    /// be root where ECS would not be.
    #[error("UserNameNotResolvable: only the image knows the id of {0:?}; write the number")]
    Name(String),
    /// A number that is no id.
    #[error("{0} is not a user or group id: 0 to 2147483647")]
    Id(String),
    /// Nothing before or after the colon.
    #[error("write user, user:group, uid, uid:gid, user:gid or uid:group")]
    Form,
}

/// Reads the six forms of ECS. `root` is 0 in every image; other names cannot be resolved.
///
/// `1000` gives user 1000; `1000:2000` and `root:root` give both parts; `nginx` is an error.
pub(super) fn run_as(text: &str) -> Result<RunAs, UserError> {
    match text.split_once(':') {
        None => Ok(RunAs { user: id(text)?, group: None }),
        Some((user, group)) => Ok(RunAs { user: id(user)?, group: Some(id(group)?) }),
    }
}

fn id(text: &str) -> Result<i64, UserError> {
    if text.is_empty() || text.contains(':') {
        return Err(UserError::Form);
    }
    if text == "root" {
        return Ok(0);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(UserError::Name(text.to_owned()));
    }
    text.parse().ok().filter(|id| *id <= GREATEST_ID).ok_or_else(|| UserError::Id(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_user_has_one_of_the_six_forms_then_numbers_and_root_are_understood() {
        for (text, user, group) in [
            ("1000", 1000, None),
            ("1000:2000", 1000, Some(2000)),
            ("root", 0, None),
            ("root:root", 0, Some(0)),
            ("root:5", 0, Some(5)),
            ("7:root", 7, Some(0)),
            ("2147483647", 2_147_483_647, None),
        ] {
            assert_eq!(run_as(text), Ok(RunAs { user, group }), "{text}");
        }
    }

    #[test]
    fn when_a_name_is_only_known_to_the_image_then_it_is_refused() {
        for (text, name) in [("nginx", "nginx"), ("1000:www-data", "www-data"), ("node:node", "node"), ("-1", "-1")] {
            assert_eq!(run_as(text), Err(UserError::Name(name.to_owned())), "{text}");
        }
        for text in [":", "1:", ":1", "1:2:3"] {
            assert_eq!(run_as(text), Err(UserError::Form), "{text}");
        }
        assert_eq!(run_as("2147483648"), Err(UserError::Id("2147483648".to_owned())));
        assert_eq!(run_as("99999999999999999999"), Err(UserError::Id("99999999999999999999".to_owned())));
    }
}
