//! A tiny process that outlives us by a moment and kills what we have started
//! if we end without a goodbye: by SIGKILL, Ctrl-C or a crash. It must hold no
//! state of its own but the list of process groups, and must never kill a group
//! that was taken off that list.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::{Error, Result};

/// Reads `add PGID`, `remove PGID` and `bye`. When its standard input ends
/// without a `bye`, it kills every group on the list and removes the directory
/// `$1` (etcd's data, which is large and worthless then). It ignores the
/// signals that a terminal sends, and is in a group of its own besides.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
groups=' '
while read -r word group; do
    case $word in
        add) groups="$groups$group " ;;
        remove) case $groups in *" $group "*) groups="${groups%% $group *} ${groups#* $group }" ;; esac ;;
        bye) exit 0 ;;
    esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
[ -n "$1" ] && rm -rf -- "$1"
"#;

/// The handle of the watchdog; dropping it says goodbye.
#[derive(Debug)]
pub struct Watchdog {
    child: Child,
    // Taken when the watchdog is dismissed; the write end is close-on-exec, so
    // that no child holds it open after our end.
    pipe: Mutex<Option<ChildStdin>>,
}

impl Watchdog {
    /// Starts a watchdog; `scratch` is removed if we end without a goodbye.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(scratch: Option<&Path>) -> Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "homebase-planes-watchdog"]);
        command.arg(scratch.unwrap_or_else(|| Path::new("")));
        // Not in the directory of a plane: that must stay removable.
        command.current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(Error::io("start the watchdog", Path::new("sh")))?;
        let pipe = Mutex::new(child.stdin.take());
        Ok(Self { child, pipe })
    }

    /// Watches over a process group from now on.
    pub(crate) fn add(&self, group: u32) -> Result<()> {
        self.say(&format!("add {group}\n"))
    }

    /// Forgets a group. To be called after its leader was reaped at the
    /// earliest, and soon after: its id can be given out again from then on.
    pub(crate) fn remove(&self, group: u32) -> Result<()> {
        self.say(&format!("remove {group}\n"))
    }

    fn say(&self, line: &str) -> Result<()> {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        match pipe.as_mut() {
            Some(pipe) => {
                pipe.write_all(line.as_bytes()).map_err(Error::io("talk to the watchdog", Path::new("sh")))
            }
            None => Ok(()),
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // A watchdog that is gone already needs no goodbye, and there is nobody
        // to tell.
        let _ = self.say("bye\n");
        self.pipe.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = self.child.wait();
    }
}
