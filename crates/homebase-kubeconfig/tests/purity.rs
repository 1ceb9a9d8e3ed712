//! The crate cannot open a file, start a process, connect, or look at the environment or the clock, because
//! its sources name nothing of the standard library that can. (What its dependencies do is seen by running
//! `examples/fuzz` under strace.)

#![expect(clippy::unwrap_used, reason = "a test that cannot read the sources must fail")]

use std::fs;
use std::path::{Path, PathBuf};

/// Anything that reaches outside, and the ways to write `std::` so that this list would not find it.
const BANNED: [&str; 18] = [
    "std::fs",
    "std::process",
    "std::net",
    "std::env",
    "std::io",
    "std::os",
    "std::path",
    "std::thread",
    "std::time",
    "std::{",
    "std::*",
    "std as",
    "std ::",
    "include!",
    "include_str!",
    "include_bytes!",
    "extern ",
    "::now()",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn banned(source: &str) -> Vec<&'static str> {
    BANNED.into_iter().filter(|word| source.contains(word)).collect()
}

#[test]
fn the_sources_reach_for_nothing_outside() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.iter().any(|path| path.ends_with("src/lib.rs")), "{files:?}");
    let faults: Vec<_> = files
        .iter()
        .map(|path| (path, banned(&fs::read_to_string(path).unwrap())))
        .filter(|(_, words)| !words.is_empty())
        .collect();
    assert!(faults.is_empty(), "{faults:?}");
}

#[test]
fn the_ban_finds_what_it_is_for() {
    let sources = [
        "let text = std::fs::read(path)?;",
        "use std::process::Command;",
        "use std::net::TcpStream;",
        "std::env::var(\"HTTPS_PROXY\")",
        "use std::{fmt, fs};",
        "use std as core;",
        "let key = include_bytes!(\"/etc/passwd\");",
        "jiff::Timestamp::now()",
    ];
    for source in sources {
        assert!(!banned(source).is_empty(), "{source}");
    }
    assert!(banned("use std::fmt;\nuse std::str::from_utf8;\nuse core::net::IpAddr;").is_empty());
}
