//! What a registry asks for when it says 401.

use std::net::Ipv4Addr;

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

/// Whether two hosts, perhaps with ports, belong to one site, which is what somebody registers: `auth.docker.io` and
/// `registry-1.docker.io` do. Below a country, a short second label (`co.uk`, `com.au`) counts as a part of the suffix.
/// Addresses are a site each.
pub(super) fn is_same_site(one: &str, other: &str) -> bool {
    let (one, other) = (site(one), site(other));
    !one.is_empty() && one == other
}

fn site(authority: &str) -> String {
    if authority.starts_with('[') {
        return authority.split_inclusive(']').next().unwrap_or_default().to_owned();
    }
    let host = authority.split(':').next().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    if host.parse::<Ipv4Addr>().is_ok() {
        return host;
    }
    let labels: Vec<&str> = host.split('.').collect();
    let is_short = |label: Option<&&str>, most: usize| label.is_some_and(|label| label.len() <= most);
    let is_below_country = is_short(labels.last(), 2) && is_short(labels.iter().rev().nth(1), 3);
    let kept = if is_below_country { 3 } else { 2 };
    labels.get(labels.len().saturating_sub(kept)..).unwrap_or_default().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_hosts_are_compared_then_those_that_one_owner_registered_are_one_site() {
        for (one, other) in [
            ("auth.docker.io", "registry-1.docker.io"),
            ("gitlab.com", "registry.gitlab.com"),
            ("Example.com", "example.com:443"),
            ("auth.example.co.uk", "registry.example.co.uk"),
            ("10.0.0.1:5000", "10.0.0.1:5001"),
            ("[::1]:5000", "[::1]"),
            ("registry", "registry:5000"),
        ] {
            assert!(is_same_site(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("victim.com", "attacker.com"),
            ("docker.io.attacker.com", "docker.io"),
            ("victim.co.uk", "attacker.co.uk"),
            ("10.0.0.1", "10.0.0.2"),
            ("[::1]", "[::2]"),
            ("kubernetes.default.svc", "registry.example.com"),
            ("", ""),
        ] {
            assert!(!is_same_site(one, other), "{one} {other}");
        }
    }

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
