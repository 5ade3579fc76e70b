//! When a task is over in the eyes of ECS although its Pod goes on: an essential container exited and was started again,
//! a container that others need has failed, or they waited for it too long.

use ecs::lifecycle::StopCode;
use jiff::{SignedDuration, Timestamp};

use super::metadata::ContainerNote;
use super::view::{ContainerStatusView, PodStatusView, TerminatedView};

/// Why a task is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// `EssentialContainerExited` or `TaskFailedToStart`.
    pub stop_code: StopCode,
    /// The text to the code.
    pub reason: String,
    /// The container that is the cause, by its name in the task definition.
    pub container: Option<String>,
}

/// A container of a task as the record of a stopped task tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerEnd {
    /// Name in the task definition.
    pub name: String,
    /// How it exited last, if it did.
    pub exit_code: Option<i64>,
    /// Why it ended or could not start, where more than the code is known.
    pub reason: Option<String>,
}

/// What is known of the end of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outlook {
    /// It is over.
    pub(super) ending: Option<Ending>,
    /// It will be over then, if nothing changes.
    pub(super) ends_at: Option<Timestamp>,
}

/// Looks at every container of a Pod that is neither over nor being deleted.
///
/// | container | seen | the task |
/// |---|---|---|
/// | essential, to be replaced | an exit that ECS does not restart in place | `EssentialContainerExited` |
/// | others need its success | another exit code than 0, and not succeeded since | `TaskFailedToStart` |
/// | others wait for its end or its health | neither within `startTimeout` of its start | `TaskFailedToStart` |
pub(super) fn outlook(notes: &[ContainerNote], status: &PodStatusView, now: Timestamp) -> Outlook {
    let mut outlook = Outlook::default();
    let known = || notes.iter().filter_map(|note| Some((note, status.container(&note.container)?)));
    let all_begun = known().count() == notes.len() && known().all(|(_, status)| first_start(status).is_some());
    for (note, status) in known() {
        let ending = essential_exit(note, status).or_else(|| failure(note, status));
        let deadline = deadline(note, status).filter(|_| note.runs_to_completion || !all_begun);
        let ending = ending.or_else(|| {
            deadline.filter(|at| *at <= now)?;
            let waited = note.start_timeout.unwrap_or_default();
            let what = if note.runs_to_completion { "did not exit" } else { "did not become healthy" };
            let reason = format!("dependency on container {} timed out: it {what} within {waited} seconds", note.name);
            Some(failed_to_start(note, &reason))
        });
        outlook.ends_at = [outlook.ends_at, deadline].into_iter().flatten().min();
        outlook.ending = outlook.ending.or(ending);
    }
    if outlook.ending.is_some() { Outlook { ends_at: None, ..outlook } } else { outlook }
}

fn failed_to_start(note: &ContainerNote, why: &str) -> Ending {
    Ending {
        stop_code: StopCode::TaskFailedToStart,
        reason: format!("Task failed to start: {why}"),
        container: Some(note.name.clone()),
    }
}

/// The kubelet may have started the container again already: then its last exit counts.
fn essential_exit(note: &ContainerNote, status: &ContainerStatusView) -> Option<Ending> {
    if !note.ends_task {
        return None;
    }
    let is_end = |end: &&TerminatedView| !is_failed_start(end) && !note.is_restarted_by_ecs(end.exit_code);
    last_exits(status).find(is_end)?;
    Some(Ending {
        stop_code: StopCode::EssentialContainerExited,
        reason: "Essential container in task exited".to_owned(),
        container: Some(note.name.clone()),
    })
}

fn failure(note: &ContainerNote, status: &ContainerStatusView) -> Option<Ending> {
    if !note.must_succeed || has_succeeded(status) {
        return None;
    }
    let end = last_exits(status).find(|end| end.exit_code != 0 && !is_failed_start(end))?;
    let why =
        format!("dependency on the success of container {} failed: it exited with code {}", note.name, end.exit_code);
    Some(failed_to_start(note, &why))
}

/// When those that wait for the container give up.
fn deadline(note: &ContainerNote, status: &ContainerStatusView) -> Option<Timestamp> {
    let limit = SignedDuration::from_secs(note.start_timeout?);
    let is_done = if note.runs_to_completion { has_succeeded(status) } else { status.started == Some(true) };
    let start = first_start(status).filter(|_| !is_done)?;
    start.checked_add(limit).ok()
}

fn has_succeeded(status: &ContainerStatusView) -> bool {
    status.state.terminated.as_ref().is_some_and(|end| end.exit_code == 0)
}

/// The container never ran: the kubelet tries again, and the trouble is told as such.
pub(super) fn is_failed_start(end: &TerminatedView) -> bool {
    matches!(end.reason.as_str(), "StartError" | "ContainerCannotRun" | "ContainerStatusUnknown")
}

/// The exits that are known: the present one and the one before.
fn last_exits(status: &ContainerStatusView) -> impl Iterator<Item = &TerminatedView> {
    status.state.terminated.iter().chain(&status.last_state.terminated)
}

/// The earliest start that is known. One that failed is none, though the kubelet gives it a time.
pub(super) fn first_start(status: &ContainerStatusView) -> Option<Timestamp> {
    let running = status.state.running.as_ref().and_then(|running| running.started_at);
    let exits = last_exits(status).filter(|end| !is_failed_start(end));
    exits.filter_map(|end| end.started_at).chain(running).min()
}

/// How the container ended, for the record of its task.
pub(super) fn container_end(
    note: &ContainerNote,
    status: Option<&ContainerStatusView>,
    reason: Option<String>,
) -> ContainerEnd {
    let exit = status.and_then(|status| last_exits(status).next());
    ContainerEnd { name: note.name.clone(), exit_code: exit.map(|end| end.exit_code), reason }
}
