use std::sync::Arc;

use proptest::prelude::*;

use super::*;

fn key(name: &str) -> ObjectKey {
    ObjectKey::namespaced(Kind::Service, "a", name)
}

fn queue() -> Queue {
    Queue::new(Timing::default(), Unobserved)
}

const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

const BACKOFF: Backoff = Backoff { first: millis(500), longest: Duration::from_mins(1) };

/// The time until the next run is due, which is then running.
async fn next(queue: &Queue) -> (Job, Duration) {
    let before = Instant::now();
    let job = queue.next().await.expect("an open queue");
    (job, before.elapsed())
}

async fn is_idle(queue: &Queue, time: Duration) -> bool {
    tokio::time::timeout(time, queue.next()).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn when_a_key_is_requested_many_times_then_it_runs_once_after_the_silence() {
    let queue = queue();
    for _ in 0..3 {
        queue.request(&key("web"));
        tokio::time::advance(millis(30)).await;
    }
    let (job, waited) = next(&queue).await;
    assert_eq!(job.key, key("web"));
    assert_eq!(waited, millis(20), "50 ms after the last request, of which 30 had passed");
    queue.finish(&job, Finish::Done { wake: None });
    assert!(is_idle(&queue, Duration::from_hours(1)).await);
}

#[tokio::test(start_paused = true)]
async fn when_requests_never_stop_then_the_first_still_runs_in_time() {
    let queue = Arc::new(queue());
    let endless = Arc::clone(&queue);
    let requests = tokio::spawn(async move {
        loop {
            endless.request(&key("web"));
            tokio::time::sleep(millis(10)).await;
        }
    });
    tokio::time::sleep(millis(1)).await;
    let (_, waited) = next(&queue).await;
    requests.abort();
    assert!(waited <= millis(200), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn when_a_key_runs_then_it_is_not_run_again_until_it_finished_and_then_once() {
    let queue = queue();
    queue.request(&key("web"));
    let (job, _) = next(&queue).await;
    queue.request(&key("web"));
    queue.request(&key("web"));
    assert!(is_idle(&queue, Duration::from_mins(1)).await, "one run at a time");
    queue.finish(&job, Finish::Done { wake: None });
    let (again, waited) = next(&queue).await;
    assert_eq!(waited, millis(200), "remembered, and spaced");
    queue.finish(&again, Finish::Done { wake: None });
    assert!(is_idle(&queue, Duration::from_mins(1)).await);
}

#[tokio::test(start_paused = true)]
async fn when_a_run_asks_for_a_time_then_it_comes_then_and_not_earlier() {
    let queue = queue();
    queue.request(&key("web"));
    let (job, _) = next(&queue).await;
    queue.finish(&job, Finish::Done { wake: Some(Instant::now() + Duration::from_secs(40)) });
    let (job, waited) = next(&queue).await;
    assert!(waited >= Duration::from_secs(40) && waited < millis(40_002), "{waited:?}");
    queue.finish(&job, Finish::Done { wake: None });
    assert!(is_idle(&queue, Duration::from_hours(1)).await, "each run says anew when to come back");
}

#[tokio::test(start_paused = true)]
async fn when_news_come_before_a_wake_up_then_they_run_at_once_and_replace_it() {
    let queue = queue();
    queue.request(&key("web"));
    let (job, _) = next(&queue).await;
    queue.finish(&job, Finish::Done { wake: Some(Instant::now() + Duration::from_secs(40)) });
    tokio::time::advance(Duration::from_secs(10)).await;
    queue.request(&key("web"));
    let (job, waited) = next(&queue).await;
    assert_eq!(waited, millis(50));
    queue.finish(&job, Finish::Done { wake: None });
    assert!(is_idle(&queue, Duration::from_hours(1)).await);
}

#[tokio::test(start_paused = true)]
async fn when_a_key_keeps_failing_then_it_waits_longer_each_time_and_forgets_it_on_success() {
    let queue = queue();
    queue.request(&key("web"));
    let (mut job, _) = next(&queue).await;
    for (failures, least) in [(1, 500), (2, 1000), (3, 2000), (4, 4000)] {
        queue.finish(&job, Finish::Failed { backoff: BACKOFF });
        let waited;
        (job, waited) = next(&queue).await;
        assert_eq!(job.failures, failures);
        assert!(waited >= millis(least) && waited <= millis(least * 6 / 5 + 1), "{failures}: {waited:?}");
    }
    queue.finish(&job, Finish::Done { wake: None });
    queue.request(&key("web"));
    let (job, _) = next(&queue).await;
    assert_eq!(job.failures, 0);
}

#[tokio::test(start_paused = true)]
async fn when_news_bring_a_failing_key_forward_then_its_failure_is_not_counted_again() {
    let queue = queue();
    queue.request(&key("web"));
    let (job, _) = next(&queue).await;
    let slow = Backoff { first: Duration::from_secs(30), longest: Duration::from_mins(5) };
    queue.finish(&job, Finish::Failed { backoff: slow });
    for _ in 0..5 {
        queue.request(&key("web"));
        let (job, waited) = next(&queue).await;
        assert!(waited <= Duration::from_millis(1_500), "news are not held back: {waited:?}");
        assert_eq!(job.failures, 1);
        queue.finish(&job, Finish::Failed { backoff: slow });
    }
    let (job, waited) = next(&queue).await;
    assert!(waited > Duration::from_secs(20), "the retry stays where the first failure put it: {waited:?}");
    assert_eq!(job.failures, 1);
}

#[tokio::test(start_paused = true)]
async fn when_a_run_is_gated_then_it_is_tried_again_soon_and_counts_as_no_run() {
    let queue = queue();
    queue.request(&key("web"));
    for _ in 0..20 {
        let (job, _) = next(&queue).await;
        queue.finish(&job, Finish::Gated);
        let (job, waited) = next(&queue).await;
        assert_eq!(waited, millis(75));
        assert_eq!(job.failures, 0);
        queue.finish(&job, Finish::Gated);
    }
}

/// How often a key runs while it is asked for every 60 ms for a minute.
async fn runs_in_a_minute(key: ObjectKey) -> usize {
    let queue = Arc::new(queue());
    let pods = Arc::clone(&queue);
    let start = Instant::now();
    let churn = tokio::spawn(async move {
        for _ in 0..1000 {
            pods.request(&key);
            tokio::time::sleep(millis(60)).await;
        }
        pods.close();
    });
    let mut runs = 0;
    while let Some(job) = queue.next().await {
        runs += 1;
        queue.finish(&job, Finish::Done { wake: None });
    }
    churn.await.unwrap();
    assert!(start.elapsed() >= Duration::from_mins(1));
    runs
}

#[tokio::test(start_paused = true)]
async fn when_a_thousand_pods_start_within_a_minute_then_a_few_dozen_runs_are_enough() {
    let runs = runs_in_a_minute(key("web")).await;
    assert!((20..=45).contains(&runs), "{runs}");
}

#[tokio::test(start_paused = true)]
async fn when_a_cluster_only_counts_then_it_does_so_every_few_seconds() {
    let runs = runs_in_a_minute(ObjectKey::namespaced(Kind::Cluster, "a", "main")).await;
    assert!((10..=20).contains(&runs), "{runs}");
}

/// How long the service of a namespace waits for each of its runs on average, while another namespace has so many services
/// that change all the time. Each run takes 100 ms, of 16 at a time.
async fn wait_beside(changing: usize) -> Duration {
    const WORKERS: usize = 16;
    let queue = queue().with_share(WORKERS - WORKERS / 4);
    let mut running: VecDeque<(Instant, Job)> = VecDeque::new();
    let own = ObjectKey::namespaced(Kind::Service, "b", "web");
    let (mut waited, mut runs) = (Duration::ZERO, 0);
    queue.request(&own);
    (0..changing).for_each(|name| queue.request(&key(&name.to_string())));
    let end = Instant::now() + Duration::from_mins(1);
    while Instant::now() < end {
        while running.front().is_some_and(|(until, _)| *until <= Instant::now()) {
            let (_, job) = running.pop_front().unwrap();
            queue.finish(&job, Finish::Done { wake: None });
            queue.request(&job.key);
        }
        if running.len() < WORKERS
            && let Ok(Some(job)) = tokio::time::timeout(millis(1), queue.next()).await
        {
            if job.key == own {
                waited += job.waited;
                runs += 1;
            }
            running.push_back((Instant::now() + millis(100), job));
        } else {
            tokio::time::advance(millis(1)).await;
        }
    }
    assert!(runs >= 20, "{runs}");
    waited / runs
}

#[tokio::test(start_paused = true)]
async fn when_a_namespace_has_thousands_of_changing_services_then_another_one_waits_hardly_longer() {
    let (alone, beside) = (wait_beside(0).await, wait_beside(5_000).await);
    assert!(beside <= alone * 3 / 2, "{alone:?} alone, {beside:?} beside");
}

#[tokio::test(start_paused = true)]
async fn when_runs_of_one_namespace_do_not_end_then_others_still_run() {
    let queue = queue().with_share(2);
    for name in ["one", "two", "three", "four"] {
        queue.request(&key(name));
    }
    queue.next().await.unwrap();
    queue.next().await.unwrap();
    assert!(is_idle(&queue, Duration::from_mins(1)).await);
    let other = ObjectKey::namespaced(Kind::Service, "b", "web");
    queue.request(&other);
    assert_eq!(queue.next().await.unwrap().key, other);
}

#[tokio::test(start_paused = true)]
async fn when_keys_have_rested_then_nothing_of_them_is_kept() {
    let queue = queue();
    for number in 0..100 {
        queue.request(&key(&number.to_string()));
    }
    for _ in 0..100 {
        let (job, _) = next(&queue).await;
        queue.finish(&job, Finish::Done { wake: None });
    }
    tokio::time::advance(Duration::from_secs(6)).await;
    queue.request(&key("another"));
    next(&queue).await;
    assert_eq!(queue.lock().entries.len(), 1);
    assert!(queue.lock().later.is_empty() && queue.lock().ready.is_empty());
}

#[tokio::test(start_paused = true)]
async fn when_the_queue_is_closed_then_nothing_comes_any_more() {
    let queue = queue();
    queue.request(&key("web"));
    queue.close();
    assert_eq!(queue.next().await, None);
}

proptest! {
    /// Whatever happens in whatever order: no key runs twice at a time, and every request is followed by a run.
    #[test]
    fn every_request_is_followed_by_a_run_of_its_own_key(steps in proptest::collection::vec((0_u8..4, 0_usize..4), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let queue = queue();
            let names = ["a", "b", "c", "d"];
            let mut running: Vec<Job> = Vec::new();
            let mut owed: BTreeSet<ObjectKey> = BTreeSet::new();
            for (action, index) in steps {
                match action {
                    0 => {
                        queue.request(&key(names[index]));
                        owed.insert(key(names[index]));
                    }
                    1 => {
                        if let Ok(Some(job)) = tokio::time::timeout(millis(40), queue.next()).await {
                            assert!(running.iter().all(|other| other.key != job.key), "twice at a time");
                            owed.remove(&job.key);
                            running.push(job);
                        }
                    }
                    2 if !running.is_empty() => {
                        let job = running.swap_remove(index % running.len());
                        queue.finish(&job, Finish::Done { wake: None });
                    }
                    3 if !running.is_empty() => {
                        let job = running.swap_remove(index % running.len());
                        queue.finish(&job, Finish::Failed { backoff: BACKOFF });
                    }
                    _ => tokio::time::advance(millis(70)).await,
                }
            }
            for job in running.drain(..) {
                queue.finish(&job, Finish::Done { wake: None });
            }
            while let Ok(Some(job)) = tokio::time::timeout(Duration::from_mins(2), queue.next()).await {
                owed.remove(&job.key);
                queue.finish(&job, Finish::Done { wake: None });
            }
            assert!(owed.is_empty(), "{owed:?}");
        });
    }
}
