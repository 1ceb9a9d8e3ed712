//! The figures of the process itself under Prometheus' standard names, read from the kernel at each scrape, and
//! the number of its tasks. It must not know what they are for.

use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

/// Linux reports CPU time in these ticks, whatever the machine's own clock is.
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Debug)]
struct ProcessCollector;

pub(super) fn register(registry: &mut Registry) {
    registry.register_collector(Box::new(ProcessCollector));
}

struct Usage {
    cpu_seconds: f64,
    threads: u64,
    virtual_bytes: u64,
    resident_bytes: u64,
    start_ticks: f64,
}

fn usage() -> Option<Usage> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the process stands in parentheses and may hold anything, blanks among it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok());
    let memory = |index: usize| fields.get(index).and_then(|text| text.parse::<u64>().ok());
    Some(Usage {
        cpu_seconds: (number(11)? + number(12)?) / TICKS_PER_SECOND,
        threads: memory(17)?,
        virtual_bytes: memory(20)?,
        resident_bytes: resident_bytes()?,
        start_ticks: number(19)?,
    })
}

/// `stat` counts pages, whose size differs between machines; `status` counts KiB everywhere.
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

fn boot_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn open_descriptors() -> Option<u64> {
    u64::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok()
}

/// None outside the runtime, where a page is made by tests only.
fn live_tasks() -> Option<u64> {
    let runtime = tokio::runtime::Handle::try_current().ok()?;
    u64::try_from(runtime.metrics().num_alive_tasks()).ok()
}

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(usage) = usage() else { return Ok(()) };
        let cpu = ConstCounter::new(usage.cpu_seconds);
        let unit = Unit::Seconds;
        cpu.encode(encoder.encode_descriptor(
            "process_cpu",
            "CPU time used",
            Some(&unit),
            cpu.metric_type(),
        )?)?;
        if let Some(boot) = boot_seconds() {
            let start = ConstGauge::new(boot + usage.start_ticks / TICKS_PER_SECOND);
            let descriptor = encoder.encode_descriptor(
                "process_start_time",
                "Start, Unix time",
                Some(&unit),
                start.metric_type(),
            )?;
            start.encode(descriptor)?;
        }
        let figures = [
            ("process_resident_memory", "Resident memory", Some(Unit::Bytes), Some(usage.resident_bytes)),
            ("process_virtual_memory", "Virtual memory", Some(Unit::Bytes), Some(usage.virtual_bytes)),
            ("process_threads", "Threads", None, Some(usage.threads)),
            ("process_open_fds", "Open file descriptors", None, open_descriptors()),
            (
                "homebase_runtime_tasks",
                "Tasks that live in the process, whatever they are for",
                None,
                live_tasks(),
            ),
        ];
        for (name, help, unit, value) in figures {
            let Some(value) = value else { continue };
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, unit.as_ref(), gauge.metric_type())?)?;
        }
        Ok(())
    }
}
