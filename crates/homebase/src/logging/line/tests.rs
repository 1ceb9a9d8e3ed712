//! What a line looks like, that it is bounded, and that nobody can forge one.

use std::io::Write;
use std::sync::Mutex;

use tracing_subscriber::Layer as _;
use tracing_subscriber::fmt::format::{DefaultFields, JsonFields};
use tracing_subscriber::layer::SubscriberExt as _;

use super::super::rates::Limited;
use super::*;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is written while `work` runs.
fn log(json: bool, work: impl FnOnce()) -> String {
    let (written, rates) = (Written::default(), Arc::new(Rates::default()));
    let writer = written.clone();
    let layer = tracing_subscriber::fmt::layer().with_writer(move || writer.clone()).with_ansi(false);
    if json {
        let format = Json { rates: rates.clone() };
        let layer = layer.fmt_fields(JsonFields::new()).event_format(format).with_filter(Limited(rates));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
    } else {
        let format = Text { rates: rates.clone(), coloured: false };
        let layer = layer.fmt_fields(DefaultFields::new()).event_format(format).with_filter(Limited(rates));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
    }
    String::from_utf8(written.0.lock().unwrap().clone()).unwrap()
}

fn in_session(work: impl FnOnce()) {
    tracing::info_span!("session", cluster = %"boston").in_scope(work);
}

#[test]
fn a_line_has_its_fields_in_order_and_its_span() {
    let line = log(true, || in_session(|| tracing::warn!(count = 3, ok = true, error = %"no", "not listed")));
    let place = |key: &str| line.find(&format!("\"{key}\":")).unwrap();
    let keys = ["timestamp", "level", "message", "count", "ok", "error", "target", "span"];
    let mut sorted = keys;
    sorted.sort_by_key(|key| place(key));
    assert_eq!(sorted, keys);
    let value: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&value["message"], &value["count"]), (&"not listed".into(), &3.into()));
    assert_eq!(value["span"], serde_json::json!({"cluster": "boston", "name": "session"}));
    let line = log(false, || in_session(|| tracing::warn!(count = 3, error = %"no", "not listed")));
    let (_, line) = line.split_once("  WARN ").unwrap();
    assert_eq!(
        line,
        "session{cluster=boston}: homebase::logging::line::tests: not listed count=3 error=no\n"
    );
}

#[test]
fn a_text_of_others_is_bounded_and_stays_within_its_line() {
    let long = "\u{1b}\u{202E}".repeat(4_000_000);
    let forged = "x\n2026-01-01T00:00:00Z  INFO all is well\u{85}\u{2028}\u{9b}2J";
    for json in [true, false] {
        let text = log(json, || tracing::warn!(message = %long, a = %long, b = ?long, c = forged, "said"));
        assert!(text.len() < 400_000, "{}", text.len());
        let text = log(json, || tracing::warn!(c = forged, "{forged}"));
        assert_eq!(text.lines().count(), 1, "{text:?}");
        assert!(!text.trim_end_matches('\n').contains(is_hidden), "{text:?}");
    }
}

#[test]
fn what_is_left_out_is_told_with_the_next_line_of_its_kind() {
    let text = log(true, || {
        for number in 0..20_000 {
            tracing::warn!(number, "an object cannot be read");
        }
    });
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() < 1_000, "{}", lines.len());
    let told: u64 = lines.iter().filter_map(|line| line["suppressed"].as_u64()).sum();
    let last = lines.last().unwrap()["number"].as_u64().unwrap();
    assert_eq!(told + lines.len() as u64, last + 1);
}

#[test]
fn lost_lines_are_a_line() {
    let line: Value = serde_json::from_str(&lost_json(7)).unwrap();
    assert_eq!((&line["lines"], &line["level"]), (&7.into(), &"WARN".into()));
    assert!(lost_text(7).ends_with(" lines=7\n"));
}
