//! Where promtool is, which judges metrics and rules. It must only look: building it is the work of
//! `cargo xtask control-planes build`.

use std::env;
use std::path::PathBuf;

use homebase_planes::{Error, Result, target_dir};

/// Finds promtool, on the path first and then in `target/tools`.
///
/// # Errors
/// Names the command that builds it.
pub fn promtool() -> Result<PathBuf> {
    let name = "promtool";
    let path = env::var_os("PATH").unwrap_or_default();
    let built = target_dir().join("tools");
    let mut candidates = env::split_paths(&path).chain([built.clone()]).map(|directory| directory.join(name));
    candidates.find(|path| path.is_file()).ok_or_else(|| Error::FindTool {
        name: name.to_owned(),
        looked_in: format!("PATH, {}", built.display()),
    })
}
