//! Every graph of up to four containers, and many of five and six, run by a kubelet that knows nothing of ECS.

use std::collections::BTreeMap;

use ecs::dependency::{Dependency, check_dependencies};

use super::*;

const CONDITIONS: [Condition; 4] = [Condition::Start, Condition::Healthy, Condition::Complete, Condition::Success];

/// `from` waits for `to`.
type Edge = (usize, usize, Condition);

/// What has happened to a container.
#[derive(Clone, Copy, Debug, Default)]
struct Life {
    started: bool,
    healthy: bool,
    exit: Option<u8>,
}

/// A container as the kubelet has it: init containers in their order, then main ones.
struct Pod {
    /// Index and whether it is a sidecar with or without a startup probe.
    init: Vec<(usize, Option<bool>)>,
    main: Vec<usize>,
}

fn pod(arranged: &[Placed]) -> Pod {
    let mut pod = Pod { init: Vec::new(), main: Vec::new() };
    for placed in arranged {
        match placed.place {
            Place::Init => pod.init.push((placed.index, None)),
            Place::Sidecar { is_waited_for } => pod.init.push((placed.index, Some(is_waited_for))),
            Place::Main => pod.main.push(placed.index),
        }
    }
    pod
}

/// Starts the containers as a kubelet would and calls `starts` before each with what has happened so far. `exits` are the
/// codes with which containers that run to an end do so; a kubelet goes no further behind one that failed.
fn kubelet(pod: &Pod, exits: &[u8], mut starts: impl FnMut(usize, &[Life])) {
    let mut lives = vec![Life::default(); exits.len()];
    for &(index, sidecar) in &pod.init {
        starts(index, &lives);
        lives[index].started = true;
        match sidecar {
            None => {
                lives[index].exit = Some(exits[index]);
                if exits[index] != 0 {
                    return;
                }
            }
            // A startup probe holds back what follows.
            Some(has_probe) => lives[index].healthy |= has_probe,
        }
    }
    for &index in &pod.main {
        starts(index, &lives);
        lives[index].started = true;
    }
}

/// Whether ECS would have let a container with this dependency start.
fn holds(condition: Condition, life: Life) -> bool {
    match condition {
        Condition::Start => life.started,
        Condition::Healthy => life.healthy,
        Condition::Complete => life.exit.is_some(),
        Condition::Success => life.exit == Some(0),
    }
}

/// Whether ECS would have let it start at the end of all: the dependency did what it was to do.
fn would_hold(condition: Condition, exit: u8) -> bool {
    condition != Condition::Success || exit == 0
}

/// Containers with edges `(from, to, condition)`: `from` waits for `to`. A container that must end is not essential.
fn containers(count: usize, edges: &[(usize, usize, Condition)]) -> Vec<DependentContainer> {
    let name = |index: usize| format!("c{index}");
    let mut containers: Vec<DependentContainer> = (0..count)
        .map(|index| DependentContainer {
            name: name(index),
            essential: !edges.iter().any(|(_, to, condition)| *to == index && condition.needs_exit()),
            has_health_check: true,
            ..DependentContainer::default()
        })
        .collect();
    for &(from, to, condition) in edges {
        containers[from].depends_on.push(Dependency { container: name(to), condition });
    }
    containers
}

/// The plan keeps every condition, or is refused, or says where it does not. Answers whether it is a plan.
fn check(containers: &[DependentContainer]) -> bool {
    let refused = !check_dependencies(containers).is_empty();
    let arranged = match arrange(containers) {
        Ok(arranged) if !refused => arranged,
        answer => {
            assert!(refused, "refused without a reason: {answer:?} {containers:?}");
            return false;
        }
    };
    assert_eq!(arrange(containers), Ok(arranged.clone()), "not the same order again");
    let mut once: Vec<usize> = arranged.iter().map(|placed| placed.index).collect();
    once.sort_unstable();
    assert_eq!(once, (0..containers.len()).collect::<Vec<_>>(), "every container once");
    let pod = pod(&arranged);
    assert!(!pod.main.is_empty(), "a Pod has a main container: {containers:?}");
    let index: BTreeMap<&str, usize> =
        containers.iter().enumerate().map(|(index, container)| (container.name.as_str(), index)).collect();
    let inits: Vec<usize> = pod.init.iter().filter(|(_, sidecar)| sidecar.is_none()).map(|(index, _)| *index).collect();
    // All end well, and then each of them badly.
    for failing in inits.iter().map(Some).chain([None]) {
        let exits: Vec<u8> = (0..containers.len()).map(|at| u8::from(Some(&at) == failing)).collect();
        let mut started = vec![false; containers.len()];
        kubelet(&pod, &exits, |at, lives| {
            started[at] = true;
            for item in &containers[at].depends_on {
                let said = deviation(&item.container, item.condition, containers);
                assert!(
                    holds(item.condition, lives[index[item.container.as_str()]]) || said.is_some(),
                    "{at} starts before {item:?}: {containers:?} as {arranged:?}"
                );
            }
        });
        for (at, container) in containers.iter().enumerate().filter(|(at, _)| !started[*at]) {
            // Only behind a failure does anything stay away, and it is said unless ECS would have kept it away too.
            assert!(failing.is_some(), "{at} never starts: {containers:?}");
            let kept_away_on_ecs = |container: &DependentContainer| {
                container
                    .depends_on
                    .iter()
                    .any(|item| !would_hold(item.condition, exits[index[item.container.as_str()]]))
            };
            let is_said = |item: &Dependency| deviation(&item.container, item.condition, containers).is_some();
            let whole_task_ends = containers.iter().any(kept_away_on_ecs);
            let anything_said = containers.iter().flat_map(|other| &other.depends_on).any(is_said);
            assert!(whole_task_ends || anything_said, "{at} {container:?} stays away unsaid: {containers:?}");
        }
    }
    true
}

