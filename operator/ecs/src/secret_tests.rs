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

fn read(extra: &str) -> Result<SecretReference, SecretError> {
    secret_reference(&format!("{ARN}{extra}"))
}

#[test]
fn when_a_parameter_is_named_then_a_hierarchical_one_keeps_its_slash() {
    for (text, expected) in [
        ("db_password", parameter("db_password", None)),
        ("/prod/db", parameter("/prod/db", None)),
        ("arn:aws:ssm:eu-west-1:123456789012:parameter/db", parameter("db", Some("eu-west-1"))),
        ("arn:aws:ssm:eu-west-1:123456789012:parameter/prod/db", parameter("/prod/db", Some("eu-west-1"))),
    ] {
        assert_eq!(secret_reference(text), Ok(expected), "{text}");
    }
}

#[test]
fn when_a_secret_is_named_then_three_more_fields_select_key_and_version() {
    for (extra, expected) in [
        ("", secret("", "", "")),
        (":::", secret("", "", "")),
        (":password::", secret("password", "", "")),
        (":password:AWSPREVIOUS:", secret("password", "AWSPREVIOUS", "")),
        ("::AWSPREVIOUS:", secret("", "AWSPREVIOUS", "")),
        (":password::9d4c", secret("password", "", "9d4c")),
        (":::9d4c", secret("", "", "9d4c")),
    ] {
        assert_eq!(read(extra), Ok(expected), "{extra}");
    }
}

#[test]
fn when_a_name_leads_out_of_its_folder_then_it_is_refused() {
    for (text, name) in [
        ("/shop/../prod/db", "/shop/../prod/db"),
        ("arn:aws:ssm:eu-west-1:123456789012:parameter/shop/../prod/db", "/shop/../prod/db"),
        ("arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/../prod/db-AbCd12", "shop/../prod/db-AbCd12"),
        ("/shop/./db", "/shop/./db"),
        ("..", ".."),
    ] {
        assert_eq!(secret_reference(text), Err(SecretError::LeadsOut(name.to_owned())), "{text}");
    }
    assert_eq!(registry_credentials("shop/../prod"), Err(SecretError::LeadsOut("shop/../prod".to_owned())));
    assert!(secret_reference("/shop/..db").is_ok() && secret_reference("a..b").is_ok());
}

#[test]
fn when_a_reference_is_broken_then_the_reason_is_precise() {
    for (extra, error) in [
        (":password", SecretError::FieldCount(1)),
        (":password:", SecretError::FieldCount(2)),
        (":password:::", SecretError::FieldCount(4)),
        ("::AWSPREVIOUS:9d4c", SecretError::StageAndId),
    ] {
        assert_eq!(read(extra), Err(error), "{extra}");
    }
    for text in ["", "/", "a b", "db:3", "$(x)", "wérd"] {
        assert_eq!(secret_reference(text), Err(SecretError::Unreadable(text.to_owned())));
    }
    for text in [
        "arn:aws:s3:::bucket/key",
        "arn:aws:ssm:eu-west-1:123456789012:document/x",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:",
        "arn:aws:secretsmanager:eu-west-1:123456789012:db",
        "arn:",
        "arn:aws:ssm:eu-west-1:123456789012:parameter/db:3",
    ] {
        assert_eq!(secret_reference(text), Err(SecretError::OtherResource(text.to_owned())));
    }
    for text in [
        "arn:aws:ssm::123456789012:parameter/db",
        "arn:aws:ssm:eu-west-1:1:parameter/db",
        "arn:aws:secretsmanager:eu-west-1::secret:db-AbCd12",
        "arn:aws:secretsmanager::123456789012:secret:db-AbCd12:password::",
    ] {
        assert_eq!(secret_reference(text), Err(SecretError::Incomplete(text.to_owned())));
    }
}

#[test]
fn when_registry_credentials_are_named_then_they_are_a_whole_secret() {
    for text in ["prod/registry", ARN] {
        assert_eq!(registry_credentials(text).unwrap().remote_key(), text);
    }
    for text in ["", "a b", "a:b"] {
        assert_eq!(registry_credentials(text), Err(SecretError::NotWhole), "{text}");
    }
    for extra in [":password::", "::AWSPREVIOUS:", ":::9d4c"] {
        assert_eq!(registry_credentials(&format!("{ARN}{extra}")), Err(SecretError::NotWhole), "{extra}");
    }
    let parameter = "arn:aws:ssm:eu-west-1:123456789012:parameter/registry";
    assert_eq!(registry_credentials(parameter), Err(SecretError::NotWhole));
}

#[test]
fn when_the_name_in_an_arn_has_the_characters_of_aws_then_they_are_cut_once() {
    for (full, name) in [
        ("db-AbCd12", "db"),
        ("prod/db-AbCd12", "prod/db"),
        ("db", "db"),
        ("db-AbCd123", "db-AbCd123"),
        ("a-bcdefg-AbCd12", "a-bcdefg"),
        ("-AbCd12", "-AbCd12"),
    ] {
        assert_eq!(without_suffix(full), name, "{full}");
    }
}

#[test]
fn when_an_external_store_fetches_the_value_then_key_property_and_version_are_its_own() {
    let reference = secret("password", "AWSPREVIOUS", "");
    assert_eq!(reference.remote_key(), ARN);
    assert_eq!(reference.remote_property().as_deref(), Some("password"));
    assert_eq!(secret("a.b*|c", "", "").remote_property().as_deref(), Some(r"a.b\*\|c"));
    assert_eq!(reference.remote_version().as_deref(), Some("AWSPREVIOUS"));
    assert_eq!(secret("", "", "9d4c").remote_version().as_deref(), Some("uuid/9d4c"));
    assert_eq!(secret("", "", "").remote_version(), None);
    let reference = parameter("/prod/db", None);
    assert_eq!(
        (reference.remote_key(), reference.remote_property(), reference.remote_version()),
        ("/prod/db", None, None)
    );
}
