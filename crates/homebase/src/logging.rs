//! Sets up the log on standard error. Every line of a session carries its cluster, every line of a reconcile its object, in
//! the span. Whoever logs never waits and never fails for it: a thread writes the lines, and what it cannot write is
//! dropped and counted.

use std::fs::File;
use std::io::IsTerminal as _;
use std::os::fd::AsFd as _;
use std::sync::Arc;

use tracing_subscriber::fmt::format::{DefaultFields, JsonFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt};

use crate::arguments::LogFormat;
use crate::settings::Logging;

mod line;
mod queue;
mod rates;

use line::{Json, Text};
use queue::Queue;
use rates::Rates;

/// kube warns of each failed watch with `Debug` text; the hub tells the same itself, in words.
const QUIET: &str = "kube_runtime=error,kube_client=error";

/// The log, once it has begun.
pub(crate) struct Log(Arc<Queue>);

impl Log {
    /// Writes what is left, for a bounded time; false when standard error takes nothing more.
    pub(crate) fn flush(&self) -> bool {
        self.0.flush()
    }
}

/// Starts the log. The filter was checked with the settings.
pub(crate) fn start(logging: &Logging) -> std::io::Result<Log> {
    let filter = EnvFilter::new(format!("{QUIET},{}", logging.filter));
    // Not `std::io::stderr`: who writes there holds its lock, and a reader that has stopped would stop everybody else.
    let out = File::from(std::io::stderr().as_fd().try_clone_to_owned()?);
    let lost = match logging.format {
        LogFormat::Json => line::lost_json,
        LogFormat::Text => line::lost_text,
    };
    let queue = Queue::start(out, lost)?;
    let rates = Arc::new(Rates::default());
    let writer = queue::Writer::new(queue.clone());
    let registry = tracing_subscriber::registry().with(filter);
    match logging.format {
        LogFormat::Json => {
            let format = Json { rates: rates.clone() };
            let layer = fmt::layer().fmt_fields(JsonFields::new()).event_format(format).with_writer(writer);
            registry.with(layer.with_filter(rates::Limited(rates))).init();
        }
        LogFormat::Text => {
            let coloured = std::io::stderr().is_terminal();
            let format = Text { rates: rates.clone(), coloured };
            let layer = fmt::layer().fmt_fields(DefaultFields::new()).with_ansi(false);
            let layer = layer.event_format(format).with_writer(writer);
            registry.with(layer.with_filter(rates::Limited(rates))).init();
        }
    }
    Ok(Log(queue))
}
