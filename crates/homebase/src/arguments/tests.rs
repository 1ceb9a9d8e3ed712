//! What clap itself checks: which flags go together, and that no flag takes a secret.

use clap::{CommandFactory as _, Parser as _};

use super::{Arguments, Command, Output};

fn parse(line: &str) -> Result<Command, clap::Error> {
    let words = std::iter::once("homebase").chain(line.split_whitespace());
    Arguments::try_parse_from(words).map(|arguments| arguments.command)
}

#[test]
fn the_definition_has_no_contradiction() {
    Arguments::command().debug_assert();
}

#[test]
fn lines_that_are_understood() {
    for line in [
        "list",
        "list -o wide --namespace hubs --kubeconfig home.kubeconfig",
        "status boston -o json",
        "register boston --work-kubeconfig w",
        "register boston --print-rbac",
        "register boston --print-rbac --watch-namespaces a,b",
        "run --allow-insecure-registrations",
        "register boston --work-kubeconfig w --context c --server https://a:6443 --tls-server-name b --dry-run -o yaml",
        "register boston --work-kubeconfig w --token-ttl 24h --wait 0s --work-namespace n --service-account s",
        "deregister boston",
        "deregister boston --plan -o yaml --allow-loopback-destinations",
        "deregister boston --remove-access --work-kubeconfig w --context c",
        "rotate boston --work-kubeconfig w",
        "pause boston",
        "resume boston",
        "doctor boston -o json",
        "doctor --kubeconfig-file f --allow-loopback-destinations",
        "validate -f a.yaml",
        "validate -f a.yaml b -f - -n iris -o json",
        "plan -f a.yaml",
        "plan -f a.yaml b.yaml --namespace iris -o table",
        "completions bash",
        "version",
    ] {
        assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
    }
}

#[test]
fn lines_that_make_no_sense() {
    for line in [
        "status",
        "status No_Name",
        "status a/../b",
        "list -o xml",
        "list --namespace No_Good",
        "register boston",
        "register boston --print-rbac --context c",
        "register boston --work-kubeconfig w --dry-run --print-rbac",
        "register boston --work-kubeconfig w --server http://a",
        "register boston --work-kubeconfig w --token-ttl 90",
        "register boston --work-kubeconfig w --watch-namespaces *",
        "register boston --work-kubeconfig w --dry-run -o table",
        "deregister boston --plan --remove-access --work-kubeconfig w",
        "deregister boston --remove-access",
        "deregister boston --work-kubeconfig w",
        "deregister boston -o json",
        "rotate boston",
        "validate",
        "validate a.yaml",
        "plan -f",
        "plan -f a -o wide",
        "plan -f a -n No_Good",
        "doctor",
        "doctor boston --kubeconfig-file f",
        "completions powerless",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn defaults() {
    let Command::Register(arguments) = parse("register boston --work-kubeconfig w").unwrap() else {
        panic!("no register")
    };
    assert_eq!(arguments.home.namespace.as_str(), "homebase-system");
    assert_eq!(arguments.account.work_namespace.as_str(), "homebase-system");
    assert_eq!(arguments.account.service_account.as_str(), "homebase");
    assert_eq!(arguments.token.token_ttl.to_string(), "90d");
    assert_eq!(arguments.token.bound().to_string(), "2m");
    let Command::List(arguments) = parse("list").unwrap() else { panic!("no list") };
    assert_eq!(arguments.output, Output::Table);
}

#[test]
fn no_flag_takes_a_secret() {
    let command = Arguments::command();
    for subcommand in command.get_subcommands() {
        for argument in subcommand.get_arguments() {
            let name = argument.get_id().as_str();
            let ends = ["password", "secret", "key", "credential", "credentials", "token"];
            let is_secret = ends.iter().any(|word| name.ends_with(word));
            assert!(!is_secret, "{} --{name}", subcommand.get_name());
        }
    }
}
