//! The two text formats of metrics: OpenMetrics, and the older one of Prometheus, which `promtool` and a plain
//! `curl` expect. It changes names of families only; no sample is touched.

use std::collections::BTreeSet;

use axum::http::{HeaderMap, header};

pub(crate) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
pub(crate) const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whether the client asks for OpenMetrics, as Prometheus itself does.
pub(crate) fn wants_open_metrics(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_it =
            parts.next().is_some_and(|media| media.eq_ignore_ascii_case("application/openmetrics-text"));
        is_it && !parts.any(|parameter| matches!(parameter, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

/// OpenMetrics text in the older format: there the family of a counter is called like its samples, with
/// `_total`, and units and the end mark are unknown.
pub(crate) fn to_prometheus(open_metrics: &str) -> String {
    let counters: BTreeSet<&str> = open_metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        let described =
            ["# HELP ", "# TYPE "].iter().find_map(|mark| Some((*mark, line.strip_prefix(mark)?)));
        match described.and_then(|(mark, rest)| Some((mark, rest.split_once(' ')?))) {
            Some((mark, (family, rest))) if counters.contains(family) => {
                text.extend([mark, family, "_total ", rest]);
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    //! Each client gets the format that it asks for, and both say the same.

    use axum::http::{HeaderMap, HeaderValue, header};

    use super::{to_prometheus, wants_open_metrics};

    fn accept(value: &'static str) -> bool {
        wants_open_metrics(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(value))]))
    }

    #[test]
    fn prometheus_gets_open_metrics_and_curl_does_not() {
        assert!(accept(
            "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
        ));
        assert!(!accept("*/*"));
        assert!(!accept("text/plain, application/openmetrics-text;q=0"));
        assert!(!wants_open_metrics(&HeaderMap::new()));
    }

    #[test]
    fn counters_are_renamed_and_samples_are_kept() {
        let open = "# HELP a Counts.\n# TYPE a counter\n# UNIT a x\na_total{l=\"# HELP a\"} 1\n\
                    # HELP b Is.\n# TYPE b gauge\nb 2\n# EOF\n";
        let old = "# HELP a_total Counts.\n# TYPE a_total counter\na_total{l=\"# HELP a\"} 1\n\
                   # HELP b Is.\n# TYPE b gauge\nb 2\n";
        assert_eq!(to_prometheus(open), old);
    }
}
