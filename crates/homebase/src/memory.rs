//! Reads the memory limit of the process from its cgroup. It limits nothing itself.

use std::fs;
use std::path::Path;

/// Where cgroups are mounted.
const ROOT: &str = "/sys/fs/cgroup";

/// The limit in bytes; none where there is none, or where it cannot be read.
pub(crate) fn limit() -> Option<usize> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    limit_under(Path::new(ROOT), &own)
}

/// The lowest of the limits of the process's own cgroup and of its parents. In a container its own cgroup is the root.
fn limit_under(root: &Path, own: &str) -> Option<usize> {
    let own = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    let version_2 = Path::new(own).ancestors().map(|path| root.join(path).join("memory.max"));
    let version_1 = root.join("memory/memory.limit_in_bytes");
    // Without a limit there is the word `max` in version 2, and in version 1 a number near 2^63.
    let read = |path| fs::read_to_string(path).ok()?.trim().parse().ok();
    version_2.chain([version_1]).filter_map(read).filter(|limit| *limit < usize::MAX / 4).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_limit_on_the_way_to_the_root_counts() {
        let root = std::env::temp_dir().join(format!("homebase-cgroup-{}", std::process::id()));
        let own = root.join("pod/container");
        fs::create_dir_all(&own).unwrap();
        assert_eq!(limit_under(&root, "0::/pod/container\n"), None);
        fs::write(own.join("memory.max"), "max\n").unwrap();
        assert_eq!(limit_under(&root, "0::/pod/container\n"), None);
        fs::write(root.join("pod/memory.max"), "1073741824\n").unwrap();
        assert_eq!(limit_under(&root, "0::/pod/container\n"), Some(1 << 30));
        fs::remove_dir_all(root).unwrap();
    }
}
