//! Two objects as lines of YAML, and their difference as `diff -u` and `kubectl diff` write it. It knows no kind.

use std::fmt::Write as _;

use serde_json::Value;

use crate::commands::output::clean;
use crate::commands::output::yaml;

/// Lines that are shown around a difference.
const CONTEXT: usize = 3;
/// Most pairs of lines that are compared: beyond it, as for a CPF of a megabyte, the middle is shown as replaced.
const MAX_PAIRS: usize = 4_000_000;

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line<'a> {
    Same(&'a str),
    Removed(&'a str),
    Added(&'a str),
}

/// The difference; empty when there is none.
pub(super) fn unified(title: &str, before: &Value, after: &Value) -> String {
    let lines = |value: &Value| if value.is_null() { String::new() } else { yaml(value).unwrap_or_default() };
    let (before, after) = (lines(before), lines(after));
    let (one, other): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let all = align(&one, &other);
    let place = |lines: &[&str]| if lines.is_empty() { "/dev/null".to_owned() } else { title.to_owned() };
    let hunks = hunks(&all);
    if hunks.is_empty() {
        return String::new();
    }
    format!("--- {}\n+++ {}\n{hunks}", place(&one), place(&other))
}

/// The lines of both in one order, with as many in common as there are.
fn align<'a>(one: &[&'a str], other: &[&'a str]) -> Vec<Line<'a>> {
    let head = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (rest, others) = (&one[head..], &other[head..]);
    let tail = rest.iter().rev().zip(others.iter().rev()).take_while(|(a, b)| a == b).count();
    let middle = longest_common(&rest[..rest.len() - tail], &others[..others.len() - tail]);
    let same = |lines: &[&'a str]| lines.iter().map(|line| Line::Same(line)).collect::<Vec<_>>();
    let mut all = same(&one[..head]);
    all.extend(middle);
    all.extend(same(&one[one.len() - tail..]));
    all
}

fn longest_common<'a>(one: &[&'a str], other: &[&'a str]) -> Vec<Line<'a>> {
    let replaced = || {
        let removed = one.iter().map(|line| Line::Removed(line));
        removed.chain(other.iter().map(|line| Line::Added(line))).collect()
    };
    if one.len().saturating_mul(other.len()) > MAX_PAIRS {
        return replaced();
    }
    // `lengths[i][j]`: lines that the rests from i and from j have in common.
    let mut lengths = vec![vec![0_u32; other.len() + 1]; one.len() + 1];
    for i in (0..one.len()).rev() {
        for j in (0..other.len()).rev() {
            lengths[i][j] = if one[i] == other[j] {
                lengths[i + 1][j + 1] + 1
            } else {
                lengths[i + 1][j].max(lengths[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut all) = (0, 0, Vec::new());
    while i < one.len() || j < other.len() {
        if i < one.len() && j < other.len() && one[i] == other[j] {
            all.push(Line::Same(one[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == other.len() || (i < one.len() && lengths[i + 1][j] >= lengths[i][j + 1]) {
            all.push(Line::Removed(one[i]));
            i += 1;
        } else {
            all.push(Line::Added(other[j]));
            j += 1;
        }
    }
    all
}

/// The differences with some lines around them, each part with the numbers of its lines.
fn hunks(all: &[Line<'_>]) -> String {
    let is_near = |index: usize| {
        let from = index.saturating_sub(CONTEXT);
        all[from..(index + CONTEXT + 1).min(all.len())].iter().any(|line| !matches!(line, Line::Same(_)))
    };
    let (mut text, mut hunk) = (String::new(), String::new());
    let (mut old, mut new) = (0, 0);
    let (mut began, mut counts) = ((0, 0), (0, 0));
    for (index, line) in all.iter().enumerate() {
        let (sign, shown, steps) = match line {
            Line::Same(line) => (' ', line, (1, 1)),
            Line::Removed(line) => ('-', line, (1, 0)),
            Line::Added(line) => ('+', line, (0, 1)),
        };
        if is_near(index) {
            if hunk.is_empty() {
                began = (old, new);
                counts = (0, 0);
            }
            hunk.push(sign);
            hunk.push_str(&clean(shown));
            hunk.push('\n');
            counts = (counts.0 + steps.0, counts.1 + steps.1);
        } else {
            close(&mut text, &mut hunk, began, counts);
        }
        (old, new) = (old + steps.0, new + steps.1);
    }
    close(&mut text, &mut hunk, began, counts);
    text
}

fn close(text: &mut String, hunk: &mut String, began: (usize, usize), counts: (usize, usize)) {
    if hunk.is_empty() {
        return;
    }
    // A part without lines is told by the line before it.
    let first = |began: usize, count: usize| if count == 0 { began } else { began + 1 };
    let (old, new) = (first(began.0, counts.0), first(began.1, counts.1));
    // Writing to a text cannot fail.
    let _ = writeln!(text, "@@ -{old},{} +{new},{} @@", counts.0, counts.1);
    text.push_str(hunk);
    hunk.clear();
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::unified;

    #[test]
    fn a_changed_line_has_three_lines_around_it() {
        let object = |image: &str| json!({"a": 1, "b": 2, "c": 3, "d": 4, "image": image, "p": 5, "q": 6, "r": 7, "s": 8});
        let text = unified("Pod a/b", &object("1"), &object("2"));
        let wanted = "--- Pod a/b\n+++ Pod a/b\n@@ -2,7 +2,7 @@\n b: 2\n c: 3\n d: 4\n-image: \"1\"\n+image: \"2\"\n p: 5\n q: 6\n r: 7\n";
        assert_eq!(text, wanted);
        assert_eq!(unified("Pod a/b", &object("1"), &object("1")), "");
    }

    #[test]
    fn what_is_new_and_what_goes_is_whole() {
        let object = json!({"a": 1, "b": 2});
        assert_eq!(
            unified("t", &Value::Null, &object),
            "--- /dev/null\n+++ t\n@@ -0,0 +1,2 @@\n+a: 1\n+b: 2\n"
        );
        assert_eq!(
            unified("t", &object, &Value::Null),
            "--- t\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-a: 1\n-b: 2\n"
        );
    }

    #[test]
    fn parts_far_from_each_other_are_apart() {
        let lines = |first: u32, last: u32| {
            let mut object: Vec<u32> = (0..30).collect();
            (object[0], object[29]) = (first, last);
            json!(object)
        };
        let text = unified("t", &lines(100, 200), &lines(101, 201));
        assert_eq!(text.matches("@@ -").count(), 2, "{text}");
    }
}
