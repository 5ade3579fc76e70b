use proptest::prelude::*;

use super::*;

fn container(name: &str, depends_on: &[(&str, Condition)]) -> DependentContainer {
    DependentContainer {
        name: name.to_owned(),
        depends_on: depends_on
            .iter()
            .map(|&(container, condition)| Dependency { container: container.to_owned(), condition })
            .collect(),
        ..DependentContainer::default()
    }
}

fn plain(name: &str) -> DependentContainer {
    container(name, &[])
}

fn refused(containers: &[DependentContainer]) -> Vec<(String, String)> {
    check_dependencies(containers).into_iter().map(|violation| (violation.path, violation.message)).collect()
}

fn names(containers: &[DependentContainer]) -> Vec<&str> {
    start_order(containers).unwrap().into_iter().map(|position| containers[position].name.as_str()).collect()
}

#[test]
fn when_dependencies_are_sound_then_nothing_is_refused() {
    let database = DependentContainer { has_health_check: true, essential: true, ..plain("db") };
    let containers = [
        DependentContainer {
            links: vec!["db".to_owned()],
            volumes_from: vec!["init".to_owned()],
            ..container("web", &[("db", Condition::Healthy), ("init", Condition::Success), ("log", Condition::Start)])
        },
        database,
        plain("init"),
        plain("log"),
    ];
    assert_eq!(refused(&containers), []);
    assert_eq!(names(&containers), ["db", "init", "log", "web"]);
}

#[test]
fn when_a_dependency_breaks_a_rule_then_item_and_reason_are_named() {
    let essential = DependentContainer { essential: true, ..plain("db") };
    for (containers, path, message) in [
        (
            vec![plain("a"), container("b", &[("a", Condition::Start), ("c", Condition::Start)])],
            "containerDefinitions[1].dependsOn[1].containerName",
            "there is no container \"c\"",
        ),
        (
            vec![container("a", &[("a", Condition::Start)])],
            "containerDefinitions[0].dependsOn[0].containerName",
            "a depends on itself",
        ),
        (
            vec![container("a", &[("b", Condition::Healthy)]), plain("b")],
            "containerDefinitions[0].dependsOn[0].condition",
            "HEALTHY needs a healthCheck on container b",
        ),
        (
            vec![container("a", &[("db", Condition::Complete)]), essential.clone()],
            "containerDefinitions[0].dependsOn[0].condition",
            "COMPLETE cannot be set on the essential container db: its exit ends the task",
        ),
        (
            vec![container("a", &[("db", Condition::Success)]), essential],
            "containerDefinitions[0].dependsOn[0].condition",
            "SUCCESS cannot be set on the essential container db: its exit ends the task",
        ),
        (
            vec![DependentContainer { links: vec!["x".to_owned()], ..plain("a") }],
            "containerDefinitions[0].links[0]",
            "there is no container \"x\"",
        ),
        (
            vec![DependentContainer { volumes_from: vec!["a".to_owned()], ..plain("a") }],
            "containerDefinitions[0].volumesFrom[0]",
            "a refers to itself",
        ),
    ] {
        assert_eq!(refused(&containers), [(path.to_owned(), message.to_owned())]);
    }
}

#[test]
fn when_dependencies_go_round_then_the_circle_is_spelled() {
    let two = [container("a", &[("b", Condition::Start)]), container("b", &[("a", Condition::Start)])];
    let circle = ("containerDefinitions[0].dependsOn".to_owned(), "circular dependency: a → b → a".to_owned());
    assert_eq!(refused(&two), [circle]);

    // `web` leads into the circle without being part of it; `links` closes it.
    let long = [
        container("web", &[("a", Condition::Start)]),
        container("a", &[("b", Condition::Start)]),
        container("b", &[("c", Condition::Start)]),
        DependentContainer { links: vec!["a".to_owned()], ..plain("c") },
        plain("log"),
    ];
    let violation = start_order(&long).unwrap_err();
    assert_eq!(violation.message, "circular dependency: a → b → c → a");
    assert_eq!(violation.path, "containerDefinitions[1].dependsOn");
}

#[test]
fn when_containers_are_independent_then_they_start_as_listed() {
    let containers = [plain("c"), plain("a"), container("x", &[("z", Condition::Start)]), plain("b"), plain("z")];
    assert_eq!(names(&containers), ["c", "a", "b", "z", "x"]);
}

