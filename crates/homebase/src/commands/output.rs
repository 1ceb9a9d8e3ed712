//! Prints data: tables, JSON, YAML. Text that comes from a cluster is hostile: it reaches no terminal with control
//! characters in it.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::Context as _;
use homebase_core::text::{escape_json_for_terminal, is_hidden, visible};
use jiff::Timestamp;
use serde::Serialize;

#[cfg(test)]
mod tests;

/// The variable that switches colours off when it is set to anything but nothing (no-color.org).
const NO_COLOR_VARIABLE: &str = "NO_COLOR";
/// Blanks between two columns, as in kubectl's tables.
const GAP: usize = 3;

/// How a word is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Bad,
    Unsure,
}

/// One cell of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub(crate) fn new(text: impl AsRef<str>, tone: Tone) -> Self {
        Self { text: clean(text.as_ref()), tone }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Tone::Plain)
    }
}

/// Lines of cells below a line of headings, if there are any.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) headings: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<Cell>>,
}

impl Table {
    /// The text, each column as wide as its widest cell. The last column is not filled up.
    pub(crate) fn render(&self, coloured: bool) -> String {
        let headings: Vec<Cell> = self.headings.iter().map(Cell::from).collect();
        let lines: Vec<&[Cell]> = [headings.as_slice()]
            .into_iter()
            .filter(|headings| !headings.is_empty())
            .chain(self.rows.iter().map(Vec::as_slice))
            .collect();
        let columns = lines.iter().map(|line| line.len()).max().unwrap_or_default();
        let width = |column: usize| {
            lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.text.chars().count()).max()
        };
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
        lines.iter().map(|line| render_line(line, &widths, coloured) + "\n").collect()
    }
}

fn render_line(line: &[Cell], widths: &[usize], coloured: bool) -> String {
    let mut text = String::new();
    for (cell, width) in line.iter().zip(widths) {
        let filling = (width + GAP).saturating_sub(cell.text.chars().count());
        text.push_str(&painted(&cell.text, cell.tone, coloured));
        text.push_str(&" ".repeat(filling));
    }
    text.truncate(text.trim_end().len());
    text
}

/// The escape sequences are those of every terminal: bold is for nothing, colours for verdicts.
fn painted(text: &str, tone: Tone, coloured: bool) -> String {
    let code = match tone {
        Tone::Good => "32",
        Tone::Bad => "31",
        Tone::Unsure => "33",
        Tone::Plain => return text.to_owned(),
    };
    if coloured { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// The text without anything that a terminal obeys or that changes the direction of writing.
pub(crate) fn clean(text: &str) -> String {
    visible(text).into_owned()
}

/// Whether standard output takes colours.
pub(crate) fn is_coloured() -> bool {
    let forbidden = std::env::var_os(NO_COLOR_VARIABLE).is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal() && !forbidden
}

/// Writes data to standard output. A reader that has seen enough is no fault.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("write to standard output")
        }
        _ => Ok(()),
    }
}

/// Tells something on standard error. Nobody has to be there to read it.
pub(crate) fn tell(text: &str) {
    drop(writeln!(io::stderr().lock(), "{}", clean(text)));
}

/// As JSON, with a line end. What a terminal would obey is escaped, so the value is the same.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<String> {
    let text = serde_json::to_string_pretty(value).context("write JSON")?;
    Ok(escape_json_for_terminal(&text).into_owned() + "\n")
}

/// As YAML. By way of JSON, which has no fields without a value. A value with characters that a terminal would obey is
/// written as escaped JSON, which is YAML too.
pub(crate) fn yaml(value: &impl Serialize) -> anyhow::Result<String> {
    let value = serde_json::to_value(value).context("write YAML")?;
    let text = serde_saphyr::to_string(&value).context("write YAML")?;
    if text.chars().any(|c| c != '\n' && is_hidden(c)) { json(&value) } else { Ok(text) }
}

/// The time since a moment, as kubectl shows it: never more than two units.
pub(crate) fn age(now: Timestamp, then: Timestamp) -> String {
    let elapsed = now.duration_since(then);
    // Clocks differ a little.
    if elapsed.is_negative() { "0s".to_owned() } else { rough(elapsed.unsigned_abs()) }
}

/// A duration in never more than two units.
pub(crate) fn rough(duration: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    const YEAR: u64 = 365 * DAY;
    let seconds = duration.as_secs();
    let two = |large: (u64, &str), small: (u64, &str)| {
        let rest = seconds % large.0 / small.0;
        let first = format!("{}{}", seconds / large.0, large.1);
        if rest == 0 { first } else { format!("{first}{rest}{}", small.1) }
    };
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 => two((MINUTE, "m"), (1, "s")),
        600..10_800 => format!("{}m", seconds / MINUTE),
        10_800..28_800 => two((HOUR, "h"), (MINUTE, "m")),
        28_800..172_800 => format!("{}h", seconds / HOUR),
        172_800..691_200 => two((DAY, "d"), (HOUR, "h")),
        691_200..63_072_000 => format!("{}d", seconds / DAY),
        _ => two((YEAR, "y"), (DAY, "d")),
    }
}