/// Calls `with` for every choice of nothing or one of four conditions on every edge.
fn every(edges: &[(usize, usize)], chosen: &mut Vec<(usize, usize, Condition)>, with: &mut dyn FnMut(&[Edge])) {
    let Some(((from, to), rest)) = edges.split_first() else { return with(chosen) };
    every(rest, chosen, with);
    for condition in CONDITIONS {
        chosen.push((*from, *to, condition));
        every(rest, chosen, with);
        chosen.pop();
    }
}

fn permutations(count: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for _ in 0..count {
        all = all
            .into_iter()
            .flat_map(|one: Vec<usize>| {
                (0..count)
                    .filter(|next| !one.contains(next))
                    .map(|next| [one.clone(), vec![next]].concat())
                    .collect::<Vec<_>>()
            })
            .collect();
    }
    all
}

#[test]
fn when_any_graph_of_up_to_three_containers_is_arranged_then_its_conditions_hold_or_it_is_refused() {
    let mut plans = 0;
    for count in 1..=3 {
        let edges: Vec<(usize, usize)> =
            (0..count).flat_map(|from| (0..count).filter(move |to| *to != from).map(move |to| (from, to))).collect();
        every(&edges, &mut Vec::new(), &mut |chosen| plans += usize::from(check(&containers(count, chosen))));
    }
    // 1 alone; 1 + 2·4 of two; of three every one of 5⁶ = 15625 without a circle.
    assert_eq!(plans, 1 + 9 + 1 + 6 * 4 + 3 * 4 * 16 + 6 * 64, "graphs without a circle");
}

#[test]
fn when_any_graph_of_four_containers_without_a_circle_is_arranged_in_any_listing_then_its_conditions_hold() {
    let edges = [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)];
    let listings = permutations(4);
    assert_eq!(listings.len(), 24);
    let mut graphs = 0;
    every(&edges, &mut Vec::new(), &mut |chosen| {
        // Every listing of the smaller graphs; of the others one after the other in turn.
        let whole = chosen.len() <= 2;
        for listing in listings.iter().skip(if whole { 0 } else { graphs % 24 }).take(if whole { 24 } else { 1 }) {
            let listed: Vec<_> = chosen.iter().map(|&(from, to, how)| (listing[from], listing[to], how)).collect();
            assert!(check(&containers(4, &listed)));
        }
        graphs += 1;
    });
    assert_eq!(graphs, 5_usize.pow(6));
}

/// Numbers that look random and are the same every time.
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 33).unwrap()
}

#[test]
fn when_a_hundred_thousand_graphs_of_five_and_six_containers_are_arranged_then_conditions_hold_or_they_are_refused() {
    let mut state = 1;
    let mut plans = 0;
    for round in 0..100_000 {
        let count = 5 + round % 2;
        let listing = &mut (0..count).collect::<Vec<_>>();
        for at in (1..count).rev() {
            listing.swap(at, next(&mut state) % (at + 1));
        }
        // One in ten may have circles.
        let any_way = round % 10 == 0;
        let mut edges = Vec::new();
        for from in 0..count {
            for to in 0..count {
                if from != to && (from > to || any_way) && next(&mut state).is_multiple_of(3) {
                    edges.push((listing[from], listing[to], CONDITIONS[next(&mut state) % 4]));
                }
            }
        }
        plans += usize::from(check(&containers(count, &edges)));
    }
    assert!((90_000..100_000).contains(&plans), "{plans} plans, the others have circles");
}

#[test]
fn when_links_and_volumes_imply_dependencies_then_they_order_the_containers_too() {
    let mut list = containers(3, &[]);
    list[0].links = vec!["c1".to_owned()];
    list[1].volumes_from = vec!["c2".to_owned()];
    let arranged = arrange(&list).unwrap();
    let places: Vec<(usize, Place)> = arranged.iter().map(|placed| (placed.index, placed.place)).collect();
    // c2 only has to be there before c1, so it is a main container; a kubelet starts those as they are listed.
    assert_eq!(places, [(1, Place::Sidecar { is_waited_for: false }), (2, Place::Main), (0, Place::Main)]);
}
