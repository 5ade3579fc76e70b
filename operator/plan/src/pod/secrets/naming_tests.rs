use ecs::secret::{registry_credentials, secret_reference};
use proptest::prelude::*;

use super::*;

const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod-db-AbCd12";

fn parameter(name: &str, region: Option<&str>) -> SecretReference {
    SecretReference::SsmParameter { name: name.to_owned(), region: region.map(str::to_owned) }
}

fn secret(json_key: &str, stage: &str, id: &str) -> SecretReference {
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    SecretReference::SecretsManager {
        name: "prod-db".to_owned(),
        arn: ARN.to_owned(),
        region: "eu-west-1".to_owned(),
        json_key: given(json_key),
        version_stage: given(stage),
        version_id: given(id),
    }
}

#[test]
fn when_registry_credentials_are_named_then_the_secret_has_their_name() {
    assert_eq!(registry_credentials("db").unwrap().kubernetes_secret().0, "db");
}

#[test]
fn when_two_values_would_share_name_and_key_then_they_contradict_each_other_and_have_keys_of_their_own() {
    let elsewhere = secret_reference(&ARN.replace("eu-west-1", "us-east-1")).unwrap();
    for (one, two, contradicts) in [
        (parameter("db", None), parameter("db", Some("eu-west-1")), false),
        (parameter("db", Some("us-east-1")), parameter("db", Some("eu-west-1")), true),
        (parameter("prod-db", None), secret("", "", ""), true),
        (parameter("prod-db", None), secret("password", "", ""), false),
        (secret("", "", ""), secret("", "AWSCURRENT", ""), false),
        (secret("", "", ""), elsewhere, true),
        (secret("a", "", ""), secret("b", "", ""), false),
    ] {
        assert_eq!(one.contradicts(&two), contradicts, "{one:?} {two:?}");
        assert!(!contradicts || one.own_key() != two.own_key());
    }
    assert_eq!(secret("", "", "").own_key(), secret("", "AWSCURRENT", "").own_key());
    assert_ne!(secret("", "", "").own_key(), secret("", "AWSPREVIOUS", "").own_key());
    assert!(is_secret_key(&parameter("/prod/db", None).own_key()));
}

#[test]
fn when_a_secret_of_kubernetes_must_hold_the_value_then_its_name_and_key_are_predictable() {
    let hashed = |stem: &str, original: &str| format!("{stem}-{}", ecs::hash::hex(original, 8));
    for (reference, name, key) in [
        (parameter("db-password", None), "db-password".to_owned(), "value"),
        (parameter("/prod/db", Some("eu-west-1")), hashed("prod-db", "/prod/db"), "value"),
        (secret("", "", ""), "prod-db".to_owned(), "value"),
        (secret("password", "", ""), "prod-db".to_owned(), "password"),
        (secret("DB_User.1", "AWSCURRENT", ""), "prod-db".to_owned(), "DB_User.1"),
        (secret("", "AWSPREVIOUS", ""), hashed("prod-db-awsprevious", "prod-db:AWSPREVIOUS"), "value"),
        (secret("password", "", "9d4c"), hashed("prod-db-9d4c", "prod-db:9d4c"), "password"),
    ] {
        assert_eq!(reference.kubernetes_secret(), (name, key.to_owned()), "{reference:?}");
    }
    assert_eq!(
        secret("user name", "", "").kubernetes_secret().1,
        format!("user_name.{}", ecs::hash::hex("user name", 8))
    );
}

fn is_secret_key(key: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=253).contains(&key.len()) && key.chars().all(legal) && key != "." && !key.starts_with("..")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_json_key_becomes_a_legal_key_and_no_two_become_one(one in "[a-z. é]{1,5}|[.]{1,3}", two in "[a-z. é]{1,5}") {
        let (first, second) = (secret_key(&one), secret_key(&two));
        prop_assert!(is_secret_key(&first) && is_secret_key(&second), "{} {}", first, second);
        prop_assert_eq!(first == second, one == two);
        prop_assert!(is_secret_key(&secret_key(&one.repeat(100))));
    }

    #[test]
    fn no_text_makes_the_reader_fail_in_another_way(text in "(arn:aws:(ssm|secretsmanager):)?[a-z:/-]{0,40}") {
        if let Ok(reference) = secret_reference(&text) {
            let (name, key) = reference.kubernetes_secret();
            prop_assert!(!name.is_empty() && name.len() <= 63 && is_secret_key(&key));
        }
    }
}
