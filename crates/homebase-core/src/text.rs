//! Cleans text that comes from others before people see it: in a condition, an Event, a log line, a terminal. It must
//! not be used on users' data (an env value, a CPF text), which the hub passes on as it is: [`escape_json`] is for that.

use std::borrow::Cow;
use std::fmt::Write as _;

#[cfg(test)]
mod tests;

/// Stands in the place of a character that is not shown.
pub const REPLACEMENT: char = '\u{FFFD}';
/// Ends a text that was cut.
pub const CUT: char = '…';

/// The longest text, the mark of a cut included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// In characters.
    Chars(usize),
    /// In bytes of UTF-8.
    Bytes(usize),
}

impl Limit {
    fn most(self) -> usize {
        match self {
            Self::Chars(most) | Self::Bytes(most) => most,
        }
    }

    fn size(self, c: char) -> usize {
        match self {
            Self::Chars(_) => 1,
            Self::Bytes(_) => c.len_utf8(),
        }
    }
}

/// Whether a terminal or a log reader may obey this character, or show nothing or another order of characters for it:
/// control characters (C0, U+007F, C1), line and paragraph separators, directions of writing, zero-width and other
/// invisible characters, tags, noncharacters.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{3164}' | '\u{FDD0}'..='\u{FDEF}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
            | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
        || u32::from(c) & 0xFFFE == 0xFFFE
}

/// One line: each run of white space and line ends becomes a blank, none at either end; each hidden character becomes
/// [`REPLACEMENT`]. A text beyond the limit ends with [`CUT`]. What is beyond the limit takes no memory.
pub fn line(text: &str, limit: Limit) -> String {
    let words = text.split(|c: char| c.is_whitespace()).filter(|word| !word.is_empty());
    let with_blanks = words.enumerate().flat_map(|(index, word)| {
        let blank = (index > 0).then_some(' ');
        blank.into_iter().chain(word.chars().map(shown))
    });
    bounded(with_blanks, limit)
}

/// As [`line`], but line ends (`\n`, `\r\n`) and blanks are kept.
pub fn lines(text: &str, limit: Limit) -> String {
    let mut chars = text.chars().peekable();
    let cleaned = std::iter::from_fn(move || match chars.next()? {
        '\r' if chars.peek() == Some(&'\n') => chars.next(),
        '\n' => Some('\n'),
        '\t' => Some(' '),
        c => Some(shown(c)),
    });
    bounded(cleaned, limit)
}

/// The text with its blanks, of any length, on one line: for a cell of a table or a part of a diff.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let blank = |c| if matches!(c, '\n' | '\t') { ' ' } else { shown(c) };
    Cow::Owned(text.chars().map(blank).collect())
}

fn shown(c: char) -> char {
    if is_hidden(c) { REPLACEMENT } else { c }
}

/// The characters up to the limit. The cut is made at the last place where the mark still fits.
fn bounded(chars: impl Iterator<Item = char>, limit: Limit) -> String {
    let mut text = String::new();
    let (mut size, mut room_for_cut) = (0, None);
    for c in chars {
        if size + limit.size(CUT) <= limit.most() {
            room_for_cut = Some(text.len());
        }
        size += limit.size(c);
        if size > limit.most() {
            text.truncate(room_for_cut.unwrap_or_default());
            if room_for_cut.is_some() {
                text.push(CUT);
            }
            return text;
        }
        text.push(c);
    }
    text
}

/// JSON with every hidden character in a string of it as `\uXXXX`: the same value. `serde_json` writes U+007F and above
/// as they are. A terminal obeys some of them; a YAML parser, which reads the body of an apply, refuses some and turns
/// others into a blank.
///
/// Characters beyond U+FFFF stay: JSON writes them as two surrogates, which a YAML parser refuses.
pub fn escape_json(json: &str) -> Cow<'_, str> {
    escaped(json, |c| is_hidden(c) && u32::from(c) <= 0xFFFF)
}

/// As [`escape_json`], for a terminal: all hidden characters.
pub fn escape_json_for_terminal(json: &str) -> Cow<'_, str> {
    escaped(json, is_hidden)
}

/// In JSON none of the characters above U+007E is outside a string, and the white space below is not hidden here.
fn escaped(json: &str, escapes: impl Fn(char) -> bool) -> Cow<'_, str> {
    let escapes = |c: char| c >= '\u{7F}' && escapes(c);
    let Some(first) = json.find(escapes) else { return Cow::Borrowed(json) };
    let mut text = String::with_capacity(json.len() + 64);
    text.push_str(&json[..first]);
    for c in json[first..].chars() {
        if escapes(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a text cannot fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(c);
        }
    }
    Cow::Owned(text)
}
