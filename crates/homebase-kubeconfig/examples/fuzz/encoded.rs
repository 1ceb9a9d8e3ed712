//! Mutates what is encoded: certificates and keys within PEM within base64, the parts of a token. Without it
//! almost no mutant of a certificate would still be one, and nothing behind the first decoder would be tried.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use fastrand::Rng;

use crate::mutate::{mutate_bytes, mutate_text};

/// The shortest run of letters that is taken for base64 rather than for a word.
const SHORTEST: usize = 20;

/// The digits of a `UTCTime`, the shorter of the two forms of a date in a certificate.
const DATE_DIGITS: usize = 12;

/// Changes what one run of base64 stands for.
pub(crate) fn mutate_encoded(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let Some(run) = rng.choice(runs(bytes)) else { return mutate_bytes(rng, bytes) };
    // The payload of a token follows a full stop.
    let is_token = run.start.checked_sub(1).is_some_and(|before| bytes[before] == b'.')
        || bytes[run.clone()].iter().any(|byte| matches!(byte, b'-' | b'_'));
    let engine = if is_token { URL_SAFE_NO_PAD } else { STANDARD_NO_PAD };
    let Ok(mut content) = engine.decode(&bytes[run.clone()]) else { return mutate_bytes(rng, bytes) };
    match pem_body(&content) {
        Some(body) => mutate_pem(rng, &mut content, body),
        None => mutate_content(rng, &mut content),
    }
    let padding = bytes[run.end..].iter().take_while(|byte| **byte == b'=').count();
    let encoded = if is_token { engine.encode(content) } else { STANDARD.encode(content) };
    bytes.splice(run.start..run.end + padding, encoded.into_bytes());
}

fn runs(bytes: &[u8]) -> Vec<Range<usize>> {
    let is_encoded = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
    let mut start = 0;
    let mut runs = Vec::new();
    for run in bytes.split(|byte| !is_encoded(byte)) {
        if run.len() >= SHORTEST {
            runs.push(start..start + run.len());
        }
        start += run.len() + 1;
    }
    runs
}

/// Where the base64 of the first PEM section is.
fn pem_body(text: &[u8]) -> Option<Range<usize>> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.starts_with("-----BEGIN "))?;
    let start = text.find("-----\n")? + "-----\n".len();
    let end = text.find("-----END ")?;
    (start < end).then_some(start..end)
}

fn mutate_pem(rng: &mut Rng, text: &mut Vec<u8>, body: Range<usize>) {
    let joined: Vec<u8> = text[body.clone()].iter().copied().filter(u8::is_ascii_graphic).collect();
    let Ok(mut der) = STANDARD.decode(joined) else { return mutate_bytes(rng, text) };
    match rng.u8(..8) {
        0 => return mutate_bytes(rng, text),
        1..=4 => mutate_date(rng, &mut der),
        _ => mutate_content(rng, &mut der),
    }
    text.splice(body, format!("{}\n", STANDARD.encode(der)).into_bytes());
}

/// Changes a digit of a date, its `Z`, or the tag and length before it.
fn mutate_date(rng: &mut Rng, der: &mut [u8]) {
    let is_date_end = |at: &usize| {
        der[*at] == b'Z' && *at > DATE_DIGITS + 1 && der[at - DATE_DIGITS..*at].iter().all(u8::is_ascii_digit)
    };
    let Some(end) = rng.choice((0..der.len()).filter(is_date_end).collect::<Vec<_>>()) else { return };
    for _ in 0..rng.usize(1..4) {
        let at = rng.usize(end - DATE_DIGITS - 2..=end);
        der[at] = if rng.u8(..4) == 0 { rng.u8(..) } else { b'0' + rng.u8(..10) };
    }
}

/// Mostly in place, so that lengths still agree; claims are text.
fn mutate_content(rng: &mut Rng, content: &mut Vec<u8>) {
    let digits: Vec<usize> = (0..content.len()).filter(|at| content[*at].is_ascii_digit()).collect();
    match (rng.u8(..4), rng.choice(digits)) {
        (0, Some(at)) => content[at] = b'0' + rng.u8(..10),
        (1, _) => mutate_text(rng, content),
        (2, _) if !content.is_empty() => {
            let at = rng.usize(..content.len());
            content[at] = rng.u8(..);
        }
        _ => mutate_bytes(rng, content),
    }
}
