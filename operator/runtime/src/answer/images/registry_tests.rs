//! Against a registry on loopback that speaks each dialect; the real one is in the end-to-end tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ::http::Request;
use axum::Router;
use axum::body::Body;
use axum::response::Response;

use super::*;

const ONE: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
const TOKEN: &str = "opaque-token";

/// What a request was: method, path with query, and value of `Authorization`.
type Seen = Arc<Mutex<Vec<(String, String, String)>>>;

/// Serves `answer` on loopback; answers where, and what it is asked.
async fn serve(answer: impl Fn(&str, &str, &str, &str) -> Response + Clone + Send + Sync + 'static) -> (String, Seen) {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (seen, own) = (Seen::default(), address.clone());
    let log = Arc::clone(&seen);
    let router = Router::new().fallback(move |request: Request<Body>| {
        let authorization = request.headers().get(header::AUTHORIZATION);
        let authorization = authorization.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let (method, path) = (request.method().to_string(), request.uri().to_string());
        let response = answer(&own, &method, &path, &authorization);
        log.lock().unwrap().push((method, path, authorization));
        async move { response }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, seen)
}

fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
    let builder =
        headers.iter().fold(Response::builder().status(status), |all, (name, value)| all.header(*name, *value));
    builder.body(Body::from(body.to_owned())).unwrap()
}

fn digest(text: &str) -> Response {
    reply(200, &[(DIGEST, text)], "")
}

fn registry() -> Registry {
    let insecure = vec!["127.0.0.1:*".to_owned()];
    Registry::new(RegistryOptions { insecure, ..RegistryOptions::default() }).unwrap()
}

fn user(password: &str) -> Credential {
    Credential { username: "user".to_owned(), password: password.to_owned() }
}

async fn ask(address: &str, credentials: &[Credential]) -> Result<String, LookupError> {
    let reference = ImageReference::parse(&format!("{address}/team/app:1")).unwrap();
    registry().digest(&reference, credentials).await
}

#[tokio::test]
async fn when_a_registry_is_open_then_one_head_request_answers() {
    let (address, seen) = serve(|_, _, _, _| digest(ONE)).await;
    assert_eq!(ask(&address, &[]).await, Ok(ONE.to_owned()));
    let expected = ("HEAD".to_owned(), "/v2/team/app/manifests/1".to_owned(), String::new());
    assert_eq!(*seen.lock().unwrap(), [expected]);
}

#[tokio::test]
async fn when_head_has_no_digest_then_it_is_the_hash_of_the_manifest() {
    const EMPTY_OBJECT: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    for head in [200, 405] {
        let (address, _) =
            serve(move |_, method, _, _| if method == "HEAD" { reply(head, &[], "") } else { reply(200, &[], "{}") })
                .await;
        assert_eq!(ask(&address, &[]).await, Ok(EMPTY_OBJECT.to_owned()));
    }
    let (address, _) = serve(
        |_, method, _, _| {
            if method == "HEAD" { reply(200, &[], "") } else { reply(200, &[(DIGEST, ONE)], "{}") }
        },
    )
    .await;
    assert!(matches!(ask(&address, &[]).await, Err(LookupError::Protocol(_))), "it states another digest than it has");
}

#[tokio::test]
async fn when_basic_authentication_is_asked_for_then_each_credential_is_tried_in_turn() {
    let (address, _) = serve(|_, _, _, authorization| {
        if authorization == user("right").basic() {
            digest(ONE)
        } else {
            reply(401, &[("www-authenticate", "Basic realm=\"r\"")], "")
        }
    })
    .await;
    assert_eq!(ask(&address, &[user("wrong"), user("right")]).await, Ok(ONE.to_owned()));
    let refused = |with| Err(LookupError::Unauthorized { registry: address.clone(), with });
    assert_eq!(ask(&address, &[user("wrong")]).await, refused("the credentials"));
    assert_eq!(ask(&address, &[]).await, refused("anonymous access"));
}

