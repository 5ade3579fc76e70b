use proptest::prelude::*;

use super::*;

fn reference(family: &str, revision: Option<i64>) -> TaskDefinitionReference {
    TaskDefinitionReference { family: family.to_owned(), revision }
}

#[test]
fn when_a_task_definition_is_named_in_any_form_then_family_and_revision_are_read() {
    for (text, expected) in [
        ("web", reference("web", None)),
        ("Web_App-2", reference("Web_App-2", None)),
        ("web:3", reference("web", Some(3))),
        ("arn:aws:ecs:eu-west-1:123456789012:task-definition/web:12", reference("web", Some(12))),
        ("arn:aws-cn:ecs:cn-north-1:123456789012:task-definition/web", reference("web", None)),
    ] {
        assert_eq!(task_definition_reference(text), Ok(expected), "{text}");
    }
}

#[test]
fn when_a_reference_is_broken_then_the_broken_part_is_named() {
    for (text, error) in [
        ("", ReferenceError::Family(String::new())),
        ("a b", ReferenceError::Family("a b".to_owned())),
        (":3", ReferenceError::Family(String::new())),
        ("web:", ReferenceError::Revision(String::new())),
        ("web:0", ReferenceError::Revision("0".to_owned())),
        ("web:-1", ReferenceError::Revision("-1".to_owned())),
        ("web:+1", ReferenceError::Revision("+1".to_owned())),
        ("web:latest", ReferenceError::Revision("latest".to_owned())),
        ("web:1:2", ReferenceError::Revision("1:2".to_owned())),
        ("web:99999999999999999999", ReferenceError::Revision("99999999999999999999".to_owned())),
    ] {
        assert_eq!(task_definition_reference(text), Err(error), "{text}");
    }
    for text in ["arn:aws:ecs:eu-west-1:123456789012:cluster/web", "arn:aws:iam::123456789012:task-definition/web:1"] {
        assert_eq!(task_definition_reference(text), Err(ReferenceError::NotATaskDefinition(text.to_owned())));
    }
}

#[test]
fn when_a_name_or_an_arn_is_given_then_the_short_name_comes_out() {
    for (text, short) in [
        ("web", "web"),
        ("", ""),
        ("arn:aws:ecs:eu-west-1:123456789012:cluster/web", "web"),
        ("arn:aws:ecs:eu-west-1:123456789012:service/web/api", "api"),
        ("arn:aws:iam::123456789012:role/path/to/task-role", "task-role"),
        ("arn:aws:sns:eu-west-1:123456789012:topic", "topic"),
        ("name:with:colons", "name:with:colons"),
    ] {
        assert_eq!(last_segment(text), short, "{text}");
    }
}

#[test]
fn when_a_resource_id_names_a_service_then_cluster_and_service_come_out() {
    assert_eq!(service_resource("service/prod/web"), Some(("prod", "web")));
    for text in ["service/web", "service//web", "service/prod/", "service/a/b/c", "table/a/b", "prod/web", ""] {
        assert_eq!(service_resource(text), None, "{text}");
    }
}

#[test]
fn when_arns_are_built_then_they_have_the_long_format() {
    let identity =
        Identity { region: "eu-west-1".to_owned(), account: "123456789012".to_owned(), ..Identity::default() };
    let ecs = |resource: &str| format!("arn:aws:ecs:eu-west-1:123456789012:{resource}");
    assert_eq!(identity.cluster_arn("prod"), ecs("cluster/prod"));
    assert_eq!(identity.service_arn("prod", "web"), ecs("service/prod/web"));
    assert_eq!(identity.task_definition_arn("web", 3), ecs("task-definition/web:3"));
    assert_eq!(identity.task_arn("prod", "0123"), ecs("task/prod/0123"));
    assert_eq!(identity.capacity_provider_arn("FARGATE"), ecs("capacity-provider/FARGATE"));
    assert_eq!(identity.service_deployment_arn("prod", "web", "6"), ecs("service-deployment/prod/web/6"));
    assert_eq!(identity.service_revision_arn("prod", "web", "7"), ecs("service-revision/prod/web/7"));
    assert_eq!(task_definition_reference(&identity.task_definition_arn("web", 3)), Ok(reference("web", Some(3))));
    let target = identity.scalable_target_arn("service/prod/web");
    let id = target.strip_prefix("arn:aws:application-autoscaling:eu-west-1:123456789012:scalable-target/").unwrap();
    assert!(id.len() == 36 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
}

#[test]
fn when_nothing_is_configured_then_the_identity_is_plainly_not_amazons() {
    assert_eq!(Identity::default().cluster_arn("default"), "arn:aws:ecs:kubernetes:000000000000:cluster/default");
}

#[test]
fn when_a_task_has_the_uid_of_a_pod_then_its_id_is_that_uid_without_hyphens() {
    assert_eq!(task_id("0A1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"), "0a1b2c3d4e5f60718293a4b5c6d7e8f9");
    let other = task_id("static-pod");
    assert!(other.len() == 32 && other.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_ne!(other, task_id("static-pod-2"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_deployment_id_has_nineteen_digits_and_follows_from_its_seed(seed in ".{0,20}") {
        let id = deployment_id(&seed);
        let digits = id.strip_prefix("ecs-svc/").unwrap();
        prop_assert!(digits.len() == 19 && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0'));
        prop_assert_eq!(&id, &deployment_id(&seed));
        prop_assert_ne!(id, deployment_id(&format!("{seed}x")));
    }

    #[test]
    fn every_legal_reference_is_read_back(family in "[A-Za-z0-9_-]{1,20}", revision in 1_i64..i64::MAX) {
        let read = task_definition_reference(&format!("{family}:{revision}"));
        prop_assert_eq!(read, Ok(reference(&family, Some(revision))));
    }

    #[test]
    fn no_text_makes_the_readers_fail_in_another_way(text in ".{0,30}") {
        let _ = task_definition_reference(&text);
        prop_assert!(text.contains(last_segment(&text)));
    }
}