#[test]
fn when_containers_stop_one_after_the_other_then_the_longest_chain_is_the_time_it_takes() {
    let timed =
        |container: DependentContainer, seconds| DependentContainer { stop_timeout: Some(seconds), ..container };
    let containers = [
        plain("web-without-timeout"),
        timed(container("web", &[("proxy", Condition::Start)]), 30),
        timed(plain("proxy"), 20),
        timed(plain("log"), 40),
    ];
    assert_eq!(stop_chain_seconds(&containers, DEFAULT_STOP_TIMEOUT_SECONDS), 50);
    assert_eq!(stop_chain_seconds(&containers[..1], DEFAULT_STOP_TIMEOUT_SECONDS), 30);
    assert_eq!(stop_chain_seconds(&containers, 60), 60);
    assert_eq!(stop_chain_seconds(&[], 30), 0);
    assert_eq!(grace_period_seconds(&containers, 300, 30), 350);
    let fan = [
        timed(container("top", &[("left", Condition::Start), ("right", Condition::Start)]), 5),
        timed(container("left", &[("bottom", Condition::Start)]), 10),
        timed(container("right", &[("bottom", Condition::Start)]), 100),
        timed(plain("bottom"), 1),
    ];
    assert_eq!(stop_chain_seconds(&fan, 30), 106);
}

#[test]
fn when_there_is_a_circle_then_the_time_covers_any_order() {
    let two = [container("a", &[("b", Condition::Start)]), container("b", &[("a", Condition::Start)])];
    assert_eq!(stop_chain_seconds(&two, 30), 60);
}

#[test]
fn when_a_condition_is_spelled_then_it_is_read_back() {
    for condition in [Condition::Start, Condition::Healthy, Condition::Complete, Condition::Success] {
        assert_eq!(Condition::parse(condition.as_str()), Some(condition));
    }
    assert_eq!(Condition::parse("start"), None);
}

/// Containers 0, 1, 2 … with edges between any two.
fn any_containers() -> impl Strategy<Value = Vec<DependentContainer>> {
    (1_usize..7).prop_flat_map(|count| {
        proptest::collection::vec((0..count, 0..count, 0_i64..60), 0..10).prop_map(move |edges| {
            let mut containers: Vec<DependentContainer> = (0..count).map(|index| plain(&index.to_string())).collect();
            for (from, to, timeout) in edges {
                containers[from].stop_timeout = Some(timeout);
                if from != to {
                    let container = to.to_string();
                    containers[from].depends_on.push(Dependency { container, condition: Condition::Start });
                }
            }
            containers
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn an_order_has_every_container_behind_its_dependencies_or_there_is_a_circle(containers in any_containers()) {
        match start_order(&containers) {
            Ok(order) => {
                let mut sorted = order.clone();
                sorted.sort_unstable();
                prop_assert_eq!(sorted, (0..containers.len()).collect::<Vec<_>>());
                let place = |position: usize| order.iter().position(|&placed| placed == position).unwrap();
                for (position, container) in containers.iter().enumerate() {
                    for dependency in &container.depends_on {
                        prop_assert!(place(dependency.container.parse().unwrap()) < place(position));
                    }
                }
                prop_assert_eq!(check_dependencies(&containers), vec![]);
            }
            Err(violation) => {
                let circle = violation.message.strip_prefix("circular dependency: ").unwrap();
                let members: Vec<&str> = circle.split(" → ").collect();
                prop_assert_eq!(members.first(), members.last());
                for step in members.windows(2) {
                    let from = &containers[step[0].parse::<usize>().unwrap()];
                    prop_assert!(from.depends_on.iter().any(|dependency| dependency.container == step[1]));
                }
                prop_assert_eq!(check_dependencies(&containers), vec![violation]);
            }
        }
    }

    #[test]
    fn a_chain_is_at_least_every_single_timeout_and_at_most_all_together(containers in any_containers()) {
        let timeouts = || containers.iter().map(|container| container.stop_timeout.unwrap_or(30));
        let chain = stop_chain_seconds(&containers, 30);
        prop_assert!(timeouts().max().unwrap() <= chain && chain <= timeouts().sum::<i64>());
    }
}

#[test]
fn when_a_task_definition_has_thousands_of_containers_then_order_and_circles_are_still_found_at_once() {
    let count = 5000;
    let chain = |last: &[(&str, Condition)]| -> Vec<DependentContainer> {
        let mut containers: Vec<DependentContainer> = (1..count)
            .map(|index| container(&(index - 1).to_string(), &[(&index.to_string(), Condition::Start)]))
            .collect();
        containers.push(container(&(count - 1).to_string(), last));
        containers
    };
    assert_eq!(start_order(&chain(&[])), Ok((0..count).rev().collect()));
    assert_eq!(stop_chain_seconds(&chain(&[]), 1), 5000);
    assert!(start_order(&chain(&[("0", Condition::Start)])).is_err());
    assert_eq!(check_dependencies(&chain(&[("0", Condition::Start)])).len(), 1);
}
