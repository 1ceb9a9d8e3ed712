//! Tables line up, times are kubectl's, and nothing that a terminal obeys gets through.

use jiff::{SignedDuration, Timestamp};

use super::{Cell, Table, Tone, age, clean, json, rough, yaml};

#[test]
fn columns_are_as_wide_as_their_widest_cell_and_the_last_is_not_filled() {
    let table = Table {
        headings: vec!["NAME", "READY", "REASON"],
        rows: vec![
            vec!["boston".into(), Cell::new("True", Tone::Good), "AllChecksPassed".into()],
            vec!["a".into(), Cell::new("False", Tone::Bad), "".into()],
            vec!["zürich-long".into(), "Unknown".into(), "x".into()],
        ],
    };
    let expected = "\
NAME          READY     REASON
boston        True      AllChecksPassed
a             False
zürich-long   Unknown   x
";
    assert_eq!(table.render(false), expected);
    let coloured = table.render(true);
    assert!(coloured.contains("\u{1b}[32mTrue\u{1b}[0m      AllChecksPassed"), "{coloured:?}");
    assert!(coloured.contains("\u{1b}[31mFalse\u{1b}[0m"), "{coloured:?}");
}

#[test]
fn an_empty_table_without_headings_is_nothing() {
    assert_eq!(Table::default().render(true), "");
}

#[test]
fn what_a_terminal_obeys_is_replaced() {
    let hostile = "a\u{1b}[2Jb\u{7}c\r\nd\u{202E}e\u{9b}f\u{2066}";
    let cleaned = clean(hostile);
    assert_eq!(cleaned, "a\u{FFFD}[2Jb\u{FFFD}c\u{FFFD} d\u{FFFD}e\u{FFFD}f\u{FFFD}");
    let table = Table { headings: vec!["A"], rows: vec![vec![hostile.into()]] };
    assert!(!table.render(false).contains('\u{1b}'));
}

#[test]
fn json_and_yaml_hold_the_same_value_and_nothing_that_a_terminal_obeys() {
    let hostile = serde_json::json!({"a": "x\u{1b}[2J\u{9b}\u{202E}y\u{7F}", "b": ["\u{E0041}"]});
    let written = [json(&hostile).unwrap(), yaml(&hostile).unwrap()];
    for text in &written {
        assert!(!text.chars().any(|c| c != '\n' && homebase_core::text::is_hidden(c)), "{text:?}");
    }
    assert_eq!(serde_json::from_str::<serde_json::Value>(&written[0]).unwrap(), hostile);
    let plain = serde_json::json!({"a": "ä\nb", "list": [1]});
    assert_eq!(serde_saphyr::from_str::<serde_json::Value>(&yaml(&plain).unwrap()).unwrap(), plain);
    assert!(!yaml(&plain).unwrap().starts_with('{'));
}

#[test]
fn durations_are_those_of_kubectl() {
    let cases = [
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (185, "3m5s"),
        (600, "10m"),
        (10_799, "179m"),
        (10_800, "3h"),
        (11_160, "3h6m"),
        (28_800, "8h"),
        (172_799, "47h"),
        (172_800, "2d"),
        (180_000, "2d2h"),
        (691_200, "8d"),
        (63_071_999, "729d"),
        (63_072_000, "2y"),
        (63_158_400, "2y1d"),
    ];
    for (seconds, text) in cases {
        assert_eq!(rough(std::time::Duration::from_secs(seconds)), text, "{seconds}");
    }
}

#[test]
fn a_moment_to_come_is_now() {
    let now = Timestamp::UNIX_EPOCH;
    assert_eq!(age(now, now + SignedDuration::from_secs(5)), "0s");
    assert_eq!(age(now + SignedDuration::from_secs(5), now), "5s");
}
