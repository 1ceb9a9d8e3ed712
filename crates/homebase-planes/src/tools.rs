//! Where the programs are that a control plane is made of. It must only look:
//! building them is the work of `cargo xtask control-planes build`.

use std::env;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// The variable that names a directory with etcd, kube-apiserver and kubectl,
/// as known from controller-runtime's envtest.
pub const ASSETS_VARIABLE: &str = "KUBEBUILDER_ASSETS";

/// The programs of a control plane.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Tools {
    /// The store.
    pub etcd: PathBuf,
    /// The apiserver.
    pub apiserver: PathBuf,
    /// The built-in controllers.
    pub controller_manager: PathBuf,
    /// The scheduler.
    pub scheduler: PathBuf,
    /// The command line client.
    pub kubectl: PathBuf,
    /// KWOK, which plays the kubelets.
    pub kwok: PathBuf,
}

impl Tools {
    /// Finds every program, in `KUBEBUILDER_ASSETS` first and then in
    /// `target/tools`.
    ///
    /// # Errors
    /// Names the first program that is missing and the command that builds it.
    pub fn locate() -> Result<Self> {
        let mut directories: Vec<PathBuf> =
            env::var_os(ASSETS_VARIABLE).map(PathBuf::from).into_iter().collect();
        directories.push(target_dir().join("tools"));
        Self::locate_in(&directories)
    }

    /// Finds every program in the first of the directories that has it.
    ///
    /// # Errors
    /// Names the first program that is missing and the directories.
    pub fn locate_in(directories: &[PathBuf]) -> Result<Self> {
        let find = |name: &str| {
            directories.iter().map(|directory| directory.join(name)).find(|path| path.is_file()).ok_or_else(
                || {
                    let looked_in: Vec<_> =
                        directories.iter().map(|path| path.display().to_string()).collect();
                    Error::FindTool { name: name.to_owned(), looked_in: looked_in.join(", ") }
                },
            )
        };
        Ok(Self {
            etcd: find("etcd")?,
            apiserver: find("kube-apiserver")?,
            controller_manager: find("kube-controller-manager")?,
            scheduler: find("kube-scheduler")?,
            kubectl: find("kubectl")?,
            kwok: find("kwok")?,
        })
    }
}

/// The root of the workspace that this crate was built in.
pub fn workspace_root() -> PathBuf {
    let manifest_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest_dir.ancestors().nth(2).unwrap_or(manifest_dir).to_owned()
}

/// The target directory of the workspace; `CARGO_TARGET_DIR` is honoured.
pub fn target_dir() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        // Cargo takes a relative directory as relative to where it is called,
        // which is the root for everything that `cargo xtask` starts.
        Some(dir) => workspace_root().join(dir),
        None => workspace_root().join("target"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_names_the_command_that_builds_it() {
        let error = Tools::locate_in(&[PathBuf::from("/nonexistent")]).unwrap_err().to_string();
        assert!(error.contains("`etcd`"), "{error}");
        assert!(error.contains("/nonexistent"), "{error}");
        assert!(error.contains("cargo xtask control-planes build"), "{error}");
    }

    #[test]
    fn the_workspace_root_holds_this_crate() {
        assert!(workspace_root().join("crates/homebase-planes/Cargo.toml").is_file());
    }
}
