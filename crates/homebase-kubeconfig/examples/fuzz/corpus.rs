//! The golden cases as seeds. It reads all of them at once; nothing else of the fuzzer may touch a file.

use std::path::Path;
use std::{fs, io};

use fastrand::Rng;

/// An input of one of the sanitizers.
#[derive(Clone)]
pub(crate) enum Case {
    Kubeconfig(Vec<u8>),
    Argo { name: Vec<u8>, server: Vec<u8>, config: Vec<u8> },
}

impl Case {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Kubeconfig(bytes) => bytes.len(),
            Self::Argo { name, server, config } => name.len() + server.len() + config.len(),
        }
    }

    /// The text with the structure.
    pub(crate) fn document(&self) -> &[u8] {
        match self {
            Self::Kubeconfig(bytes) => bytes,
            Self::Argo { config, .. } => config,
        }
    }
}

/// All seeds, in the order of their paths. Neither list is empty.
pub(crate) struct Corpus {
    accepted: Vec<Case>,
    refused: Vec<Case>,
}

impl Corpus {
    pub(crate) fn load() -> io::Result<Self> {
        Ok(Self { accepted: load("accepted")?, refused: load("refused")? })
    }

    pub(crate) fn len(&self) -> usize {
        self.accepted.len() + self.refused.len()
    }

    /// A good case half of the time: most changes spoil one, and what follows the first check needs testing.
    pub(crate) fn pick(&self, rng: &mut Rng) -> &Case {
        let cases = if rng.bool() { &self.accepted } else { &self.refused };
        &cases[rng.usize(..cases.len())]
    }
}

fn load(folder: &str) -> io::Result<Vec<Case>> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut paths = Vec::new();
    for convention in ["cases", "cases-argo"] {
        for entry in fs::read_dir(tests.join(convention).join(folder))? {
            paths.push(entry?.path());
        }
    }
    paths.sort();
    let mut cases = Vec::new();
    for path in paths {
        match path.extension().and_then(|end| end.to_str()) {
            Some("yaml") => cases.push(Case::Kubeconfig(fs::read(path)?)),
            Some("secret") => cases.push(argo(&fs::read(path)?)?),
            _ => {}
        }
    }
    if cases.is_empty() { Err(io::Error::other("there are none")) } else { Ok(cases) }
}

/// The form is described in `tests/cases.rs`.
fn argo(bytes: &[u8]) -> io::Result<Case> {
    let has_policy = bytes.starts_with(b"# policy: ");
    let mut lines =
        bytes.splitn(if has_policy { 5 } else { 4 }, |byte| *byte == b'\n').skip(has_policy.into());
    let mut next =
        |prefix: &[u8]| lines.next().and_then(|line| line.strip_prefix(prefix)).map(<[u8]>::to_vec);
    match (next(b"name: "), next(b"server: "), next(b"config:"), next(b"")) {
        (Some(name), Some(server), Some(_), Some(config)) => Ok(Case::Argo { name, server, config }),
        _ => Err(io::Error::other("a case lacks one of its lines")),
    }
}
