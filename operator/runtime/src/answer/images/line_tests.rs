use plan::Kind;

use super::*;

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn root(namespace: &str, name: &str) -> ObjectKey {
    ObjectKey::namespaced(Kind::Service, namespace, name)
}

fn query(root: &ObjectKey, deployment: &str, image: &str) -> ImageQuery {
    let (deployment, image) = (deployment.to_owned(), image.to_owned());
    ImageQuery { root: root.clone(), deployment, image, pull_secrets: Vec::new() }
}

impl Line {
    fn ask(&mut self, namespace: &str, name: &str, deployment: &str, images: &[String], now: Instant) -> Vec<Id> {
        let root = root(namespace, name);
        let queries = images.iter().map(|image| query(&root, deployment, image)).collect();
        self.want(&root, queries, now)
    }

    /// Everything that may be asked now.
    fn started(&mut self, now: Instant) -> Vec<Job> {
        std::iter::from_fn(|| match self.next(now) {
            Next::Ask(job) => Some(job),
            Next::Wait(_) | Next::Idle => None,
        })
        .collect()
    }

    fn is_forgetful(&self) -> bool {
        self.waiting.is_empty()
            && self.numbers.is_empty()
            && self.by_namespace.is_empty()
            && self.turns.is_empty()
            && self.running.is_empty()
            && self.pending.is_empty()
            && self.by_root.is_empty()
    }
}

/// Images of so many registries.
fn images(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("registry-{number}.example.com/app:1")).collect()
}

fn namespaces(jobs: &[Job]) -> Vec<&str> {
    jobs.iter().filter_map(|job| job.query.root.namespace.as_deref()).collect()
}

#[test]
fn when_one_namespace_asks_a_hundred_silent_registries_then_another_is_asked_at_once() {
    let (mut line, now) = (Line::default(), Instant::now());
    for service in 0..100 {
        line.ask("many", &service.to_string(), "1", &images(10), now);
    }
    assert_eq!(namespaces(&line.started(now)), ["many", "many"], "its two slots");
    line.ask("a", "web", "1", &images(1), now + seconds(5));
    assert_eq!(namespaces(&line.started(now + seconds(5))), ["a"]);
}

#[test]
fn when_several_namespaces_wait_then_they_take_turns() {
    let (mut line, now) = (Line::default(), Instant::now());
    for namespace in ["a", "b", "c"] {
        line.ask(namespace, "web", "1", &images(5), now);
    }
    let (mut now, mut order) = (now, Vec::new());
    for _ in 0..15 {
        // Registries are paced, so that one at a time is under way here.
        now += PACE;
        let Next::Ask(job) = line.next(now) else { panic!("nothing to ask") };
        order.extend(job.query.root.namespace.clone());
        line.answered(job.id, now);
    }
    assert_eq!(order.concat(), "abcabcabcabcabc");
    assert!(line.is_forgetful());
}

#[test]
fn when_services_of_a_namespace_run_one_image_then_its_registry_is_asked_once_for_all_of_them() {
    let (mut line, now) = (Line::default(), Instant::now());
    for service in ["one", "two", "three"] {
        line.ask("a", service, "1", &images(1), now);
    }
    line.ask("b", "web", "1", &images(1), now);
    let jobs = line.started(now);
    assert_eq!(namespaces(&jobs), ["a"], "the registry is paced");
    // Who asks while it is under way has to be told what is true now.
    line.ask("a", "late", "1", &images(1), now);
    let told = line.answered(jobs[0].id, now);
    let names: Vec<&str> = told.iter().map(|query| query.root.name.as_str()).collect();
    assert_eq!(names, ["one", "three", "two"]);
    let jobs: Vec<Job> = [1, 2].map(|times| line.started(now + PACE * times)).concat();
    let names: Vec<&str> = jobs.iter().map(|job| job.query.root.name.as_str()).collect();
    assert_eq!(names, ["web", "late"]);
}

#[test]
fn when_nobody_wants_to_know_any_more_then_the_question_is_withdrawn_and_its_slot_is_free() {
    let (mut line, now) = (Line::default(), Instant::now());
    for force in 0..1_000 {
        let abandoned = line.ask("many", "web", &force.to_string(), &images(10), now + seconds(force) / 100);
        line.started(now + seconds(force) / 100);
        assert!(force == 0 || abandoned.len() == 2, "{force}: {abandoned:?}");
        assert_eq!((line.pending.len(), line.running.len()), (10, 2), "those of the newest deployment");
    }
    // The service is deleted.
    let abandoned = line.want(&root("many", "web"), BTreeSet::new(), now);
    assert_eq!(abandoned.len(), 2);
    assert!(line.is_forgetful());
}

#[test]
fn when_a_question_fails_then_it_waits_for_its_time_and_others_go_on() {
    let (mut line, now) = (Line::default(), Instant::now());
    line.ask("a", "web", "1", &images(1), now);
    let jobs = line.started(now);
    line.failed(jobs[0].id, "busy".to_owned(), now + seconds(2));
    line.ask("b", "web", "1", &images(3)[1..], now);
    assert_eq!(namespaces(&line.started(now)), ["b", "b"]);
    assert!(matches!(line.next(now), Next::Wait(time) if time == now + seconds(2)));
    let again = line.started(now + seconds(2));
    assert_eq!((again.len(), again[0].tries), (1, 1));
}

#[test]
fn when_a_question_is_a_minute_old_then_it_is_given_up_with_what_was_said_last() {
    let (mut line, now) = (Line::default(), Instant::now());
    line.ask("a", "web", "1", &images(4), now);
    let jobs = line.started(now);
    line.failed(jobs[0].id, "busy".to_owned(), now + seconds(59));
    assert!(line.expired(now + seconds(59)).is_empty());
    let mut errors: Vec<Option<String>> = line.expired(now + OLDEST).into_iter().map(|(_, error)| error).collect();
    errors.sort();
    assert_eq!(errors, [None, None, Some("busy".to_owned())], "and one is under way, with a deadline of its own");
    assert_eq!(jobs[1].until, now + OLDEST);
    line.answered(jobs[1].id, now + OLDEST);
    assert!(line.is_forgetful());
    // It is answered: the plan reads that, and asks on until all are.
    assert!(line.ask("a", "web", "1", &images(4), now + OLDEST).is_empty() && line.started(now + OLDEST).is_empty());
    assert_eq!(line.forgotten(now + OLDEST + MEMORY - seconds(1)).len(), 0);
    assert_eq!(line.forgotten(now + OLDEST + MEMORY).len(), 4);
}

#[test]
fn when_many_ask_one_registry_then_four_do_at_a_time_and_fifty_a_second() {
    let (mut line, now) = (Line::default(), Instant::now());
    for namespace in 0..6 {
        let images: Vec<String> = (0..4).map(|tag| format!("example.com/app:{tag}")).collect();
        line.ask(&namespace.to_string(), "web", "1", &images, now);
    }
    let started: Vec<usize> = (0..6).map(|turn| line.started(now + PACE * turn).len()).collect();
    assert_eq!(started, [1, 1, 1, 1, 0, 0]);
}
