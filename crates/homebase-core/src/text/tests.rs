//! Cleaned text has nothing hidden in it and keeps its bounds; escaped JSON is the same value.

use proptest::prelude::*;
use serde_json::Value;

use super::{CUT, Limit, escape_json, escape_json_for_terminal, is_hidden, line, lines, visible};

const HIDDEN: [char; 26] = [
    '\0',
    '\u{7}',
    '\u{1b}',
    '\u{7f}',
    '\u{80}',
    '\u{85}',
    '\u{9b}',
    '\u{9f}',
    '\u{ad}',
    '\u{61c}',
    '\u{200b}',
    '\u{200d}',
    '\u{200f}',
    '\u{2028}',
    '\u{2029}',
    '\u{202a}',
    '\u{202e}',
    '\u{2060}',
    '\u{2066}',
    '\u{2069}',
    '\u{feff}',
    '\u{fffe}',
    '\u{ffff}',
    '\u{e0001}',
    '\u{e007f}',
    '\u{1ffff}',
];

#[test]
fn hidden_characters_are_known_and_ordinary_ones_are_not_among_them() {
    for c in HIDDEN {
        assert!(is_hidden(c), "{c:?}");
    }
    for c in "a ~\u{a0}äß…«»日本語\u{FFFD}\u{1F980}\u{FE0F}".chars() {
        assert!(!is_hidden(c), "{c:?}");
    }
}

#[test]
fn a_line_has_no_line_ends_and_nothing_hidden() {
    let hostile = "  a\u{1b}[2Jb\r\n\n c\u{85}d\u{2028}e\t\tf\u{202E}g\u{9b}h \n";
    let cleaned = line(hostile, Limit::Chars(100));
    assert_eq!(cleaned, "a\u{FFFD}[2Jb c d e f\u{FFFD}g\u{FFFD}h");
}

#[test]
fn lines_keep_their_ends_and_blanks() {
    let text = lines("a:\r\n  b\n\u{7f}c\rd\te\u{85}", Limit::Chars(100));
    assert_eq!(text, "a:\n  b\n\u{FFFD}c\u{FFFD}d e\u{FFFD}");
}

#[test]
fn a_cut_is_marked_and_is_between_characters() {
    assert_eq!(line("abcdef", Limit::Chars(6)), "abcdef");
    assert_eq!(line("abcdefg", Limit::Chars(6)), "abcde…");
    assert_eq!(line("ääää", Limit::Bytes(8)), "ääää");
    assert_eq!(line("ääääb", Limit::Bytes(8)), "ää…");
    assert_eq!(line("abc", Limit::Bytes(2)), "");
    assert_eq!(line("abc", Limit::Chars(0)), "");
}

#[test]
fn a_table_keeps_blanks() {
    assert_eq!(visible("  a\n\tb\u{9b}"), "  a  b\u{FFFD}");
    assert!(matches!(visible("  a b"), std::borrow::Cow::Borrowed(_)));
}

#[test]
fn escapes_are_those_of_json() {
    let json = "{\"a\":\"x\u{7f}\u{85}\u{feff}\u{e0001}ä\"}";
    assert_eq!(escape_json(json), "{\"a\":\"x\\u007f\\u0085\\ufeff\u{e0001}ä\"}");
    assert_eq!(escape_json_for_terminal(json), "{\"a\":\"x\\u007f\\u0085\\ufeff\\udb40\\udc01ä\"}");
}

fn texts() -> impl Strategy<Value = String> {
    let char = prop_oneof![
        proptest::sample::select(HIDDEN.to_vec()),
        proptest::sample::select(vec![' ', '\n', '\r', '\t', 'a', '"', '\\', '…', 'ä', '\u{1F980}']),
        any::<char>(),
    ];
    proptest::collection::vec(char, 0..60).prop_map(|chars| chars.into_iter().collect())
}

proptest! {
    #[test]
    fn cleaned_text_keeps_its_bounds(text in texts(), most in 0_usize..70) {
        for limit in [Limit::Chars(most), Limit::Bytes(most)] {
            let (one, many) = (line(&text, limit), lines(&text, limit));
            prop_assert!(!one.contains(is_hidden), "{one:?}");
            prop_assert!(!many.contains(|c| c != '\n' && is_hidden(c)), "{many:?}");
            for cleaned in [&one, &many] {
                let size = if let Limit::Chars(_) = limit { cleaned.chars().count() } else { cleaned.len() };
                prop_assert!(size <= most, "{cleaned:?}");
            }
            prop_assert_eq!(&line(&one, limit), &one);
            prop_assert_eq!(&lines(&many, limit), &many);
            let whole = line(&text, Limit::Bytes(usize::MAX));
            let kept = one.strip_suffix(CUT).unwrap_or(&one);
            prop_assert!(whole.starts_with(kept));
            prop_assert!(one == whole || one.ends_with(CUT) || most < 3);
        }
        prop_assert!(!visible(&text).contains(is_hidden));
    }

    #[test]
    fn escaped_json_is_the_same_value(text in texts(), key in texts()) {
        let value = serde_json::json!({ key: [text] });
        for json in [serde_json::to_string(&value).unwrap(), serde_json::to_string_pretty(&value).unwrap()] {
            let (sent, printed) = (escape_json(&json), escape_json_for_terminal(&json));
            prop_assert_eq!(&serde_json::from_str::<Value>(&sent).unwrap(), &value);
            prop_assert_eq!(&serde_json::from_str::<Value>(&printed).unwrap(), &value);
            prop_assert!(!sent.contains(|c| c != '\n' && is_hidden(c) && u32::from(c) <= 0xFFFF));
            prop_assert!(!printed.contains(|c| c != '\n' && is_hidden(c)));
        }
    }
}
