//! A directory of our own for keys and logs, which goes when its owner does.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Only its owner may look into it: it holds keys.
const PRIVATE: u32 = 0o700;

/// The directory.
pub(super) struct Directory(PathBuf);

impl Directory {
    /// Makes one that was not there before: nobody else can have put anything into it.
    pub(super) fn create() -> anyhow::Result<Self> {
        let name = format!("homebase-simulate-{}-{:08x}", std::process::id(), fastrand::u32(..));
        let path = std::env::temp_dir().join(name);
        DirBuilder::new()
            .mode(PRIVATE)
            .create(&path)
            .with_context(|| format!("create the directory {}", path.display()))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // It lies where the system tidies up by itself.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
