//! Control planes that live on after the process that started them, for
//! `cargo xtask control-planes up`. Tests must not use it: nobody stops such a
//! plane but its user.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::layout::{Layout, write_private};
use crate::{Component, ControlPlane, Error, Result};

/// A killed process is gone in milliseconds, unless the kernel is writing out
/// its memory.
const KILL_TIMEOUT: Duration = Duration::from_secs(10);
/// See `KILL_TIMEOUT`.
const KILL_POLL: Duration = Duration::from_millis(20);

/// What is known of a detached plane.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DetachedPlane {
    /// The name.
    pub name: String,
    /// The address of the apiserver.
    pub url: String,
    /// The file with the admin kubeconfig.
    pub kubeconfig: PathBuf,
    directory: PathBuf,
    processes: Vec<DetachedProcess>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct DetachedProcess {
    component: String,
    id: i32,
}

impl ControlPlane {
    /// Lets the plane live on after us. Its state is written to its directory.
    ///
    /// # Errors
    /// If the state cannot be written; the plane is stopped then.
    pub fn detach(mut self) -> Result<DetachedPlane> {
        let layout = self.settings().layout.clone();
        let processes = self.processes().iter().map(|(component, process)| DetachedProcess {
            component: component.name().to_owned(),
            id: i32::try_from(process.id()).unwrap_or(i32::MAX),
        });
        let processes = processes.collect();
        let plane = DetachedPlane {
            name: self.name().to_owned(),
            url: self.url(),
            kubeconfig: self.admin_kubeconfig_path(),
            directory: layout.root().to_owned(),
            processes,
        };
        let path = layout.state();
        let text = serde_json::to_string_pretty(&plane)
            .map_err(|source| Error::Parse { path: path.clone(), source })?;
        write_private(&path, &text)?;
        self.forget();
        for (_, process) in self.processes() {
            process.disown()?;
        }
        Ok(plane)
    }
}

impl DetachedPlane {
    /// Reads the state of the plane in a directory, if there is one.
    ///
    /// # Errors
    /// If there is a state that cannot be read or understood.
    pub fn load(directory: &Path) -> Result<Option<Self>> {
        let path = Layout::at(directory.to_owned()).state();
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        serde_json::from_str(&text).map(Some).map_err(|source| Error::Parse { path, source })
    }

    /// The components that do not run any more; empty for a healthy plane.
    pub fn ended(&self) -> Vec<&str> {
        let ended = self.processes.iter().filter(|process| !is_component_in(process.id, &self.directory));
        ended.map(|process| process.component.as_str()).collect()
    }

    /// Kills what runs in a directory and removes it, whether or not its state
    /// can be read. Returns whether anything ran.
    ///
    /// # Errors
    /// If a process does not go or the directory cannot be removed.
    pub fn clear(directory: &Path) -> Result<bool> {
        let found = running_in(directory);
        for id in &found {
            // It can only fail by having ended in this instant.
            let _ = killpg(Pid::from_raw(*id), Signal::SIGKILL);
        }
        let start = Instant::now();
        loop {
            let left = running_in(directory);
            if left.is_empty() {
                break;
            }
            if start.elapsed() > KILL_TIMEOUT {
                return Err(Error::TimedOut {
                    what: format!("everything in {} has gone after SIGKILL", directory.display()),
                    after: KILL_TIMEOUT,
                    last: format!("processes {left:?} run"),
                });
            }
            thread::sleep(KILL_POLL);
        }
        Layout::at(directory.to_owned()).remove()?;
        Ok(!found.is_empty())
    }
}

/// The components that run with files of a directory, by their command lines:
/// process ids are given out again, and the state may be lost.
fn running_in(directory: &Path) -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter(|id| is_component_in(*id, directory)).collect()
}

/// Whether a process is one of our programs and is given a file of the directory
/// by a flag; an editor or `tail` is not. A zombie has no command line.
fn is_component_in(id: i32, directory: &Path) -> bool {
    let Ok(command_line) = fs::read(format!("/proc/{id}/cmdline")) else { return false };
    let command_line = String::from_utf8_lossy(&command_line);
    let mut words = command_line.split('\0');
    let program = words.next().and_then(|path| Path::new(path).file_name()?.to_str()).unwrap_or_default();
    let ours = format!("={}/", directory.display());
    Component::ALL.iter().any(|component| component.name() == program)
        && words.any(|word| word.contains(&ours))
}
