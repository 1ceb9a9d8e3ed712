//! Golden cases: each `tests/cases/{accepted,refused}/NAME.yaml` (a kubeconfig) and each
//! `tests/cases-argo/{accepted,refused}/NAME.secret` (a cluster Secret of Argo CD: lines `name: ` and
//! `server: `, a line `config:`, and the rest is the config) is a test, its outcome is in `NAME.expected`. A
//! first line `# policy: allow_insecure` or `# policy: no_system_roots` sets the policy. `UPDATE_GOLDEN=1` writes the outcomes; what it wrote must be read before it is committed.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its cases must fail")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use homebase_kubeconfig::{Policy, Reason, Rejection, SanitizedKubeconfig, Trust, sanitize, sanitize_argo};

/// Everything in a case that is not a word of the kubeconfig format contains one of these: plain, in
/// base64, or as the beginning of PEM and DER in base64.
const CANARIES: [&str; 5] = ["canary", "y2fuyxj5", "ls0t", "miib", "migh"];

fn cases(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_case = |path: &PathBuf| path.extension().is_some_and(|end| end == "yaml" || end == "secret");
    let mut paths: Vec<_> = entries.filter(is_case).collect();
    paths.sort();
    paths
}

fn policy(bytes: &[u8]) -> Policy {
    let default = Policy::default();
    let first_line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    match first_line.strip_prefix(b"# policy: ") {
        None => default,
        Some(b"allow_insecure") => Policy { allow_insecure: true, ..default },
        Some(b"no_system_roots") => Policy { allow_system_roots: false, ..default },
        Some(other) => panic!("unknown policy {}", String::from_utf8_lossy(other)),
    }
}

/// Hands a case to the reader of its convention.
fn read(case: &Path, bytes: &[u8]) -> Result<SanitizedKubeconfig, Vec<Rejection>> {
    let policy = policy(bytes);
    if case.extension().is_some_and(|end| end == "yaml") {
        return sanitize(bytes, &policy);
    }
    let mut rest = bytes;
    let mut next_line = || {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap();
        let line = &rest[..end];
        rest = &rest[end + 1..];
        line
    };
    let mut line = next_line();
    if line.starts_with(b"# policy: ") {
        line = next_line();
    }
    let name = line.strip_prefix(b"name: ").unwrap();
    let server = next_line().strip_prefix(b"server: ").unwrap();
    assert_eq!(next_line(), b"config:");
    sanitize_argo(name, server, rest, &policy)
}

fn describe(kubeconfig: &SanitizedKubeconfig) -> String {
    let server = kubeconfig.server();
    let trust = match kubeconfig.trust() {
        Trust::Authorities(authorities) => format!("Authorities ({})", authorities.len()),
        other => other.as_str().to_owned(),
    };
    let token = kubeconfig.credentials().token().map(|token| format!("{} bytes", token.expose().len()));
    let certificate = kubeconfig.credentials().certificate().map(|found| {
        assert!(found.certificate_pem.starts_with(b"-----BEGIN CERTIFICATE"));
        assert!(found.key_pem.expose().starts_with(b"-----BEGIN "));
        let (certificate, key) = (found.certificate_pem.len(), found.key_pem.expose().len());
        format!("{certificate} bytes, key {key} bytes")
    });
    let parts: Vec<String> = token.into_iter().chain(certificate).collect();
    let credentials = format!("{} ({})", kubeconfig.credentials().as_str(), parts.join("; "));
    let validity = kubeconfig.credentials_validity();
    assert_eq!(validity.not_after(), kubeconfig.credentials_expire());
    let [start, end] = [validity.not_before(), validity.not_after()]
        .map(|time| time.map_or("-".to_owned(), |time| time.to_string()));
    let proxy = kubeconfig.proxy().map_or(String::new(), |proxy| format!("proxy: {}\n", proxy.url()));
    format!(
        "{proxy}server: {}\nhost: {}\nport: {}\ntrust: {trust}\ntls-server-name: {}\ncredentials: {credentials}\nvalid: {start} to {end}\nnamespace: {}\n",
        server.url(),
        server.host(),
        server.port(),
        kubeconfig.tls_server_name().unwrap_or("-"),
        kubeconfig.namespace().unwrap_or("-"),
    )
}