#[tokio::test]
async fn when_a_token_is_asked_for_then_it_is_got_where_the_registry_says_and_the_password_goes_only_there() {
    let (address, seen) = serve(|own, _, path, authorization| {
        if path.starts_with("/token") {
            return match authorization {
                known if known == user("right").basic() => reply(200, &[], &format!("{{\"token\":\"{TOKEN}\"}}")),
                "" => reply(200, &[], "{\"access_token\":\"anonymous\"}"),
                _ => reply(401, &[], ""),
            };
        }
        if authorization == format!("Bearer {TOKEN}") {
            return digest(ONE);
        }
        let challenge = format!("Bearer realm=\"http://{own}/token\",service=\"the service\"");
        reply(401, &[("www-authenticate", &challenge)], "")
    })
    .await;
    assert_eq!(ask(&address, &[user("right")]).await, Ok(ONE.to_owned()));
    let paths: BTreeMap<String, String> =
        seen.lock().unwrap().iter().map(|(_, path, authorization)| (path.clone(), authorization.clone())).collect();
    let token = "/token?scope=repository%3Ateam/app%3Apull&service=the%20service";
    assert_eq!(paths[token], user("right").basic());
    assert_eq!(paths["/v2/team/app/manifests/1"], format!("Bearer {TOKEN}"));

    let refused = ask(&address, &[user("wrong")]).await;
    assert!(matches!(refused, Err(LookupError::Unauthorized { with: "the credentials", .. })), "{refused:?}");
    let refused = ask(&address, &[]).await;
    assert!(matches!(refused, Err(LookupError::Unauthorized { with: "anonymous access", .. })), "{refused:?}");
}

