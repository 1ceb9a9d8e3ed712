//! One child process in a group of its own, with its output in a file. It must
//! not outlive its handle (see `Process::disown` for the one exception), nor us
//! (see the watchdog).

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::watchdog::Watchdog;
use crate::{Error, Result};

/// Enough lines of a log to see why a component gave up.
const TAIL_LINES: usize = 15;
/// Log lines of Kubernetes are long; this holds `TAIL_LINES` of them.
const TAIL_BYTES: u64 = 32 * 1024;

/// The child waits for a line before it becomes the program, and ends if none
/// comes. So there is no moment in which the program runs and the watchdog does
/// not know its group.
const GATE: &str = r#"read -r go || exit 1; exec "$@" </dev/null"#;

/// What to run.
#[derive(Debug, Clone)]
pub struct Program {
    /// A word for messages and the name of the log.
    pub name: &'static str,
    /// Where it is.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Variables beside those that it inherits.
    pub environment: Vec<(OsString, OsString)>,
    /// Standard output goes here too unless `stdout` is set.
    pub log: PathBuf,
    /// Where standard output goes, if not into the log.
    pub stdout: Option<PathBuf>,
}

/// A running child.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
    watchdog: Arc<Watchdog>,
    /// Set when the child was reaped: its id means nothing from then on.
    ended: Option<ExitStatus>,
    disowned: bool,
}

impl Process {
    /// Starts a program under the eye of the watchdog. Logs are appended to, so
    /// that a restarted component keeps the lines of its first run.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(program: &Program, watchdog: &Arc<Watchdog>) -> Result<Self> {
        let log = open_log(&program.log)?;
        let stdout = match &program.stdout {
            Some(path) => open_log(path)?,
            None => log.try_clone().map_err(Error::io("open", &program.log))?,
        };
        let mut command = Command::new("sh");
        command.args(["-c", GATE, program.name]).arg(&program.path).args(&program.arguments);
        command.envs(program.environment.iter().map(|(key, value)| (key, value)));
        command.process_group(0).stdin(Stdio::piped()).stdout(stdout).stderr(log);
        let child = command.spawn().map_err(Error::io("start", &program.path))?;
        let mut process = Self {
            name: program.name,
            child,
            log: program.log.clone(),
            watchdog: Arc::clone(watchdog),
            ended: None,
            disowned: false,
        };
        watchdog.add(process.id())?;
        if let Some(mut gate) = process.child.stdin.take() {
            gate.write_all(b"go\n").map_err(Error::io("start", &program.path))?;
        }
        Ok(process)
    }

    /// Its process id, which is that of its group too.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The word for messages.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its log.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Whether it still runs, without taking note of its end.
    pub fn is_running(&self) -> bool {
        // A child that has ended and was not waited for is a zombie, which has no memory.
        self.ended.is_none() && resident_kib(self.id()).is_some()
    }

    /// The exit status, if the child has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none()
            && let Ok(Some(status)) = self.child.try_wait()
        {
            self.note_end(status);
        }
        self.ended
    }

    /// Fails if the child has ended, with the end of its log.
    ///
    /// # Errors
    /// [`Error::Ended`].
    pub fn check_running(&mut self) -> Result<()> {
        match self.ended() {
            None => Ok(()),
            Some(status) => Err(Error::Ended {
                name: self.name.to_owned(),
                status: status.to_string(),
                log: self.log.clone(),
                tail: tail(&self.log),
            }),
        }
    }

    /// Sends a signal to the whole group.
    ///
    /// # Errors
    /// If the group cannot be signalled.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        if self.ended.is_some() {
            return Ok(());
        }
        let group = i32::try_from(self.id()).unwrap_or(i32::MAX);
        killpg(Pid::from_raw(group), signal).map_err(|source| Error::Signal {
            signal: signal.as_str(),
            name: self.name.to_owned(),
            source,
        })
    }

    /// Kills the group, stopped or not, and waits for the child.
    pub fn kill(&mut self) {
        if self.ended().is_some() {
            return;
        }
        // The only way to fail is that the group has gone in this instant.
        let _ = self.signal(Signal::SIGKILL);
        if let Ok(status) = self.child.wait() {
            self.note_end(status);
        }
    }

    /// Lets the child live on after us.
    pub(crate) fn disown(&mut self) -> Result<()> {
        self.disowned = true;
        self.watchdog.remove(self.id())
    }

    fn note_end(&mut self, status: ExitStatus) {
        self.ended = Some(status);
        // Nobody to tell, and a watchdog that is gone kills nothing.
        let _ = self.watchdog.remove(self.id());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.disowned {
            self.kill();
        }
    }
}

fn open_log(path: &Path) -> Result<File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    }
    OpenOptions::new().create(true).append(true).open(path).map_err(Error::io("open", path))
}

/// The last lines of a log, for an error text.
pub fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    match read() {
        Err(error) => format!("  (unreadable: {error})"),
        Ok(text) if text.trim().is_empty() => "  (empty)".to_owned(),
        Ok(text) => {
            let lines: Vec<&str> = text.lines().collect();
            let from = lines.len().saturating_sub(TAIL_LINES);
            lines[from..].iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
        }
    }
}

/// The resident memory of a process, from the kernel.
pub fn resident_kib(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Whether every thread of a process stands still after SIGSTOP.
pub(crate) fn is_stopped(id: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{id}/task")) else { return false };
    let mut states = threads.flatten().map(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // The name, in parentheses, may hold blanks; the state is what follows it.
        stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next())
    });
    states.all(|state| state == Some('T'))
}
