//! Building the programs that are written in Go: the control planes and
//! promtool. What is built is pinned by the `go.mod` and `go.sum` files below
//! `xtask/go`; nothing is fetched from anywhere but the Go module proxy, and
//! nothing is built that is there already.

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use homebase_testkit::{ASSETS_VARIABLE, target_dir, workspace_root};

use crate::progress::{Step, show};
use crate::run;

/// A Go module below `xtask/go`, and the programs that come from it.
struct Module {
    name: &'static str,
    /// The linker's `-X` settings: what the programs say of their version.
    version: &'static [&'static str],
    programs: &'static [Program],
}

struct Program {
    name: &'static str,
    package: &'static str,
    /// A rough figure for a first build on two cores, in seconds, so that
    /// nobody waits without knowing for how long. Later ones profit from what
    /// the earlier ones compiled.
    cold_seconds: u32,
}

/// Without these settings `/version` says `v0.0.0-master`, and clients misjudge
/// the server. To be changed together with `go.mod`.
const KUBERNETES: Module = Module {
    name: "kubernetes",
    version: &[
        "k8s.io/component-base/version.gitVersion=v1.36.3",
        "k8s.io/component-base/version.gitMajor=1",
        "k8s.io/component-base/version.gitMinor=36",
        "k8s.io/component-base/version.gitTreeState=clean",
    ],
    programs: &[
        Program { name: "etcd", package: "go.etcd.io/etcd/server/v3", cold_seconds: 60 },
        Program { name: "kubectl", package: "k8s.io/kubernetes/cmd/kubectl", cold_seconds: 90 },
        Program {
            name: "kube-apiserver",
            package: "k8s.io/kubernetes/cmd/kube-apiserver",
            cold_seconds: 120,
        },
        Program {
            name: "kube-controller-manager",
            package: "k8s.io/kubernetes/cmd/kube-controller-manager",
            cold_seconds: 60,
        },
        Program { name: "kube-scheduler", package: "k8s.io/kubernetes/cmd/kube-scheduler", cold_seconds: 20 },
    ],
};

/// A module of its own: its Kubernetes libraries are of another version.
const KWOK: Module = Module {
    name: "kwok",
    version: &[],
    programs: &[Program { name: "kwok", package: "sigs.k8s.io/kwok/cmd/kwok", cold_seconds: 60 }],
};

/// Of use without control planes, so a module of its own too.
const PROMTOOL: Module = Module {
    name: "promtool",
    version: &["github.com/prometheus/common/version.Version=3.15.0"],
    programs: &[Program {
        name: "promtool",
        package: "github.com/prometheus/prometheus/cmd/promtool",
        cold_seconds: 240,
    }],
};

/// What a directory named by `KUBEBUILDER_ASSETS` always holds. The rest of a
/// control plane is built here even then.
const ENVTEST_PROGRAMS: [&str; 3] = ["etcd", "kube-apiserver", "kubectl"];

/// Makes sure that every program of a control plane is there.
pub(crate) fn ensure_control_planes() -> Result<()> {
    let mut given = Vec::new();
    if let Some(assets) = env::var_os(ASSETS_VARIABLE).map(PathBuf::from) {
        let missing: Vec<_> =
            ENVTEST_PROGRAMS.into_iter().filter(|name| !assets.join(name).is_file()).collect();
        if !missing.is_empty() {
            bail!(
                "{ASSETS_VARIABLE} is set to {}, which has no {}; unset it to have everything built here",
                assets.display(),
                missing.join(", ")
            );
        }
        let all = KUBERNETES.programs.iter().chain(KWOK.programs).map(|program| program.name);
        let (taken, built): (Vec<_>, Vec<_>) = all.partition(|name| assets.join(name).is_file());
        eprintln!("taking {} from {ASSETS_VARIABLE}={}", taken.join(", "), assets.display());
        if !built.is_empty() {
            eprintln!("not in there, so built here: {}", built.join(", "));
        }
        given = taken;
    }
    ensure(&KUBERNETES, &given)?;
    ensure(&KWOK, &given)
}

/// Makes sure that there is a promtool, on the path or built here.
pub(crate) fn ensure_promtool() -> Result<()> {
    if run::exists("promtool", "--version")? {
        eprintln!("taking promtool from the path");
        return Ok(());
    }
    ensure(&PROMTOOL, &[])
}

