use proptest::prelude::*;

use super::*;

const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn parsed(text: &str) -> ImageReference {
    ImageReference::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn when_a_reference_is_written_in_any_usual_way_then_it_is_taken_apart_as_runtimes_do() {
    for (text, registry, repository, tag, name) in [
        ("nginx", "docker.io", "library/nginx", "latest", "nginx"),
        ("nginx:1.27", "docker.io", "library/nginx", "1.27", "nginx"),
        ("library/nginx", "docker.io", "library/nginx", "latest", "library/nginx"),
        ("team/app:v2", "docker.io", "team/app", "v2", "team/app"),
        ("docker.io/nginx", "docker.io", "library/nginx", "latest", "docker.io/nginx"),
        ("index.docker.io/team/app", "docker.io", "team/app", "latest", "index.docker.io/team/app"),
        ("localhost/app", "localhost", "app", "latest", "localhost/app"),
        ("localhost:5000/app:1", "localhost:5000", "app", "1", "localhost:5000/app"),
        ("127.0.0.1:5000/a/b/c", "127.0.0.1:5000", "a/b/c", "latest", "127.0.0.1:5000/a/b/c"),
        ("[::1]:5000/app:1", "[::1]:5000", "app", "1", "[::1]:5000/app"),
        ("registry.example.com/app", "registry.example.com", "app", "latest", "registry.example.com/app"),
        ("Registry/app", "Registry", "app", "latest", "Registry/app"),
        (
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/web:prod-2026.01_a",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            "web",
            "prod-2026.01_a",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/web",
        ),
        ("a__b/c---d.e_f", "docker.io", "a__b/c---d.e_f", "latest", "a__b/c---d.e_f"),
    ] {
        let reference = parsed(text);
        let found = (
            reference.registry.as_str(),
            reference.repository.as_str(),
            reference.tag_or_latest(),
            reference.name.as_str(),
        );
        assert_eq!(found, (registry, repository, tag, name), "{text}");
        assert_eq!(reference.digest, None, "{text}");
        assert_eq!(reference.pinned(DIGEST), format!("{name}@{DIGEST}"));
    }
}

#[test]
fn when_a_digest_is_written_then_it_is_found_with_and_without_a_tag() {
    for (text, tag) in [(format!("nginx@{DIGEST}"), None), (format!("ghcr.io/team/app:1@{DIGEST}"), Some("1"))] {
        let reference = parsed(&text);
        assert_eq!((reference.digest.as_deref(), reference.tag.as_deref()), (Some(DIGEST), tag), "{text}");
    }
}

#[test]
fn when_no_runtime_would_accept_a_text_then_it_is_no_reference() {
    let long = format!("a/{}", "b".repeat(254));
    for text in [
        "",
        ":1",
        "/app",
        "app/",
        "a//b",
        "App",
        "team/App",
        "nginx:",
        "nginx:.1",
        "nginx:a b",
        "nginx@",
        "nginx@sha256:abc",
        "nginx@sha256:9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08",
        "a.-b",
        "a___b",
        "a..b",
        "-a",
        "a-",
        "é",
        "http://registry.example.com/app",
        "registry.example.com:port/app",
        "registry.example.com:0/app",
        "registry..example.com/app",
        "user@registry.example.com/app",
        "[::1/app",
        "[::1]x/app",
        "registry.example.com/app?x=1",
        "registry.example.com/../app",
        long.as_str(),
    ] {
        assert!(ImageReference::parse(text).is_err(), "{text}");
    }
    assert!(ImageReference::parse(&format!("nginx:{}", "a".repeat(129))).is_err());
    assert!(ImageReference::parse(&format!("nginx:{}", "a".repeat(128))).is_ok());
}

#[test]
fn when_a_pattern_has_stars_then_they_stand_for_anything() {
    for (pattern, text, is_match) in [
        ("*", "nginx", true),
        ("docker.io", "nginx", true),
        ("docker.io", "ghcr.io/a", false),
        ("*.dkr.ecr.*.amazonaws.com", "1.dkr.ecr.eu-west-1.amazonaws.com/web", true),
        ("*.dkr.ecr.*.amazonaws.com", "1.dkr.ecr.eu-west-1.amazonaws.com.evil.example/web", false),
        ("127.0.0.1:*", "127.0.0.1:5000/app", true),
        ("127.0.0.1:*", "127.0.0.1.example.com/app", false),
        ("ghcr.io/team/*", "ghcr.io/team/app:1", true),
        ("ghcr.io/team/*", "ghcr.io/other/app:1", false),
        ("docker.io/library/*", "nginx", true),
        ("ghcr.io", "ghcr.io:443/a", false),
        ("", "nginx", false),
    ] {
        assert_eq!(parsed(text).matches(pattern), is_match, "{pattern} {text}");
    }
}

#[test]
fn when_only_a_capital_tells_a_registry_from_a_team_then_it_stays() {
    let of = |text| (parsed(text).registry, parsed(text).repository);
    assert_eq!(of("Registry/app"), ("Registry".to_owned(), "app".to_owned()));
    assert_eq!(of("GHCR.io/team/app"), ("ghcr.io".to_owned(), "team/app".to_owned()));
    assert_eq!(of("team/app"), ("docker.io".to_owned(), "team/app".to_owned()));
}

proptest! {
    #[test]
    fn whatever_is_written_never_panics_and_what_is_accepted_is_accepted_again(text in "[a-zA-Z0-9./:@_-]{0,40}") {
        if let Ok(reference) = ImageReference::parse(&text) {
            let again = parsed(&reference.to_string());
            prop_assert_eq!((again.registry, again.repository), (reference.registry, reference.repository));
            prop_assert!(text.starts_with(&reference.name));
        }
    }
}
