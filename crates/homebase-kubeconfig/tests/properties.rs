//! Whatever the bytes are: no panic, no refusal without a reason, no word of the input in a reason, and
//! nothing accepted that the policy forbids. The seeds are the golden cases, good and bad, and mutations of
//! them.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its cases must fail")]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use homebase_kubeconfig::{Policy, Trust, sanitize};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut paths: Vec<_> = ["accepted", "refused"]
        .iter()
        .flat_map(|folder| fs::read_dir(cases.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
});

/// Lines that a hostile author would try to slip in somewhere.
const LINES: [&str; 14] = [
    "    exec: {command: canary}",
    "    tokenFile: /canary",
    "    token: canary",
    "    as: canary",
    "    canary: canary",
    "    insecure-skip-tls-verify: true",
    "    server: http://canary.example.com",
    "    proxy-url: http://canary",
    "    <<: *canary",
    "- &canary canary",
    "---",
    "...",
    "current-context: canary",
    "? canary",
];

#[derive(Clone, Debug)]
enum Mutation {
    Remove(Index, Index),
    Repeat(Index, Index),
    Insert(Index, Vec<u8>),
    InsertLine(Index, &'static str),
    SwapLines(Index, Index),
    Truncate(Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let index = any::<Index>;
    prop_oneof![
        (index(), index()).prop_map(|(from, to)| Mutation::Remove(from, to)),
        (index(), index()).prop_map(|(from, to)| Mutation::Repeat(from, to)),
        (index(), vec(any::<u8>(), 1..6)).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        (index(), select(&LINES[..])).prop_map(|(at, line)| Mutation::InsertLine(at, line)),
        (index(), index()).prop_map(|(one, other)| Mutation::SwapLines(one, other)),
        index().prop_map(Mutation::Truncate),
    ]
}

fn range(bytes: &[u8], from: Index, to: Index) -> std::ops::Range<usize> {
    // Short ranges leave most of the structure alone, so that the mutant gets past the first check.
    const LONGEST: usize = 40;
    let start = from.index(bytes.len() + 1);
    start..bytes.len().min(start + to.index(LONGEST))
}

fn mutate(mut bytes: Vec<u8>, mutation: &Mutation) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    match mutation {
        Mutation::Remove(from, to) => {
            bytes.drain(range(&bytes, *from, *to));
        }
        Mutation::Repeat(from, to) => {
            let range = range(&bytes, *from, *to);
            let copy = bytes[range.clone()].to_vec();
            bytes.splice(range.start..range.start, copy);
        }
        Mutation::Insert(at, inserted) => {
            let at = at.index(bytes.len() + 1);
            bytes.splice(at..at, inserted.iter().copied());
        }
        Mutation::Truncate(at) => bytes.truncate(at.index(bytes.len() + 1)),
        Mutation::InsertLine(at, line) => {
            lines.insert(at.index(lines.len() + 1), line.as_bytes().to_vec());
            bytes = lines.join(&b'\n');
        }
        Mutation::SwapLines(one, other) => {
            let (one, other) = (one.index(lines.len()), other.index(lines.len()));
            lines.swap(one, other);
            bytes = lines.join(&b'\n');
        }
    }
    bytes
}

fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    match sanitize(bytes, &Policy::default()) {
        Ok(kubeconfig) => {
            let url = kubeconfig.server().url().to_lowercase();
            prop_assert!(url.starts_with("https://"));
            prop_assert!(!url.contains(['@', '#', '?', ' ']));
            prop_assert!(matches!(kubeconfig.trust(), Trust::Authorities(_) | Trust::SystemRoots));
        }
        Err(rejections) => {
            prop_assert!(!rejections.is_empty());
            let shown: String = rejections
                .iter()
                .map(|rejection| format!("{rejection} {rejection:?}").to_lowercase())
                .collect();
            prop_assert!(!shown.contains("canary"));
            // Free of control characters as well, whatever the terminal or the log format.
            prop_assert!(!shown.contains(char::is_control));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in vec(any::<u8>(), 0..400)) {
        check(&bytes)?;
    }

    #[test]
    fn arbitrary_text_does_no_harm(text in "[ -~\n]{0,200}") {
        check(text.as_bytes())?;
    }

    #[test]
    fn mutants_of_the_cases_do_no_harm(
        seed in any::<Index>(),
        mutations in vec(mutation(), 1..5),
    ) {
        let seed = SEEDS[seed.index(SEEDS.len())].clone();
        check(&mutations.iter().fold(seed, mutate))?;
    }
}
