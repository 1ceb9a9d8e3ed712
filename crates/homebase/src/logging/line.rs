//! Makes a line of a log event: JSON, or text for people. Each field is bounded while it is written, so a server's message
//! of 17 MB costs as much as a short one, and no text of others can end a line, begin another one, or reach a terminal.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use homebase_core::text::{escape_json_for_terminal, is_hidden};
use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use super::rates::{Rates, kind_of};

#[cfg(test)]
mod tests;

/// The longest value of a field: as much as the message of a condition that has to be read by a person.
const MAX_VALUE: usize = 8 * 1024;
/// All fields of a line.
const MAX_FIELDS: usize = 32 * 1024;
/// Follows a value that was cut.
const CUT: &str = "…";
/// The field with the message of an event.
const MESSAGE: &str = "message";

/// Says how many lines were lost.
pub(super) fn lost_json(lines: u64) -> String {
    object(vec![
        ("timestamp", now().into()),
        ("level", "WARN".into()),
        (MESSAGE, LOST.into()),
        ("lines", lines.into()),
    ]) + "\n"
}

/// See [`lost_json`].
pub(super) fn lost_text(lines: u64) -> String {
    format!("{}  WARN {LOST} lines={lines}\n", now())
}

const LOST: &str = "log lines were dropped: nothing reads the log fast enough, or it cannot be written";

fn now() -> String {
    format!("{:.6}", Timestamp::now())
}

/// A JSON object with its fields in this order, as readers expect them; `serde_json`'s own sorts them.
fn object(fields: Vec<(&str, Value)>) -> String {
    let fields: Vec<String> =
        fields.into_iter().map(|(name, value)| format!("{}:{value}", Value::from(name))).collect();
    format!("{{{}}}", fields.join(","))
}

/// A text that takes no more than it has room for. What is left out is not even formatted.
struct Bounded {
    text: String,
    room: usize,
}

impl Bounded {
    const fn new(room: usize) -> Self {
        Self { text: String::new(), room }
    }
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, words: &str) -> fmt::Result {
        if words.len() <= self.room {
            self.room -= words.len();
            self.text.push_str(words);
            return Ok(());
        }
        let end = (0..=self.room).rev().find(|end| words.is_char_boundary(*end));
        self.text.push_str(&words[..end.unwrap_or_default()]);
        self.text.push_str(CUT);
        self.room = 0;
        // Whoever formats the value stops here.
        Err(fmt::Error)
    }
}

/// The fields of an event in their order, bounded.
#[derive(Default)]
struct Fields {
    fields: Vec<(&'static str, Value)>,
    bytes: usize,
}

impl Fields {
    fn of(event: &Event<'_>, suppressed: u64) -> Self {
        let mut fields = Self::default();
        event.record(&mut fields);
        if suppressed > 0 {
            fields.fields.push(("suppressed", suppressed.into()));
        }
        fields
    }

    fn add(&mut self, field: &Field, value: Value) {
        self.fields.push((field.name(), value));
    }

    fn add_text(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        let mut bounded = Bounded::new(MAX_VALUE.min(MAX_FIELDS.saturating_sub(self.bytes)));
        // An error is the end of the room.
        let _ = bounded.write_fmt(value);
        self.bytes += bounded.text.len();
        self.add(field, bounded.text.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add_text(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add_text(field, format_args!("{value:?}"));
    }
}

/// One JSON object a line.
pub(super) struct Json {
    pub(super) rates: Arc<Rates>,
}

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let suppressed =
            self.rates.take_suppressed(&kind_of(event, context.event_scope().into_iter().flatten()));
        let mut line = vec![("timestamp", now().into()), ("level", event.metadata().level().as_str().into())];
        line.extend(Fields::of(event, suppressed).fields);
        line.push(("target", event.metadata().target().into()));
        if let Some(span) = context.lookup_current() {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>().map_or("", |fields| fields.as_str());
            let mut fields: Map<String, Value> = serde_json::from_str(fields).unwrap_or_default();
            fields.insert("name".to_owned(), span.name().into());
            line.push(("span", fields.into()));
        }
        writeln!(writer, "{}", escape_json_for_terminal(&object(line)))
    }
}

/// A line for people.
pub(super) struct Text {
    pub(super) rates: Arc<Rates>,
    pub(super) coloured: bool,
}

impl<S, N> FormatEvent<S, N> for Text
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let suppressed =
            self.rates.take_suppressed(&kind_of(event, context.event_scope().into_iter().flatten()));
        let level = event.metadata().level();
        let (on, off) = if self.coloured { colour(*level) } else { ("", "") };
        write!(writer, "{} {on}{:>5}{off} ", now(), level.as_str())?;
        for span in context.event_scope().into_iter().flat_map(tracing_subscriber::registry::Scope::from_root)
        {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>().map_or("", |fields| fields.as_str());
            write!(writer, "{}{{{}}}: ", span.name(), escaped(fields))?;
        }
        write!(writer, "{}:", event.metadata().target())?;
        for (name, value) in Fields::of(event, suppressed).fields {
            let text = match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
            if name == MESSAGE {
                write!(writer, " {}", escaped(&text))?;
            } else {
                write!(writer, " {name}={}", escaped(&text))?;
            }
        }
        writeln!(writer)
    }
}

/// The text with what ends a line or what a terminal obeys as an escape.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) { safe.extend(c.escape_default()) } else { safe.push(c) }
    }
    safe
}

/// The escape sequences around a level.
fn colour(level: Level) -> (&'static str, &'static str) {
    let on = match level {
        Level::ERROR => "\u{1b}[31m",
        Level::WARN => "\u{1b}[33m",
        Level::INFO => "\u{1b}[32m",
        _ => "\u{1b}[2m",
    };
    (on, "\u{1b}[0m")
}
