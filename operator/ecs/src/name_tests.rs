use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn is_dns_label(text: &str, max: usize) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=max).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

fn ends_in_hash_of(text: &str, original: &str) -> bool {
    text.ends_with(&format!("-{}", hex(original, 8)))
}

#[test]
fn when_sha256_is_asked_for_then_it_is_the_one_everybody_else_computes() {
    assert_eq!(short_hash("abc"), "ba7816bf8f");
    assert_eq!(short_hash(""), "e3b0c44298");
}

#[test]
fn when_a_name_is_legal_then_it_stays() {
    for name in ["web", "my-app", "a", "1", "a--b", "web-2024", "web-deadbeef0", "web-DEADBEE".to_lowercase().as_str()]
    {
        assert_eq!(dns_label(name, 63), name);
    }
    assert_eq!(dns_label(&"a".repeat(63), 63), "a".repeat(63));
}

#[test]
fn when_a_name_is_not_legal_then_it_is_cleaned_and_carries_a_hash_of_the_original() {
    for (original, stem) in [
        ("My_App", "my-app-"),
        ("my_app", "my-app-"),
        ("-web-", "web-"),
        ("_web", "web-"),
        ("wéb", "w-b-"),
        ("A", "a-"),
    ] {
        let label = dns_label(original, 63);
        assert_eq!(label, format!("{stem}{}", hex(original, 8)));
    }
}

#[test]
fn when_nothing_legal_is_left_then_the_hash_alone_is_the_name() {
    for original in ["", "___", "é", "-"] {
        let label = dns_label(original, 63);
        assert_eq!(label, format!("n{}", hex(original, 8)));
        assert!(is_dns_label(&dns_1035_label(original, 63), 63));
    }
}

#[test]
fn when_a_name_is_too_long_then_it_is_cut_for_the_hash() {
    let long = "a".repeat(255);
    let label = dns_label(&long, 63);
    assert_eq!(label, format!("{}-{}", "a".repeat(54), hex(&long, 8)));
    let cut_at_hyphen = format!("{}-b{}", "a".repeat(53), "c".repeat(20));
    assert_eq!(dns_label(&cut_at_hyphen, 63), format!("{}-{}", "a".repeat(53), hex(&cut_at_hyphen, 8)));
}

#[test]
fn when_somebody_takes_the_name_that_another_one_becomes_then_they_still_differ() {
    let taken = dns_label("My_App", 63);
    assert_ne!(dns_label(&taken, 63), taken);
    let taken = dns_label("___", 63);
    assert_ne!(dns_label(&taken, 63), taken);
    let taken = label_value("a b");
    assert_ne!(label_value(&taken), taken);
}

#[test]
fn when_a_service_name_starts_with_a_digit_then_a_letter_leads() {
    assert_eq!(dns_1035_label("web", 63), "web");
    assert_eq!(dns_1035_label("1-api", 63), format!("n1-api-{}", hex("1-api", 8)));
    assert!(dns_1035_label("Web", 63).starts_with("web-"));
}

#[test]
fn when_a_child_has_a_plain_suffix_then_the_name_is_both_joined() {
    assert_eq!(child_name("web", "fargate", 63), "web-fargate");
    assert_eq!(child_name("web-2", "7", 63), "web-2-7");
}

#[test]
fn when_two_pairs_would_read_the_same_then_their_names_differ() {
    let spot = child_name("api", "fargate-spot", 63);
    assert!(spot.starts_with("api-fargate-spot-"), "{spot}");
    assert_eq!(child_name("api-fargate", "spot", 63), "api-fargate-spot");
    let hash = spot.rsplit('-').next().unwrap();
    assert_ne!(child_name("api-fargate-spot", hash, 63), spot);
    assert_ne!(child_name("api", "", 63), child_name("api", "x", 63));
}

#[test]
fn when_a_child_name_is_too_long_then_root_and_suffix_are_both_in_the_hash() {
    let root = "r".repeat(60);
    let (one, two) = (child_name(&root, "one", 63), child_name(&root, "two", 63));
    assert_ne!(one, two);
    assert!(is_dns_label(&one, 63) && is_dns_label(&two, 63));
}

