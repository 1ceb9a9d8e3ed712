//! Folders that are tests: what is in each gives its `expected.yaml`. Must not know what is in them.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// The folders below a directory of this crate, in their order.
pub(crate) fn below(directory: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let mut folders: Vec<_> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

/// Compares what each folder gives with what it expects, or writes that anew where `UPDATE_GOLDEN` is set. Fewer folders
/// than `least` mean that some were lost.
pub(crate) fn check<T: Serialize>(folders: &[PathBuf], least: usize, result: impl Fn(&Path) -> T) {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    assert!(folders.len() >= least, "{} folders", folders.len());
    let mut wrong = Vec::new();
    for folder in folders {
        let text = serde_saphyr::to_string(&result(folder)).unwrap();
        let path = folder.join("expected.yaml");
        if update {
            fs::write(&path, text).unwrap();
        } else if fs::read_to_string(&path).unwrap_or_default() != text {
            wrong.push(format!("{}\n{text}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "not as expected; UPDATE_GOLDEN=1 accepts it:\n{}", wrong.join("\n"));
}
