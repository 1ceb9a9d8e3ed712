//! What a hub holds at one moment: memory, descriptors, tasks, series. It must judge nothing.

use std::fmt;
use std::fs;

use anyhow::{Context as _, Result, bail};
use homebase_testkit::HubProcess;

/// The gauge of all tasks of the hub's runtime.
const TASKS: &str = "homebase_runtime_tasks ";
/// What every series of a single cluster bears.
const CLUSTER_LABEL: &str = "member_cluster=\"";
/// The clock of `/proc`, whatever the machine's own is.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a hub held when it was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Resident memory in KiB.
    pub resident_kib: u64,
    /// The most that it ever was.
    pub peak_kib: u64,
    /// Open descriptors.
    pub descriptors: usize,
    /// Tasks of the runtime, that of the look itself among them.
    pub tasks: u64,
    /// Series of all kinds.
    pub series: usize,
    /// Series of single clusters.
    pub cluster_series: usize,
    /// CPU seconds since the start.
    pub cpu_seconds: f64,
}

impl Figures {
    /// Looks at a hub.
    ///
    /// # Errors
    /// If it does not answer, or has ended.
    pub async fn of(hub: &HubProcess) -> Result<Self> {
        let descriptors = descriptors(hub.id())?;
        let page = hub.get("/metrics").await?;
        if page.status != 200 {
            bail!("/metrics answers {}", page.status);
        }
        let samples = || page.body.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let tasks = samples().find_map(|line| line.strip_prefix(TASKS));
        Ok(Self {
            resident_kib: hub.resident_kib(),
            peak_kib: peak_kib(hub.id())?,
            descriptors,
            tasks: tasks.and_then(|text| text.parse().ok()).context("/metrics does not tell of tasks")?,
            series: samples().count(),
            cluster_series: samples().filter(|line| line.contains(CLUSTER_LABEL)).count(),
            cpu_seconds: cpu_seconds(hub.id())?,
        })
    }

    /// In words, what is more than it was before; none when nothing is. Memory is not compared: it never goes back to
    /// the byte.
    pub fn beyond(&self, before: &Self) -> Option<String> {
        let more =
            |what: &str, now: u64, then: u64| (now > then).then(|| format!("{now} {what}, {then} before"));
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let found: Vec<String> = [
            more("tasks", self.tasks, before.tasks),
            more("descriptors", count(self.descriptors), count(before.descriptors)),
            more("series of clusters", count(self.cluster_series), count(before.cluster_series)),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!found.is_empty()).then(|| found.join("; "))
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} KiB (peak {} KiB), {} descriptors, {} tasks, {} series, {} of them of clusters, {:.1} s of CPU",
            self.resident_kib,
            self.peak_kib,
            self.descriptors,
            self.tasks,
            self.series,
            self.cluster_series,
            self.cpu_seconds
        )
    }
}

fn descriptors(process: u32) -> Result<usize> {
    let path = format!("/proc/{process}/fd");
    Ok(fs::read_dir(&path).with_context(|| format!("cannot list {path}"))?.count())
}

fn peak_kib(process: u32) -> Result<u64> {
    let path = format!("/proc/{process}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.with_context(|| format!("no VmHWM in {path}"))
}

fn cpu_seconds(process: u32) -> Result<f64> {
    let path = format!("/proc/{process}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    // The name of the process stands in parentheses and may hold anything.
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let mut ticks = fields.split_whitespace().skip(11).map_while(|field| field.parse::<f64>().ok());
    let (user, system) = (ticks.next(), ticks.next());
    Ok((user.unwrap_or_default() + system.unwrap_or_default()) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    //! What is more than before is named, and nothing else is.

    use super::Figures;

    #[test]
    fn only_what_is_more_is_beyond() {
        let before = Figures { tasks: 9, descriptors: 20, resident_kib: 100, ..Figures::default() };
        assert_eq!(Figures { tasks: 8, resident_kib: 900, ..before }.beyond(&before), None);
        let later = Figures { tasks: 10, cluster_series: 1, ..before };
        let words = later.beyond(&before).unwrap();
        assert_eq!(words, "10 tasks, 9 before; 1 series of clusters, 0 before");
    }
}