/// Builds the programs of a module that are not given from elsewhere, nor built
/// already from the same pins.
fn ensure(module: &Module, given: &[&str]) -> Result<()> {
    let tools = target_dir().join("tools");
    let key = key(module)?;
    let wanted = module.programs.iter().filter(|program| !given.contains(&program.name));
    let due: Vec<&Program> = wanted.filter(|program| !is_built(&tools, program.name, &key)).collect();
    if due.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = due.iter().map(|program| program.name).collect();
    let names = names.join(", ");
    if !run::exists("go", "version")? {
        bail!(
            "cannot find `go` on the path, which builds {names}: install Go 1.26 or newer (https://go.dev/dl/){}",
            if module.name == PROMTOOL.name { ", or promtool" } else { "" }
        );
    }
    let seconds: u32 = due.iter().map(|program| program.cold_seconds).sum();
    eprintln!("building {names}: up to {} min the first time, once per version", seconds.div_ceil(60));
    fs::create_dir_all(&tools).with_context(|| format!("cannot create {}", tools.display()))?;
    let start = Instant::now();
    for program in due {
        let step = Step::start(format!("building {}", program.name));
        build(module, program, &tools)?;
        let stamp = stamp(&tools, program.name);
        fs::write(&stamp, &key).with_context(|| format!("cannot write {}", stamp.display()))?;
        step.done();
    }
    eprintln!("built {names} into {} in {}", tools.display(), show(start.elapsed()));
    Ok(())
}

fn build(module: &Module, program: &Program, tools: &Path) -> Result<()> {
    // Two builds at the same time get in nobody's way, and a program that runs
    // right now is replaced, not written to.
    let staged = tools.join(format!(".{}-{}", program.name, process::id()));
    let mut command = Command::new("go");
    command.current_dir(directory(module));
    command.env("CGO_ENABLED", "0").env("GOFLAGS", "-mod=readonly").env("GOWORK", "off");
    command.args(["build", "-buildvcs=false", "-trimpath", "-ldflags", &linker_flags(module), "-o"]);
    command.arg(&staged).arg(program.package);
    run::run(&mut command).with_context(|| format!("cannot build {}", program.name))?;
    let target = tools.join(program.name);
    fs::rename(&staged, &target)
        .with_context(|| format!("cannot move {} to {}", staged.display(), target.display()))
}

fn linker_flags(module: &Module) -> String {
    let mut flags = String::from("-s -w");
    for setting in module.version {
        flags.push_str(" -X ");
        flags.push_str(setting);
    }
    flags
}

/// What a build depends on: the pins and the linker's settings. A collision or
/// a change of the hash with a new Rust only costs a wrong or needless build.
fn key(module: &Module) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for file in ["go.mod", "go.sum"] {
        let path = directory(module).join(file);
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        text.hash(&mut hasher);
    }
    linker_flags(module).hash(&mut hasher);
    Ok(format!("{:016x}", hasher.finish()))
}

fn is_built(tools: &Path, name: &str, key: &str) -> bool {
    tools.join(name).is_file() && fs::read_to_string(stamp(tools, name)).is_ok_and(|found| found == key)
}

fn stamp(tools: &Path, name: &str) -> PathBuf {
    tools.join(format!("{name}.key"))
}

fn directory(module: &Module) -> PathBuf {
    workspace_root().join("xtask/go").join(module.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_that_is_linked_is_the_one_that_is_pinned() {
        let pins = fs::read_to_string(directory(&KUBERNETES).join("go.mod")).unwrap();
        let version = KUBERNETES.version[0].split_once('=').unwrap().1;
        assert!(pins.contains(&format!("k8s.io/kubernetes {version}")), "{version}");
        let pins = fs::read_to_string(directory(&PROMTOOL).join("go.mod")).unwrap();
        let version = PROMTOOL.version[0].split_once('=').unwrap().1;
        // Prometheus 3.15.0 is the Go module v0.315.0.
        let (major, rest) = version.split_once('.').unwrap();
        assert!(pins.contains(&format!("github.com/prometheus/prometheus v0.{major}{rest}")), "{version}");
    }

    #[test]
    fn every_program_is_a_tool_of_its_module() {
        for module in [&KUBERNETES, &KWOK, &PROMTOOL] {
            let pins = fs::read_to_string(directory(module).join("go.mod")).unwrap();
            for program in module.programs {
                assert!(
                    pins.contains(program.package),
                    "{} is not in {}/go.mod",
                    program.package,
                    module.name
                );
            }
        }
    }

    #[test]
    fn every_staging_module_is_replaced_by_its_release() {
        let pins = fs::read_to_string(directory(&KUBERNETES).join("go.mod")).unwrap();
        assert_eq!(
            pins.lines().filter(|line| line.contains("=> k8s.io/") && line.ends_with(" v0.36.3")).count(),
            33
        );
    }
}
