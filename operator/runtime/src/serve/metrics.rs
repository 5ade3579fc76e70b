//! What is counted and timed, under the names dashboards for controller-runtime already know, plus our own per step.
//!
//! Every label has a small closed set of values: kinds, verbs, steps, categories, status codes. Names of objects never
//! become labels.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use plan::Kind;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::act::queue::Observer;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ControllerLabel {
    controller: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    controller: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NameLabel {
    name: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    code: String,
    method: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepLabel {
    step: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OpLabels {
    verb: &'static str,
    kind: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

/// Seconds; the same bounds for all histograms, from half a millisecond to a minute.
const BUCKETS: [f64; 14] = [0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

fn histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

type Timings<L> = Family<L, Histogram, fn() -> Histogram>;

fn timings<L: Clone + Eq + std::hash::Hash>() -> Timings<L> {
    Family::new_with_constructor(histogram)
}

/// How a reconcile ended, as controller-runtime names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReconcileResult {
    /// All is well.
    Success,
    /// It will be tried again.
    Error,
    /// It asked to be called at a time.
    RequeueAfter,
    /// It waits for the cache to show its own writes.
    Requeue,
}

impl ReconcileResult {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::RequeueAfter => "requeue_after",
            Self::Requeue => "requeue",
        }
    }
}

/// All metrics of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reconciles: Family<ResultLabels, Counter>,
    reconcile_errors: Family<ControllerLabel, Counter>,
    reconcile_seconds: Timings<ControllerLabel>,
    slow_plans: Family<ControllerLabel, Counter>,
    active_workers: Family<ControllerLabel, Gauge>,
    max_workers: Family<ControllerLabel, Gauge>,
    queue_depth: Family<NameLabel, Gauge>,
    queue_adds: Family<NameLabel, Counter>,
    queue_retries: Family<NameLabel, Counter>,
    queue_seconds: Timings<NameLabel>,
    leader: Family<NameLabel, Gauge>,
    requests: Family<RequestLabels, Counter>,
    step_seconds: Timings<StepLabel>,
    ops: Family<OpLabels, Counter>,
    objects: Family<KindLabel, Gauge>,
    watch_restarts: Family<KindLabel, Counter>,
    unread_objects: Family<KindLabel, Counter>,
    notices: Family<ResultOnly, Counter>,
    notices_waiting: Gauge,
    image_resolutions: Family<ResultOnly, Counter>,
    alarm_requests: Family<ResultOnly, Counter>,
    resident: Gauge<f64, AtomicU64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultOnly {
    result: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        macro_rules! register {
            ($value:expr, $name:literal, $help:literal) => {{
                let metric = $value;
                registry.register($name, $help, metric.clone());
                metric
            }};
        }
        Self {
            reconciles: register!(Family::default(), "controller_runtime_reconcile", "Reconciles by result"),
            reconcile_errors: register!(
                Family::default(),
                "controller_runtime_reconcile_errors",
                "Reconciles that failed and are tried again"
            ),
            reconcile_seconds: register!(
                timings(),
                "controller_runtime_reconcile_time_seconds",
                "Length of reconciles"
            ),
            slow_plans: register!(
                Family::default(),
                "ecs_operator_slow_plans",
                "Plans that took longer than two seconds; the log names their objects"
            ),
            active_workers: register!(
                Family::default(),
                "controller_runtime_active_workers",
                "Reconciles under way, per kind"
            ),
            max_workers: register!(
                Family::default(),
                "controller_runtime_max_concurrent_reconciles",
                "Reconciles that may be under way at a time, for all kinds together"
            ),
            queue_depth: register!(Family::default(), "workqueue_depth", "Objects that wait for a reconcile"),
            queue_adds: register!(Family::default(), "workqueue_adds", "Objects put in the queue"),
            queue_retries: register!(Family::default(), "workqueue_retries", "Failed reconciles put back"),
            queue_seconds: register!(timings(), "workqueue_queue_duration_seconds", "Wait before a reconcile"),
            leader: register!(Family::default(), "leader_election_master_status", "1 while this process leads"),
            requests: register!(Family::default(), "rest_client_requests", "Requests to the API server"),
            step_seconds: register!(timings(), "ecs_operator_step_seconds", "Length of each step of a reconcile"),
            ops: register!(Family::default(), "ecs_operator_ops", "Writes by verb, kind and result"),
            objects: register!(Family::default(), "ecs_operator_objects", "Objects known"),
            watch_restarts: register!(
                Family::default(),
                "ecs_operator_watch_restarts",
                "Watches that broke and were started again"
            ),
            unread_objects: register!(
                Family::default(),
                "ecs_operator_unread_objects",
                "Objects that a watch delivered and that could not be taken in"
            ),
            notices: register!(Family::default(), "ecs_operator_notices", "Kubernetes Events by what became of them"),
            notices_waiting: register!(
                Gauge::default(),
                "ecs_operator_notices_waiting",
                "Kubernetes Events that are not written yet"
            ),
            image_resolutions: register!(
                Family::default(),
                "ecs_operator_image_resolutions",
                "Image tags by what became of asking for their digests"
            ),
            alarm_requests: register!(
                Family::default(),
                "ecs_operator_alarm_requests",
                "Requests for the states of alarms by what became of them"
            ),
            resident: register!(
                Gauge::<f64, AtomicU64>::default(),
                "process_resident_memory_bytes",
                "Resident memory of this process"
            ),
            registry,
        }
    }
}