fn list(rejections: &[Rejection]) -> String {
    rejections.iter().fold(String::new(), |mut text, rejection| {
        let (path, kind) = (rejection.path(), rejection.kind());
        writeln!(text, "{path} {} {}\n  {kind}", kind.as_str(), rejection.reason().as_str()).unwrap();
        text
    })
}

/// Compares with the golden file, or writes it. Returns what is wrong.
fn compare(case: &Path, outcome: &str) -> Option<String> {
    let golden = case.with_extension("expected");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(golden, outcome).unwrap();
        return None;
    }
    let expected = fs::read_to_string(golden).unwrap_or_default();
    (expected != outcome).then(|| format!("{}: expected\n{expected}but got\n{outcome}", case.display()))
}

fn check(
    folder: &str,
    outcome: impl Fn(Result<SanitizedKubeconfig, Vec<Rejection>>) -> Result<String, String>,
) {
    let cases = cases(folder);
    assert!(!cases.is_empty(), "no cases in {folder}");
    let failures: Vec<_> = cases
        .iter()
        .filter_map(|case| match outcome(read(case, &fs::read(case).unwrap())) {
            Ok(outcome) => compare(case, &outcome),
            Err(failure) => Some(format!("{}: {failure}", case.display())),
        })
        .collect();
    assert!(failures.is_empty(), "{} of {} cases fail\n{}", failures.len(), cases.len(), failures.join("\n"));
}

fn check_accepted(folder: &str) {
    check(folder, |result| result.map(|kubeconfig| describe(&kubeconfig)).map_err(|faults| list(&faults)));
}

fn check_refused(folder: &str) {
    check(folder, |result| {
        let rejections = result.err().ok_or("is accepted")?;
        if rejections.is_empty() {
            return Err("is refused without a reason".to_owned());
        }
        let outcome = list(&rejections);
        let shown = format!("{outcome}{rejections:?}").to_lowercase();
        match CANARIES.iter().find(|canary| shown.contains(*canary)) {
            Some(canary) => Err(format!("shows a piece of its input ({canary}):\n{outcome}")),
            None => Ok(outcome),
        }
    });
}

#[test]
fn good_kubeconfigs_are_accepted() {
    check_accepted("cases/accepted");
}

#[test]
fn bad_kubeconfigs_are_refused_with_all_their_faults() {
    check_refused("cases/refused");
}

#[test]
fn good_secrets_of_argo_are_accepted() {
    check_accepted("cases-argo/accepted");
}

#[test]
fn bad_secrets_of_argo_are_refused_with_all_their_faults() {
    check_refused("cases-argo/refused");
}

#[test]
fn every_kind_of_fault_has_a_case() {
    let kinds = [
        "TooLarge",
        "TooLong",
        "Empty",
        "NotText",
        "Syntax",
        "RepeatedField",
        "TooComplex",
        "SeveralDocuments",
        "WrongType",
        "Missing",
        "Unknown",
        "Duplicate",
        "Dangling",
        "Malformed",
        "Conflict",
        "Forbidden",
        "Insecure",
        "TooManyFaults",
    ];
    let golden: String = cases("cases/refused")
        .iter()
        .map(|case| fs::read_to_string(case.with_extension("expected")).unwrap_or_default())
        .collect();
    let missing: Vec<_> = kinds.iter().filter(|kind| !golden.contains(&format!(" {kind} "))).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}

#[test]
fn one_insecure_fault_makes_the_whole_insecure() {
    let case = fs::read(
        cases("cases/refused").iter().find(|case| case.ends_with("all-faults-at-once.yaml")).unwrap(),
    );
    let rejections = sanitize(&case.unwrap(), &Policy::default()).err().unwrap();
    assert_eq!(Reason::of(&rejections), Some(Reason::InsecureKubeConfig));
    assert_eq!(Reason::of(&[]), None);
}
