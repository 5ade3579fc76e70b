//! The processes of a local cluster: start in order, restart one, end all.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Child;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use super::binaries::tail;
use super::control_plane;
use super::plan::{Plan, Process};
use super::process::{self, ProcessId, Watchdog};
use super::real::{self, cgroups};
use super::wait::{self, ProcessEnded};
use crate::progress;

/// What is written into the cluster's folder, so that another command can end exactly these processes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// The processes that were started.
    pub processes: Vec<ProcessId>,
    /// The API server's address.
    pub server: String,
}

impl State {
    const FILE: &'static str = "state.json";

    /// Reads the state of the cluster in a folder; `None` when there is none.
    ///
    /// # Errors
    /// When the file is there but is not a state.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(Self::FILE);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).with_context(|| path.display().to_string())?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    /// Those that still run.
    #[must_use]
    pub fn running(&self) -> Vec<ProcessId> {
        self.processes.iter().filter(|process| process.is_running()).cloned().collect()
    }
}

/// The processes.
#[derive(Debug)]
pub struct Local {
    plan: Plan,
    processes: Mutex<BTreeMap<Process, (Child, ProcessId)>>,
    /// `None` for a cluster that is to stay when this program ends.
    watchdog: Option<Watchdog>,
    keep_folder: bool,
}

impl Local {
    /// Takes the cluster's folder into use. With `detached`, the processes stay when this program ends.
    ///
    /// # Errors
    /// When the watchdog cannot be started.
    pub fn new(plan: Plan, detached: bool, keep_folder: bool) -> Result<Self> {
        let watchdog = if detached { None } else { Some(Watchdog::start(&plan.folder)?) };
        if keep_folder {
            fs::write(plan.folder.join("keep"), "")?;
        }
        Ok(Self { plan, processes: Mutex::default(), watchdog, keep_folder })
    }

    /// Ports, paths, programs.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// A process that panicked while it held the lock has left a map that is still true.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Process, (Child, ProcessId)>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a process; nothing happens when it runs.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, process: Process) -> Result<()> {
        let mut processes = self.lock();
        if processes.get(&process).is_some_and(|(_, id)| id.is_running()) {
            return Ok(());
        }
        let launch = control_plane::launch(&self.plan, process)?;
        // The network itself and the nodes make namespaces of their own.
        let launch = match processes.get(&Process::Network) {
            Some((_, network)) if !matches!(process, Process::Network | Process::Node(_)) => {
                real::inside(launch, network.pid)
            }
            _ => launch,
        };
        let started = launch.spawn()?;
        if let Some((mut child, _)) = processes.insert(process, started) {
            let _ = child.wait();
        }
        self.record(&processes)
    }

    /// The id of a process that was started.
    ///
    /// # Errors
    /// When it was not.
    pub fn id(&self, process: Process) -> Result<ProcessId> {
        let processes = self.lock();
        let (_, id) = processes.get(&process).with_context(|| format!("{} does not run", process.name()))?;
        Ok(id.clone())
    }

    /// Ends a process: TERM, a second later KILL. Its data stays.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn stop(&self, process: Process) -> Result<()> {
        let mut processes = self.lock();
        if let Some((child, id)) = processes.remove(&process) {
            process::end(&[id], &mut [child]);
        }
        self.record(&processes)
    }

    /// Ends a process without a chance to clean up.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn kill(&self, process: Process) -> Result<()> {
        let mut processes = self.lock();
        if let Some((mut child, id)) = processes.remove(&process) {
            id.signal(Signal::KILL);
            let _ = child.wait();
        }
        self.record(&processes)
    }

    /// Fails with the end of its log when a process that should run has ended.
    ///
    /// # Errors
    /// When a process has ended.
    pub fn check(&self) -> Result<()> {
        for (process, (child, _)) in self.lock().iter_mut() {
            if let Some(status) = child.try_wait()? {
                let log = self.plan.log(*process);
                let end = tail(&log, 15);
                let text = format!("{} ended with {status}; the end of {}:\n{end}", process.name(), log.display());
                return Err(ProcessEnded(text).into());
            }
        }
        Ok(())
    }

    /// Waits until a process listens on its port.
    ///
    /// # Errors
    /// When it does not within ten seconds or ends.
    pub async fn wait_listening(&self, process: Process) -> Result<()> {
        let address = ("127.0.0.1", self.plan.ports.of(process));
        let what = format!("{} listens on port {}", process.name(), address.1);
        wait::until(&what, Duration::from_secs(10), async || {
            self.check()?;
            Ok(TcpStream::connect(address).is_ok().then_some(()))
        })
        .await
    }

    /// Writes down what runs: for `cluster down`, and the ids for the watchdog.
    fn record(&self, processes: &BTreeMap<Process, (Child, ProcessId)>) -> Result<()> {
        let processes: Vec<_> = processes.values().map(|(_, id)| id.clone()).collect();
        let pids: Vec<_> = processes.iter().map(|id| id.pid.to_string()).collect();
        fs::write(self.plan.folder.join("pids"), pids.join("\n") + "\n")?;
        let state = State { processes, server: self.plan.server() };
        fs::write(self.plan.folder.join(State::FILE), serde_json::to_vec_pretty(&state)?)?;
        Ok(())
    }

    /// Ends every process, the last started first.
    fn end(&self) {
        let started = std::mem::take(&mut *self.lock());
        let (mut children, ids): (Vec<_>, Vec<_>) = started.into_values().rev().unzip();
        process::end(&ids, &mut children);
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        // A detached cluster is ended by `down`.
        if self.watchdog.is_none() {
            return;
        }
        self.end();
        if let Err(error) = cgroups::remove(&self.plan.folder) {
            progress::note(format!("{error:#}"));
        }
        if !self.keep_folder {
            let _ = fs::remove_dir_all(&self.plan.folder);
        }
    }
}

/// The cluster is not ours to stop or to look into: the scenario should be skipped with this sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotLocal;

impl std::fmt::Display for NotLocal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("skipped: this needs the local control plane, and E2E_KUBECONFIG names another cluster")
    }
}

impl std::error::Error for NotLocal {}

/// Ends the cluster in a folder that some other program started, and removes the folder.
///
/// # Errors
/// When the state cannot be read or the folder cannot be removed.
pub fn down(folder: &Path) -> Result<usize> {
    let running = State::read(folder)?.map(|state| state.running()).unwrap_or_default();
    let last_started_first: Vec<_> = running.into_iter().rev().collect();
    process::end(&last_started_first, &mut []);
    cgroups::remove(folder)?;
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(last_started_first.len()),
    }
}