/// The label that controller-runtime would give: the lower-case kind.
fn controller(kind: Kind) -> &'static str {
    static LABELS: LazyLock<BTreeMap<Kind, String>> =
        LazyLock::new(|| Kind::ALL.into_iter().map(|kind| (kind, kind.kind().to_ascii_lowercase())).collect());
    LABELS.get(&kind).map_or(kind.kind(), String::as_str)
}

impl Metrics {
    /// The whole state as OpenMetrics text.
    #[must_use]
    pub fn text(&self) -> String {
        if let Some(bytes) = resident_bytes() {
            self.resident.set(bytes);
        }
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            text.clear();
            let _ = writeln!(text, "# EOF");
        }
        text
    }

    /// A reconcile starts; dropping the guard ends it.
    #[must_use]
    pub fn reconcile(self: &Arc<Self>, kind: Kind) -> ReconcileTimer {
        let label = ControllerLabel { controller: controller(kind) };
        self.active_workers.get_or_create(&label).inc();
        ReconcileTimer { metrics: Arc::clone(self), label, started: Instant::now() }
    }

    /// A reconcile ended.
    pub fn reconciled(&self, kind: Kind, result: ReconcileResult) {
        let controller = controller(kind);
        self.reconciles.get_or_create(&ResultLabels { controller, result: result.as_str() }).inc();
        if result == ReconcileResult::Error {
            self.reconcile_errors.get_or_create(&ControllerLabel { controller }).inc();
        }
    }

    /// A plan takes too long.
    pub fn slow_plan(&self, kind: Kind) {
        self.slow_plans.get_or_create(&ControllerLabel { controller: controller(kind) }).inc();
    }

    /// How many reconciles may run at a time.
    pub fn workers(&self, count: usize) {
        let label = ControllerLabel { controller: "all" };
        self.max_workers.get_or_create(&label).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A step of a reconcile took this long.
    pub fn step(&self, step: &'static str, length: Duration) {
        self.step_seconds.get_or_create(&StepLabel { step }).observe(length.as_secs_f64());
    }

    /// A write ended.
    pub fn op(&self, verb: &'static str, kind: Kind, result: &'static str) {
        self.ops.get_or_create(&OpLabels { verb, kind: kind.kind(), result }).inc();
    }

    /// So many objects of a kind are known.
    pub fn objects(&self, kind: Kind, count: usize) {
        let label = KindLabel { kind: kind.kind() };
        self.objects.get_or_create(&label).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A watch broke.
    pub fn watch_restarted(&self, kind: Kind) {
        self.watch_restarts.get_or_create(&KindLabel { kind: kind.kind() }).inc();
    }

    /// A watch delivered something that could not be taken in.
    pub fn unread_object(&self, kind: Kind) {
        self.unread_objects.get_or_create(&KindLabel { kind: kind.kind() }).inc();
    }

    /// This process leads, or does not any more.
    pub fn leads(&self, leads: bool) {
        self.leader.get_or_create(&NameLabel { name: "ecs-operator" }).set(i64::from(leads));
    }

    /// A request was answered, or not (`code` is then `<error>`, as client-go says).
    pub fn request(&self, method: &http::Method, code: Option<http::StatusCode>) {
        let code = code.map_or_else(|| "<error>".to_owned(), |code| code.as_str().to_owned());
        self.requests.get_or_create(&RequestLabels { code, method: method.as_str().to_owned() }).inc();
    }

    /// A registry was asked for a digest: `digest`, `retried`, or why there is none.
    pub fn image_resolved(&self, result: &'static str) {
        self.image_resolutions.get_or_create(&ResultOnly { result }).inc();
    }

    /// The source of alarms was asked: `answered`, `retried`, or why it did not answer.
    pub fn alarms_read(&self, result: &'static str) {
        self.alarm_requests.get_or_create(&ResultOnly { result }).inc();
    }

    /// A notice was `published`, `merged` with one that waits, `retried`, `suppressed`, `dropped` or `failed`.
    pub fn notice(&self, result: &'static str) {
        self.notices.get_or_create(&ResultOnly { result }).inc();
    }

    /// So many notices are not written yet.
    pub fn notices_waiting(&self, count: usize) {
        self.notices_waiting.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}

/// Times one reconcile.
#[derive(Debug)]
pub struct ReconcileTimer {
    metrics: Arc<Metrics>,
    label: ControllerLabel,
    started: Instant,
}

impl Drop for ReconcileTimer {
    fn drop(&mut self) {
        self.metrics.active_workers.get_or_create(&self.label).dec();
        self.metrics.reconcile_seconds.get_or_create(&self.label).observe(self.started.elapsed().as_secs_f64());
    }
}

/// The queue's view of the metrics.
#[derive(Debug)]
pub struct QueueMetrics(pub Arc<Metrics>);

impl Observer for QueueMetrics {
    fn added(&self, kind: Kind) {
        self.0.queue_adds.get_or_create(&NameLabel { name: controller(kind) }).inc();
    }

    fn started(&self, kind: Kind, waited: Duration) {
        self.0.queue_seconds.get_or_create(&NameLabel { name: controller(kind) }).observe(waited.as_secs_f64());
    }

    fn retried(&self, kind: Kind) {
        self.0.queue_retries.get_or_create(&NameLabel { name: controller(kind) }).inc();
    }

    fn depth(&self, kind: Kind, depth: usize) {
        let label = NameLabel { name: controller(kind) };
        self.0.queue_depth.get_or_create(&label).set(i64::try_from(depth).unwrap_or(i64::MAX));
    }
}

/// Resident memory as Linux reports it: the line `VmRSS:   12345 kB`.
fn resident_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u32 = line.split_whitespace().next()?.parse().ok()?;
    Some(f64::from(kibibytes) * 1024.0)
}

/// A load of the counter as a plain number, for tests.
#[cfg(test)]
pub(crate) fn watch_restarts(metrics: &Metrics, kind: Kind) -> u64 {
    metrics.watch_restarts.get_or_create(&KindLabel { kind: kind.kind() }).get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_things_happen_then_the_text_has_the_names_dashboards_know() {
        let metrics = Arc::new(Metrics::default());
        drop(metrics.reconcile(Kind::Service));
        metrics.reconciled(Kind::Service, ReconcileResult::Error);
        metrics.workers(16);
        metrics.step("plan", Duration::from_millis(3));
        metrics.op("apply", Kind::Deployment, "ok");
        metrics.objects(Kind::Pod, 12);
        metrics.watch_restarted(Kind::Pod);
        metrics.leads(true);
        metrics.request(&http::Method::GET, Some(http::StatusCode::OK));
        metrics.request(&http::Method::GET, None);
        let queue = QueueMetrics(Arc::clone(&metrics));
        queue.added(Kind::Service);
        queue.started(Kind::Service, Duration::from_millis(1));
        queue.retried(Kind::Service);
        queue.depth(Kind::Service, 2);
        let text = metrics.text();
        for line in [
            "controller_runtime_reconcile_total{controller=\"ecsservice\",result=\"error\"} 1",
            "controller_runtime_reconcile_errors_total{controller=\"ecsservice\"} 1",
            "controller_runtime_reconcile_time_seconds_count{controller=\"ecsservice\"} 1",
            "controller_runtime_active_workers{controller=\"ecsservice\"} 0",
            "controller_runtime_max_concurrent_reconciles{controller=\"all\"} 16",
            "workqueue_depth{name=\"ecsservice\"} 2",
            "workqueue_adds_total{name=\"ecsservice\"} 1",
            "workqueue_retries_total{name=\"ecsservice\"} 1",
            "workqueue_queue_duration_seconds_count{name=\"ecsservice\"} 1",
            "leader_election_master_status{name=\"ecs-operator\"} 1",
            "rest_client_requests_total{code=\"200\",method=\"GET\"} 1",
            "rest_client_requests_total{code=\"<error>\",method=\"GET\"} 1",
            "ecs_operator_step_seconds_count{step=\"plan\"} 1",
            "ecs_operator_ops_total{verb=\"apply\",kind=\"Deployment\",result=\"ok\"} 1",
            "ecs_operator_objects{kind=\"Pod\"} 12",
            "ecs_operator_watch_restarts_total{kind=\"Pod\"} 1",
        ] {
            assert!(text.contains(line), "{line} is missing from\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
