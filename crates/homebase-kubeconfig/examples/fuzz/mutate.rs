//! Makes an input from the seeds: by bytes, by words, by lines and by structure (within what is
//! encoded: see `encoded`). It
//! takes all its choices from the generator that it is given.

use fastrand::Rng;

use crate::corpus::{Case, Corpus};
use crate::encoded::mutate_encoded;

/// In every word that the mutations bring along and that no message may show.
pub(crate) const MARK: &str = "zqxj";

/// The longest document that is made: a little more than the limit, so that the limit is met as well.
const LONGEST: usize = 66 * 1024;

/// Enough to combine. Half of the inputs have one change only, so that they get past the first check.
const MOST_CHANGES: usize = 6;

/// Fields that are known, refused or wrong, values that are not what they seem, and what YAML makes of signs.
const WORDS: [&str; 58] = [
    "apiVersion",
    "kind",
    "clusters",
    "users",
    "contexts",
    "current-context",
    "preferences",
    "extensions",
    "name",
    "cluster",
    "user",
    "context",
    "server",
    "certificate-authority-data",
    "certificate-authority",
    "tls-server-name",
    "insecure-skip-tls-verify",
    "disable-compression",
    "proxy-url",
    "token",
    "tokenFile",
    "client-certificate-data",
    "client-key-data",
    "client-certificate",
    "exec",
    "auth-provider",
    "username",
    "password",
    "as",
    "as-groups",
    "namespace",
    "bearerToken",
    "tlsClientConfig",
    "insecure",
    "serverName",
    "caData",
    "certData",
    "keyData",
    "awsAuthConfig",
    "execProviderConfig",
    "proxyUrl",
    "disableCompression",
    "zqxj",
    "zqxjzqxj: zqxj",
    "null",
    "~",
    "true",
    "no",
    "0x7f",
    "1e999",
    ".nan",
    "-0",
    "https://zqxj",
    "http://zqxj",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "&zqxj",
    "*zqxj",
];

/// Lines that a hostile author would try to slip in.
const LINES: [&str; 18] = [
    "    exec: {command: zqxj}",
    "    tokenFile: /zqxj",
    "    token: zqxj",
    "    as: zqxj",
    "    zqxj: zqxj",
    "    insecure-skip-tls-verify: true",
    "    server: http://zqxj.example.com",
    "    proxy-url: http://zqxj",
    "    <<: *zqxj",
    "- &zqxj zqxj",
    "---",
    "...",
    "%YAML 9.9",
    "? zqxj",
    "  !!binary |",
    "  >-",
    "# zqxj",
    "\"execProviderConfig\": {\"command\": \"zqxj\"},",
];

/// What structure can be made of.
const OPENINGS: [&str; 8] = ["[", "{", "- ", "{zqxj: ", "[[zqxj],", "? ", "!!map {", "\"zqxj\": {"];

/// A seed with some changes.
pub(crate) fn mutant(rng: &mut Rng, corpus: &Corpus) -> Case {
    let mut case = corpus.pick(rng).clone();
    let changes = if rng.bool() { 1 } else { rng.usize(..=MOST_CHANGES) };
    for _ in 0..changes {
        match &mut case {
            Case::Kubeconfig(bytes) => mutate(rng, bytes, corpus),
            // The short keys have less to change.
            Case::Argo { name, server, config } => match rng.u8(..16) {
                0 => mutate_bytes(rng, name),
                1..=3 => mutate_text(rng, server),
                _ => mutate(rng, config, corpus),
            },
        }
    }
    case
}

fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>, corpus: &Corpus) {
    match rng.u8(..16) {
        0..=1 => mutate_bytes(rng, bytes),
        2..=4 => mutate_text(rng, bytes),
        5..=7 => mutate_lines(rng, bytes),
        8 => splice(rng, bytes, corpus),
        9 => nest(rng, bytes),
        _ => mutate_encoded(rng, bytes),
    }
    bytes.truncate(LONGEST);
}

/// A short piece, perhaps empty.
fn piece(rng: &mut Rng, bytes: &[u8]) -> std::ops::Range<usize> {
    const LONGEST_PIECE: usize = 48;
    let start = rng.usize(..=bytes.len());
    start..bytes.len().min(start + rng.usize(..LONGEST_PIECE))
}

pub(crate) fn mutate_bytes(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let at = rng.usize(..=bytes.len());
    match rng.u8(..6) {
        0 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(..8),
        1 if at < bytes.len() => bytes[at] = rng.u8(..),
        2 => drop(bytes.drain(piece(rng, bytes))),
        3 => {
            // Now and then so often that it runs into the limits.
            const OFTEN: usize = 2_000;
            let range = piece(rng, bytes);
            let times = if rng.u8(..8) == 0 { rng.usize(..OFTEN) } else { 1 };
            let copies = bytes[range.clone()].repeat(times);
            bytes.splice(range.start..range.start, copies);
        }
        4 => bytes.truncate(at),
        _ => {
            let inserted: Vec<u8> = (0..rng.usize(1..6)).map(|_| rng.u8(..)).collect();
            bytes.splice(at..at, inserted);
        }
    }
}

/// Replaces a word with another one, or puts one in.
pub(crate) fn mutate_text(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let word = WORDS[rng.usize(..WORDS.len())].bytes();
    let at = rng.usize(..=bytes.len());
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    let before = bytes[..at].iter().rev().take_while(|byte| is_word(byte)).count();
    let after = bytes[at..].iter().take_while(|byte| is_word(byte)).count();
    let range = if rng.bool() { at - before..at + after } else { at..at };
    bytes.splice(range, word);
}

fn mutate_lines(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let mut lines: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let (one, other) = (rng.usize(..lines.len()), rng.usize(..lines.len()));
    match rng.u8(..6) {
        0 => drop(lines.remove(one)),
        1 => lines.swap(one, other),
        2 => lines.insert(one, lines[other].clone()),
        3 => lines[one].splice(0..0, *b"  ").for_each(drop),
        4 if lines[one].starts_with(b"  ") => drop(lines[one].drain(..2)),
        _ => lines.insert(one, LINES[rng.usize(..LINES.len())].as_bytes().to_vec()),
    }
    *bytes = lines.join(&b'\n');
}

/// The beginning of one document and the end of another.
fn splice(rng: &mut Rng, bytes: &mut Vec<u8>, corpus: &Corpus) {
    let other = corpus.pick(rng).document();
    bytes.truncate(rng.usize(..=bytes.len()));
    bytes.extend_from_slice(&other[rng.usize(..=other.len())..]);
}

fn nest(rng: &mut Rng, bytes: &mut Vec<u8>) {
    const DEEPEST: usize = 3_000;
    let at = rng.usize(..=bytes.len());
    let depth = if rng.bool() { rng.usize(..24) } else { rng.usize(..DEEPEST) };
    bytes.splice(at..at, OPENINGS[rng.usize(..OPENINGS.len())].repeat(depth).into_bytes());
}
