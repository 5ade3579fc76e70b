use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use plan::{Kind, World as _};
use tokio::time::Instant;

use super::*;
use crate::act::queue::{Finish, Queue, Timing, Unobserved};

/// Returns what it holds; with `None` it never answers.
#[derive(Debug, Default)]
struct Table {
    answer: Mutex<Option<Result<Vec<Alert>, SourceError>>>,
    asked: Mutex<Vec<Instant>>,
}

impl Source for Table {
    fn firing(&self) -> BoxFuture<'_, Result<Vec<Alert>, SourceError>> {
        async {
            self.asked.lock().unwrap().push(Instant::now());
            let answer = self.answer.lock().unwrap().clone();
            match answer {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        }
        .boxed()
    }
}

impl Table {
    fn set(&self, answer: Result<Vec<Alert>, SourceError>) {
        *self.answer.lock().unwrap() = Some(answer);
    }

    fn requests(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

struct Fixture {
    table: Arc<Table>,
    intake: Arc<Intake>,
    watcher: Arc<Watcher>,
    end: CancellationToken,
    began: Instant,
}

fn start() -> Fixture {
    let (table, metrics) = (Arc::new(Table::default()), Arc::new(Metrics::default()));
    table.set(Ok(Vec::new()));
    let intake = Arc::new(Intake::new(Queue::new(Timing::default(), Unobserved), Arc::clone(&metrics)));
    let source = Arc::clone(&table) as Arc<dyn Source>;
    let watcher = Arc::new(Watcher::new(source, Arc::clone(&intake), metrics));
    let end = CancellationToken::new();
    let (running, ended) = (Arc::clone(&watcher), end.clone());
    tokio::spawn(async move { running.run(ended).await });
    Fixture { table, intake, watcher, end, began: Instant::now() }
}

impl Fixture {
    /// The plan of a root depends on these alarms.
    fn want(&self, root: &ObjectKey, queries: &[AlarmQuery]) {
        let questions: Vec<Question> = queries.iter().cloned().map(Question::Alarm).collect();
        self.watcher.want(root, &questions);
    }

    /// Waits until this root is asked for.
    async fn woken(&self, root: &ObjectKey) {
        let job = timeout(Duration::from_mins(1), self.intake.queue.next()).await.unwrap().unwrap();
        assert_eq!(job.key, *root);
        self.intake.queue.finish(&job, Finish::Done { wake: None });
    }

    fn state(&self, query: &AlarmQuery) -> Option<AlarmState> {
        self.intake.store.snapshot().answers().get(query).cloned()
    }

    fn requests(&self) -> Vec<u64> {
        let asked = self.table.asked.lock().unwrap();
        asked.iter().map(|at| at.duration_since(self.began).as_secs()).collect()
    }
}

fn root(namespace: &str) -> ObjectKey {
    ObjectKey::namespaced(Kind::Service, namespace, "web")
}

fn query(namespace: &str, name: &str) -> AlarmQuery {
    AlarmQuery { root: root(namespace), name: name.to_owned() }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn alert(name: &str, namespace: Option<&str>, since: &str) -> Alert {
    Alert { name: name.to_owned(), namespace: namespace.map(ToOwned::to_owned), since: at(since) }
}

#[tokio::test(start_paused = true)]
async fn when_alarms_are_named_then_they_are_asked_for_at_once_and_every_15_seconds_until_they_are_not() {
    let fixture = start();
    sleep(Duration::from_mins(5)).await;
    assert_eq!(fixture.table.requests(), 0);

    let query = query("a", "errors");
    fixture.want(&query.root, std::slice::from_ref(&query));
    fixture.woken(&query.root).await;
    assert_eq!(fixture.state(&query), Some(AlarmState::Ok));
    // Plans that name the same alarm again change nothing.
    for _ in 0..38 {
        fixture.want(&query.root, std::slice::from_ref(&query));
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(fixture.requests(), [300, 315, 330]);

    fixture.want(&query.root, &[]);
    assert_eq!(fixture.state(&query), None);
    sleep(Duration::from_mins(5)).await;
    assert_eq!((fixture.table.requests(), fixture.state(&query)), (3, None));
    fixture.end.cancel();
}

#[tokio::test(start_paused = true)]
async fn when_an_alarm_changes_then_its_root_is_asked_for_and_no_other() {
    let fixture = start();
    let queries = [query("a", "errors"), query("a", "slow"), query("b", "errors")];
    fixture.want(&root("b"), &queries[2..]);
    fixture.woken(&root("b")).await;
    fixture.want(&root("a"), &queries[..2]);
    fixture.woken(&root("a")).await;

    let (early, late) = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:09Z");
    fixture.table.set(Ok(vec![
        alert("errors", Some("a"), late),
        alert("errors", Some("a"), early),
        alert("others", None, early),
    ]));
    fixture.woken(&root("a")).await;
    let states: Vec<_> = queries.iter().map(|query| fixture.state(query).unwrap()).collect();
    assert_eq!(states, [AlarmState::Alarm { since: at(early) }, AlarmState::Ok, AlarmState::Ok]);
    let another = timeout(Duration::from_mins(5), fixture.intake.queue.next()).await;
    assert!(another.is_err(), "{another:?}");

    // Without a namespace an alert is about all of them.
    fixture.table.set(Ok(vec![alert("errors", Some("a"), early), alert("errors", None, late)]));
    fixture.woken(&root("b")).await;
    assert_eq!(fixture.state(&queries[2]), Some(AlarmState::Alarm { since: at(late) }));
    fixture.end.cancel();
}

#[tokio::test(start_paused = true)]
async fn when_many_services_begin_to_ask_then_it_is_one_request_a_second() {
    let fixture = start();
    for number in 0..1_000 {
        let query = query(&format!("n{number}"), "errors");
        fixture.want(&query.root, std::slice::from_ref(&query));
        sleep(Duration::from_millis(2)).await;
    }
    sleep(Duration::from_secs(2)).await;
    assert_eq!(fixture.requests(), [0, 1, 2]);
    assert_eq!(fixture.state(&query("n999", "errors")), Some(AlarmState::Ok));
    fixture.end.cancel();
}

#[tokio::test(start_paused = true)]
async fn when_the_source_fails_twice_then_alarms_are_unknown_until_it_answers() {
    let fixture = start();
    let query = query("a", "errors");
    let error = SourceError { reason: "not now".to_owned(), category: "unreachable" };
    fixture.table.set(Err(error));
    fixture.want(&query.root, std::slice::from_ref(&query));
    fixture.woken(&query.root).await;
    assert_eq!(fixture.state(&query), Some(AlarmState::Unknown("not now".to_owned())));
    assert_eq!(fixture.requests(), [0, 1]);

    fixture.table.set(Ok(Vec::new()));
    fixture.woken(&query.root).await;
    assert_eq!(fixture.state(&query), Some(AlarmState::Ok));

    *fixture.table.answer.lock().unwrap() = None;
    fixture.woken(&query.root).await;
    let reason = "the source of alarms did not answer within 5 seconds";
    assert_eq!(fixture.state(&query), Some(AlarmState::Unknown(reason.to_owned())));
    fixture.end.cancel();
}
