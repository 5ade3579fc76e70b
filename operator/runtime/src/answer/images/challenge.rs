//! What a registry asks for when it says 401.

use http_auth::parse_challenges;

/// How to come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// With user and password.
    Basic,
    /// With a token that another server gives.
    Bearer {
        /// URL of that server.
        realm: String,
        /// Who the token is for.
        service: Option<String>,
        /// What it is for; the right to pull the repository when not stated.
        scope: Option<String>,
    },
}

/// Reads the `WWW-Authenticate` headers; a token is preferred, as it does not show the password to the registry.
pub(super) fn read<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Challenge> {
    let mut basic = None;
    for header in headers {
        for challenge in parse_challenges(header).unwrap_or_default() {
            let param = |name: &str| {
                let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.to_unescaped()).filter(|value| !value.is_empty())
            };
            if challenge.scheme.eq_ignore_ascii_case("bearer")
                && let Some(realm) = param("realm")
            {
                return Some(Challenge::Bearer { realm, service: param("service"), scope: param("scope") });
            }
            if challenge.scheme.eq_ignore_ascii_case("basic") {
                basic = Some(Challenge::Basic);
            }
        }
    }
    basic
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        let owned = |text: Option<&str>| text.map(ToOwned::to_owned);
        Challenge::Bearer { realm: realm.to_owned(), service: owned(service), scope: owned(scope) }
    }

    #[test]
    fn when_registries_ask_in_their_ways_then_each_is_understood() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/nginx:pull""#;
        let scope = Some("repository:library/nginx:pull");
        let table = [
            (vec![hub], Some(bearer("https://auth.docker.io/token", Some("registry.docker.io"), scope))),
            (vec![r#"bearer Realm="https://a/t""#], Some(bearer("https://a/t", None, None))),
            (vec![r#"Basic realm="Registry Realm""#], Some(Challenge::Basic)),
            (vec![r#"Basic realm="x""#, r#"Bearer realm="https://a/t""#], Some(bearer("https://a/t", None, None))),
            (
                vec![r#"Basic realm="x", Bearer realm="https://a/t",service="s""#],
                Some(bearer("https://a/t", Some("s"), None)),
            ),
            (vec![r#"Bearer service="s""#], None),
            (vec!["Negotiate"], None),
            (vec!["\"\"\"=,,"], None),
            (vec![], None),
        ];
        for (headers, challenge) in table {
            assert_eq!(read(headers.iter().copied()), challenge, "{headers:?}");
        }
    }
}
