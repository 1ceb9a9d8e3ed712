//! Sets up the log on standard error. Every line of a session carries its cluster, every line of a reconcile
//! its object, in the span.

use tracing_subscriber::{EnvFilter, fmt};

use crate::arguments::LogFormat;
use crate::settings::Logging;

/// kube warns of each failed watch with `Debug` text; the hub tells the same itself, in words.
const QUIET: &str = "kube_runtime=error,kube_client=error";

/// Starts the log. The filter was checked with the settings.
pub(crate) fn start(logging: &Logging) {
    let filter = EnvFilter::new(format!("{QUIET},{}", logging.filter));
    let log = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match logging.format {
        LogFormat::Json => {
            log.json().flatten_event(true).with_current_span(true).with_span_list(false).init();
        }
        LogFormat::Text => log.init(),
    }
}