#[tokio::test]
async fn when_a_registry_redirects_then_it_is_followed_without_credentials() {
    let (other, seen) = serve(|_, _, path, authorization| {
        assert_eq!((path, authorization), ("/v2/moved/manifests/1", ""));
        digest(ONE)
    })
    .await;
    let target = format!("http://{other}/v2/moved/manifests/1");
    let (address, _) = serve(move |_, _, _, authorization| {
        if authorization.is_empty() {
            reply(401, &[("www-authenticate", "Basic realm=\"r\"")], "")
        } else {
            reply(307, &[("location", &target)], "")
        }
    })
    .await;
    assert_eq!(ask(&address, &[user("right")]).await, Ok(ONE.to_owned()));
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn when_a_registry_leads_to_a_metadata_address_or_in_circles_then_it_is_not_followed() {
    for target in [
        "http://169.254.169.254/latest/meta-data",
        "https://169.254.169.254/v2/",
        "https://[fd00:ec2::254]/v2/",
        "https://user@example.com/v2/",
        "http://example.com/v2/",
        "file:///etc/passwd",
        "",
    ] {
        let (address, _) = serve(move |_, _, _, _| reply(302, &[("location", target)], "")).await;
        let refused = ask(&address, &[]).await;
        assert!(matches!(refused, Err(LookupError::Refused(_) | LookupError::Protocol(_))), "{target}: {refused:?}");
        let challenge = format!("Bearer realm=\"{target}\"");
        let (address, _) = serve(move |_, _, _, _| reply(401, &[("www-authenticate", &challenge)], "")).await;
        let refused = ask(&address, &[user("right")]).await;
        assert!(matches!(refused, Err(LookupError::Refused(_) | LookupError::Protocol(_))), "{target}: {refused:?}");
    }
    let (address, seen) = serve(|_, _, path, _| reply(302, &[("location", path)], "")).await;
    assert!(matches!(ask(&address, &[]).await, Err(LookupError::Protocol(_))));
    assert_eq!(seen.lock().unwrap().len(), MOST_STEPS);
}

#[tokio::test]
async fn when_an_answer_is_an_error_then_it_is_told_apart_and_only_passing_ones_are_tried_again() {
    for (status, category, is_transient) in [
        (403, "unauthorized", false),
        (404, "not-found", false),
        (418, "protocol", false),
        (429, "busy", true),
        (500, "busy", true),
        (503, "busy", true),
    ] {
        let (address, _) = serve(move |_, _, _, _| reply(status, &[], "secret of the server")).await;
        let error = ask(&address, &[]).await.unwrap_err();
        assert_eq!((error.category(), error.is_transient()), (category, is_transient), "{status}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let nobody = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let error = ask(&nobody.to_string(), &[]).await.unwrap_err();
    assert_eq!((error.category(), error.is_transient()), ("unreachable", true), "{error}");
}

#[tokio::test]
async fn when_a_host_is_not_listed_as_insecure_then_it_is_neither_asked_without_tls_nor_on_loopback() {
    let (address, seen) = serve(|_, _, _, _| digest(ONE)).await;
    let strict = Registry::new(RegistryOptions::default()).unwrap();
    for name in [address.as_str(), "localhost:1", "169.254.169.254", "[::ffff:169.254.169.254]:80"] {
        let reference =
            ImageReference { registry: name.to_owned(), ..ImageReference::parse("example.com/app").unwrap() };
        let error = strict.digest(&reference, &[]).await.unwrap_err();
        assert_eq!(error.category(), "refused", "{name}: {error}");
    }
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn when_a_registry_leads_to_a_private_address_then_it_is_asked_only_if_the_administrator_lists_it() {
    let with = |patterns: &[&str]| {
        let patterns = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        let private_ranges = vec!["203.0.113.0/24".parse().unwrap()];
        Registry::new(RegistryOptions { patterns, private_ranges, ..RegistryOptions::default() }).unwrap()
    };
    for name in ["10.0.0.1", "172.16.0.1:5000", "192.168.0.1", "100.64.0.1", "[fd00::1]", "203.0.113.7"] {
        for everybody in ["*", "*/*"] {
            let reference =
                ImageReference { registry: name.to_owned(), ..ImageReference::parse("example.com/app").unwrap() };
            let error = with(&[everybody]).digest(&reference, &[]).await.unwrap_err();
            assert_eq!(error.category(), "refused", "{name}: {error}");
            assert!(error.to_string().contains("a private address"), "{error}");
        }
    }
    let listed = with(&["*", "10.0.0.1", "registry.internal:5000/team/*"]);
    for host in ["10.0.0.1", "registry.internal:5000"] {
        assert!(listed.transport.is_listed(host), "{host}");
    }
    assert!(!listed.transport.is_listed("example.com"));
}

#[tokio::test]
async fn when_a_registry_sends_for_a_token_to_another_site_then_nobody_is_asked_there() {
    let (other, seen) = serve(|_, _, _, _| reply(200, &[], "{\"token\":\"t\"}")).await;
    let port = other.rsplit(':').next().unwrap().to_owned();
    let challenge = format!("Bearer realm=\"http://127.0.0.2:{port}/token\"");
    let (address, _) = serve(move |_, _, _, _| reply(401, &[("www-authenticate", &challenge)], "")).await;
    let reference = ImageReference::parse(&format!("{address}/team/app:1")).unwrap();
    let insecure = vec![address.clone()];
    let registry = Registry::new(RegistryOptions { insecure, ..RegistryOptions::default() }).unwrap();
    let error = registry.digest(&reference, &[user("right")]).await.unwrap_err();
    assert!(matches!(&error, LookupError::Refused(why) if why.contains("another site")), "{error}");
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn when_a_registry_cannot_be_reached_then_nothing_of_its_network_is_told() {
    let nobody = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().to_string();
    assert_eq!(ask(&nobody, &[]).await, Err(LookupError::Unreachable(format!("{nobody} cannot be reached"))));
}

#[tokio::test]
async fn when_a_manifest_never_ends_then_it_is_not_read_to_the_end() {
    let (address, _) =
        serve(
            |_, method, _, _| {
                if method == "HEAD" { reply(200, &[], "") } else { reply(200, &[], &"x".repeat(5 * 1024 * 1024)) }
            },
        )
        .await;
    let error = ask(&address, &[]).await.unwrap_err();
    assert_eq!(error.category(), "unreachable", "{error}");
}

#[test]
fn when_the_docker_configuration_is_not_there_then_it_is_said_at_the_start() {
    let options = RegistryOptions { docker_config: Some("/no/such/file".into()), ..RegistryOptions::default() };
    assert!(matches!(Registry::new(options), Err(RegistryError::DockerConfig(..))));
}