#[test]
fn when_a_port_name_is_legal_then_it_stays_otherwise_it_carries_a_hash() {
    for name in ["http", "web-1", "9p", "a".repeat(15).as_str()] {
        assert_eq!(port_name(name), name);
    }
    assert_eq!(port_name("web_admin_backend"), format!("web-ad-{}", hex("web_admin_backend", 8)));
    assert_eq!(port_name("8080"), format!("p8080-{}", hex("8080", 8)));
    assert_eq!(port_name("a--b"), format!("a-b-{}", hex("a--b", 8)));
}

#[test]
fn when_a_label_value_is_legal_then_it_stays_also_with_capitals_dots_and_nothing() {
    for value in ["", "My_App", "a", "1.2.3", "web.deadbee", "a".repeat(63).as_str()] {
        assert_eq!(label_value(value), value);
    }
    assert_eq!(label_value("family:3"), format!("family-3.{}", hex("family:3", 8)));
    assert_eq!(label_value("_web_"), format!("web.{}", hex("_web_", 8)));
    assert_eq!(label_value(&"a".repeat(64)), format!("{}.{}", "a".repeat(54), hex(&"a".repeat(64), 8)));
}

#[test]
fn when_ecs_would_accept_a_name_then_so_do_we() {
    for name in ["a", "My_App-2", "_", "-", "a".repeat(255).as_str()] {
        assert!(is_ecs_name(name), "{name}");
    }
    for name in ["", "a b", "a/b", "a.b", "é", "a\n", "a".repeat(256).as_str()] {
        assert!(!is_ecs_name(name), "{name}");
    }
}

/// Names of ECS, hostile texts, and names that are close to each other.
fn any_name() -> impl Strategy<Value = String> {
    prop_oneof!["[A-Za-z0-9_-]{1,40}", "[aA_-]{1,6}", "[a-f0-9-]{1,12}", ".{0,70}", "[a-z0-9]{1,6}-[0-9a-f]{8}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_label_is_legal_and_fits(original in any_name(), max in 10_usize..=63) {
        prop_assert!(is_dns_label(&dns_label(&original, max), max));
        let service = dns_1035_label(&original, max);
        prop_assert!(is_dns_label(&service, max) && service.starts_with(|c: char| c.is_ascii_lowercase()));
        prop_assert!(is_dns_label(&child_name(&original, "web", max), max));
        prop_assert!(is_dns_label(&child_name("web", &original, max), max));
    }

    #[test]
    fn even_a_tiny_maximum_is_kept(original in any_name(), max in 1_usize..10) {
        prop_assert!(is_dns_label(&dns_label(&original, max), max));
        prop_assert!(is_dns_label(&dns_1035_label(&original, max), max));
    }

    #[test]
    fn every_port_name_has_a_letter_and_no_doubled_hyphen(original in any_name()) {
        let port = port_name(&original);
        prop_assert!(is_dns_label(&port, 15), "{}", port);
        prop_assert!(port.bytes().any(|b| b.is_ascii_lowercase()) && !port.contains("--"), "{}", port);
    }

    #[test]
    fn every_label_value_is_legal(original in any_name()) {
        let value = label_value(&original);
        prop_assert!(value.len() <= 63 && value.chars().all(is_label_character), "{}", value);
        let alphanumeric = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
        prop_assert!(alphanumeric(value.chars().next()) && alphanumeric(value.chars().last()), "{}", value);
    }

    #[test]
    fn a_changed_name_ends_in_the_hash_of_its_original(original in any_name()) {
        let label = dns_label(&original, 63);
        let bare_hash = format!("n{}", hex(&original, 8));
        prop_assert!(label == original || ends_in_hash_of(&label, &original) || label == bare_hash);
    }

    #[test]
    fn different_names_stay_different(originals in proptest::collection::btree_set(any_name(), 2..12)) {
        let mut names: BTreeMap<(u8, String), &str> = BTreeMap::new();
        for original in &originals {
            let forms = [dns_label(original, 63), dns_1035_label(original, 63), port_name(original), label_value(original)];
            for (kind, form) in (0_u8..).zip(forms) {
                let other = names.insert((kind, form), original);
                prop_assert_eq!(other, None);
            }
        }
    }

    #[test]
    fn different_pairs_of_root_and_suffix_have_different_names(
        root in "[a-c-]{1,4}", suffix in "[a-c-]{1,4}", other_root in "[a-c-]{1,4}", other_suffix in "[a-c-]{1,4}",
    ) {
        prop_assume!((&root, &suffix) != (&other_root, &other_suffix));
        prop_assert_ne!(child_name(&root, &suffix, 63), child_name(&other_root, &other_suffix, 63));
    }
}
