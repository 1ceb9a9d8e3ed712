//! Which process this is, and whether another one, which wrote down the same of itself, is known to have ended. It sends
//! no signal.
//!
//! A hub that was killed leaves its Lease held, and the next one would wait until it runs out. It need not wait for a
//! process that is *provably* gone, by one of two rules:
//! 1. It ran on this kernel (boot ID) and in this PID namespace, and no process there has its PID and start time. What
//!    `/proc` hides from this user is not gone: the rule holds only where PID 1 can be read.
//! 2. It was PID 1 of a container of this very pod (by the pod's UID) and so is this one: the kubelet starts a container
//!    again only when the one before has ended.
//!
//! Names of hosts prove nothing: two machines may have the same.

use std::io::ErrorKind;
use std::path::PathBuf;

use homebase_kube::lease::Holder;

use crate::arguments::POD_UID_VARIABLE;

#[cfg(test)]
mod tests;

/// What the kernel knows of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Process {
    /// The kernel since it was started.
    boot: String,
    /// The PID namespace, `pid:[4026531836]`.
    namespace: String,
    pid: u32,
    /// In ticks since the kernel was started.
    start: u64,
}

impl Process {
    fn this() -> Option<Self> {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned();
        let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?.to_str()?.to_owned();
        let pid = std::process::id();
        let start = Stat::of(pid).ok().flatten()?.start;
        Some(Self { boot, namespace, pid, start })
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let mut part = || parts.next().map(str::to_owned);
        let (boot, namespace) = (part()?, part()?);
        Some(Self { boot, namespace, pid: part()?.parse().ok()?, start: part()?.parse().ok()? })
    }

    fn text(&self) -> String {
        format!("{}/{}/{}/{}", self.boot, self.namespace, self.pid, self.start)
    }

    /// Whether a process that this one can see has ended.
    fn sees_end_of(&self, other: &Self) -> bool {
        if (&self.boot, &self.namespace) != (&other.boot, &other.namespace)
            || !matches!(Stat::of(1), Ok(Some(_)))
        {
            return false;
        }
        match Stat::of(other.pid) {
            Ok(None) => true,
            Ok(Some(found)) => found.start != other.start || found.has_ended,
            Err(()) => false,
        }
    }
}

/// Of `/proc/PID/stat`.
struct Stat {
    start: u64,
    /// A zombie: nobody has asked for its exit code yet.
    has_ended: bool,
}

impl Stat {
    /// None where no process has this PID.
    fn of(pid: u32) -> Result<Option<Self>, ()> {
        match std::fs::read_to_string(PathBuf::from(format!("/proc/{pid}/stat"))) {
            Ok(text) => Self::parse(&text).map(Some).ok_or(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(_) => Err(()),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        // The second field is the program's name in parentheses, which may hold anything.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        Some(Self { start: fields.get(19)?.parse().ok()?, has_ended: matches!(*fields.first()?, "Z" | "X") })
    }
}

/// What this process writes of itself into its Leases, and the UID of its pod.
pub(crate) fn describe() -> (Option<String>, Option<String>) {
    let pod_uid = std::env::var(POD_UID_VARIABLE).ok().filter(|uid| !uid.is_empty());
    (Process::this().map(|process| process.text()), pod_uid)
}

/// Whether the process that holds a Lease is known to have ended.
pub(crate) fn is_gone(holder: &Holder) -> bool {
    let (this, pod_uid) = (Process::this(), describe().1);
    let other = holder.process.as_deref().and_then(Process::parse);
    let (Some(this), Some(other)) = (this, other) else { return false };
    let is_restarted = pod_uid.is_some() && pod_uid == holder.pod_uid && this.pid == 1 && other.pid == 1;
    this.sees_end_of(&other) || (is_restarted && this != other)
}
