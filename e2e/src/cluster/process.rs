//! Child processes: started with a log file of their own, ended by the ids that were started and no others.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

/// How long a process may take to end after TERM before it is killed.
const GRACE: Duration = Duration::from_secs(1);

/// How a process is started; kept, so that it can be started again just so.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    /// Name, also of the log file.
    pub name: &'static str,
    /// Program.
    pub program: PathBuf,
    /// Arguments.
    pub arguments: Vec<String>,
    /// Standard output and error go here; a restart appends.
    pub log: PathBuf,
    /// A port on loopback to listen on; the process has the socket as its standard input.
    pub listen: Option<u16>,
}

/// A process known by id and start time: an id alone may have been given to another process since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessId {
    /// Name for messages.
    pub name: String,
    /// Process id.
    pub pid: i32,
    /// Start time as the system reports it.
    pub started: String,
}

impl Launch {
    /// Starts the process in a process group of its own, so that Ctrl-C on the terminal does not reach it first.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn spawn(&self) -> Result<(Child, ProcessId)> {
        use std::os::unix::process::CommandExt as _;

        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .with_context(|| format!("cannot write {}", self.log.display()))?;
        let input = match self.listen {
            None => Stdio::null(),
            Some(port) => {
                let socket = TcpListener::bind(("127.0.0.1", port));
                OwnedFd::from(socket.with_context(|| format!("cannot listen on port {port}"))?).into()
            }
        };
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(input)
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot run {}", self.program.display()))?;
        let pid = i32::try_from(child.id()).context("process id out of range")?;
        let started = start_time(pid).unwrap_or_default();
        Ok((child, ProcessId { name: self.name.to_owned(), pid, started }))
    }
}

impl ProcessId {
    /// Whether this very process still runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        start_time(self.pid).is_some_and(|started| started == self.started)
    }

    /// Sends a signal if this very process still runs.
    pub fn signal(&self, signal: Signal) {
        if self.is_running()
            && let Some(pid) = Pid::from_raw(self.pid)
        {
            // It may have ended between the two lines; then there is nothing to do.
            let _ = kill_process(pid, signal);
        }
    }
}

/// Ends processes: TERM to all, a second to obey, then KILL. Blocks until they are gone.
pub(super) fn end(processes: &[ProcessId], children: &mut [Child]) {
    for process in processes {
        process.signal(Signal::TERM);
    }
    let deadline = Instant::now() + GRACE;
    while Instant::now() < deadline && any_running(processes, children) {
        thread::sleep(Duration::from_millis(20));
    }
    for process in processes {
        process.signal(Signal::KILL);
    }
    for child in children.iter_mut() {
        let _ = child.wait();
    }
    let deadline = Instant::now() + GRACE;
    while Instant::now() < deadline && any_running(processes, children) {
        thread::sleep(Duration::from_millis(20));
    }
}

/// A child that has ended stays in the process table until it is waited for.
fn any_running(processes: &[ProcessId], children: &mut [Child]) -> bool {
    for child in children.iter_mut() {
        let _ = child.try_wait();
    }
    processes.iter().any(ProcessId::is_running)
}

/// The start time of a process that runs, in a form that is only compared. `None` when it does not run any more.
fn start_time(pid: i32) -> Option<String> {
    if Path::new("/proc/self/stat").exists() {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        parse_stat(&stat)
    } else {
        let output = Command::new("ps").args(["-o", "lstart=", "-p", &pid.to_string()]).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        (!text.is_empty()).then_some(text)
    }
}

/// Field 22 of `/proc/PID/stat`; the program's name in field 2 may hold spaces and brackets, so counting starts behind it.
/// A zombie (state `Z`) has ended.
fn parse_stat(stat: &str) -> Option<String> {
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<_> = fields.split_whitespace().collect();
    if matches!(fields.first(), Some(&("Z" | "X"))) {
        return None;
    }
    // The first field behind the name is number 3.
    fields.get(22 - 3).map(|&ticks| ticks.to_owned())
}

/// Ends the processes of a cluster when its parent is gone without having done so: killed, crashed or interrupted.
///
/// It is a shell that waits for its standard input to close. Before a signal is sent, the command line of the process must
/// name the cluster's folder, so that no other process that got the same id is hit.
#[derive(Debug)]
pub(super) struct Watchdog(Child);

impl Watchdog {
    /// Starts it for the folder; the ids are read from `pids` in it when the time has come.
    ///
    /// # Errors
    /// When there is no shell.
    pub(super) fn start(folder: &Path) -> Result<Self> {
        use std::os::unix::process::CommandExt as _;

        const SCRIPT: &str = r#"
            read -r word; [ "$word" = done ] && exit 0
            cd "$1" || exit 0
            ours() {
                if [ -r "/proc/$1/cmdline" ]; then tr '\0' ' ' <"/proc/$1/cmdline"; else ps -o command= -p "$1"; fi | grep -qF "$2"
            }
            for signal in TERM KILL; do
                while read -r pid; do ours "$pid" "$1" 2>/dev/null && kill -s "$signal" "$pid"; done <pids
                [ "$signal" = TERM ] && sleep 1
            done
            if [ -r cgroup ]; then
                name=$(cat cgroup)
                for try in $(seq 100); do
                    left=$(find /sys/fs/cgroup/"$name" /sys/fs/cgroup/*/"$name" -depth -type d 2>/dev/null)
                    [ -n "$left" ] || break
                    echo "$left" | xargs rmdir 2>/dev/null || sleep 0.1
                done
            fi
            [ -e keep ] || { cd /; rm -rf "$1"; }
        "#;
        let child = Command::new("sh")
            .args(["-c", SCRIPT, "watchdog"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot run sh")?;
        Ok(Self(child))
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        use std::io::Write as _;

        if let Some(mut stdin) = self.0.stdin.take() {
            let _ = stdin.write_all(b"done\n");
        }
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(log: &Path) -> Launch {
        Launch {
            name: "sleep",
            program: "sleep".into(),
            arguments: vec!["60".to_owned()],
            log: log.to_owned(),
            listen: None,
        }
    }

    #[test]
    fn when_a_process_is_ended_then_it_runs_no_more_and_its_id_is_not_signalled_again() {
        let log = std::env::temp_dir().join(format!("ecs-operator-process-{}.log", std::process::id()));
        let (child, process) = sleeper(&log).spawn().unwrap();
        assert!(process.is_running());
        let elsewhere = ProcessId { started: "another start".to_owned(), ..process.clone() };
        elsewhere.signal(Signal::KILL);
        assert!(process.is_running(), "a process with another start time was signalled");
        end(std::slice::from_ref(&process), &mut [child]);
        assert!(!process.is_running());
        fs::remove_file(log).unwrap();
    }

    #[test]
    fn when_the_program_name_holds_brackets_then_the_start_time_is_still_found() {
        let tail = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20";
        assert_eq!(parse_stat(&format!("7 (a) b (c)) {tail}")), Some("4242".to_owned()));
        assert_eq!(parse_stat("7 (gone) Z 1 2 3"), None);
    }
}
