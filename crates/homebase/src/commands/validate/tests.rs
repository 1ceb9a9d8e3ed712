//! Verdicts, exit codes and the table. Agreement with an apiserver is shown end to end.

use super::super::Exit;
use super::super::manifests::Manifests;
use super::judge::{Finding, Outcome, Verdict};
use super::{examine, exit, table};

fn report(text: &str) -> super::Report {
    examine(Manifests::of(text)).unwrap()
}

fn resource(kind: &str, spec: &str) -> String {
    let group = if kind == "Iris" { "test.myardyas.club" } else { "intersystems.com" };
    format!("---\napiVersion: {group}/v1alpha1\nkind: {kind}\nmetadata: {{name: a}}\nspec: {spec}\n")
}

fn verdict(kind: &str, spec: &str) -> Verdict {
    report(&resource(kind, spec)).resources.remove(0)
}

fn lines(verdict: &Verdict) -> Vec<String> {
    let line = |finding: &Finding| {
        let finding = serde_json::to_value(finding).unwrap();
        let part = |key: &str| finding[key].as_str().unwrap_or("-").to_owned();
        format!("{} {} {} {} {}", part("level"), part("source"), part("reason"), part("field"), part("value"))
    };
    verdict.findings.iter().map(line).collect()
}

#[test]
fn the_apiserver_and_the_hub_are_told_apart_and_nothing_is_said_twice() {
    for (spec, result, expected) in [
        ("{topology: {data: {image: iris}}}", Outcome::Valid, vec![]),
        (
            "{topology: {data: {image: iris, mirrored: true, mirrorMap: backup}}}",
            Outcome::Invalid,
            vec!["INVALID apiserver Rule spec.topology.data.mirrorMap \"backup\""],
        ),
        (
            "{topology: {data: {image: iris, irisDatabases: [{name: A, directory: /a}, {name: B, directory: /a}]}}}",
            Outcome::Invalid,
            vec!["INVALID hub Invalid spec.topology.data.irisDatabases[1].directory \"/a\""],
        ),
        (
            "{topology: {data: {image: iris, podTemplate: {spec: {resources: {limit: {cpu: 2}}}}}}}",
            Outcome::Valid,
            vec!["WARNING hub Warning spec.topology.data.podTemplate.spec.resources.limit -"],
        ),
        (
            "{passwordHash: 'canary hash', topology: {data: {image: 7}}}",
            Outcome::Invalid,
            vec![
                "INVALID apiserver WrongForm spec.passwordHash -",
                "INVALID apiserver WrongType spec.topology.data.image 7",
            ],
        ),
    ] {
        let verdict = verdict("IrisCluster", spec);
        assert_eq!(lines(&verdict), expected, "{spec}");
        assert_eq!(verdict.result, result, "{spec}");
    }
    let verdict = verdict("Iris", "{deploymentName: Upper}");
    assert_eq!(verdict.result, Outcome::Invalid, "{verdict:?}");
}

#[test]
fn another_version_is_refused_and_another_group_is_passed_over() {
    let other = |from: &str, to: &str| resource("Iris", "{deploymentName: a}").replace(from, to);
    let version = report(&other("v1alpha1", "v1"));
    assert_eq!(
        lines(&version.resources[0]),
        ["INVALID apiserver WrongForm apiVersion \"test.myardyas.club/v1\""]
    );
    let group = report(&other("test.myardyas.club", "example.com"));
    assert!(group.resources.is_empty());
    assert_eq!(group.passed_over.len(), 1);
}

#[test]
fn the_exit_code_is_that_of_the_worst() {
    let valid = resource("Iris", "{deploymentName: a}");
    let invalid = resource("Iris", "{}");
    let other = "---\napiVersion: v1\nkind: Secret\n";
    let broken = "---\na: [\n";
    for (text, expected) in [
        (valid.clone(), Exit::Success),
        (format!("{valid}{other}"), Exit::Success),
        (format!("{valid}{invalid}"), Exit::Failure),
        (format!("{invalid}{broken}"), Exit::Failure),
        (format!("{valid}{broken}"), Exit::Unknown),
        (other.to_owned(), Exit::Unknown),
        (String::new(), Exit::Unknown),
    ] {
        assert_eq!(exit(&report(&text)), expected, "{text}");
    }
}

#[test]
fn the_table_names_the_line_the_resource_the_field_and_the_value() {
    let text = format!(
        "{}{}",
        resource("Iris", "{deploymentName: a}"),
        resource("Iris", "{deploymentName: a, replicas: -1}")
    );
    let text = table(&report(&text)).render(false);
    let lines: Vec<_> =
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(lines[0], "RESULT WHERE RESOURCE FIELD FOUND");
    assert_eq!(lines[1], "VALID test:2 Iris default/a");
    assert_eq!(lines[2], "INVALID test:10 Iris default/a spec.replicas must be 0 or more (it is -1)");
}

#[test]
fn a_config_map_of_the_same_manifests_is_looked_at() {
    let cluster = resource("IrisCluster", "{configSource: {name: c}, topology: {data: {image: iris}}}");
    let map = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {wrong.cpf: a}\n";
    let found = report(&format!("{cluster}{map}"));
    assert_eq!(lines(&found.resources[0]), ["WARNING hub Warning spec.configSource -"]);
    assert!(report(&cluster).resources[0].findings.is_empty());
}

#[test]
fn text_of_a_config_map_that_is_not_utf_8_is_refused_and_not_passed_over() {
    let cluster = resource("IrisCluster", "{configSource: {name: c}, topology: {data: {image: iris}}}");
    let map = |binary: &str| {
        format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\nbinaryData: {{data.cpf: {binary}}}\n"
        )
    };
    // `PasswordHash=` and a byte of Latin-1.
    let latin = report(&format!("{cluster}{}", map("UGFzc3dvcmRIYXNoPeQ=")));
    assert_eq!(lines(&latin.resources[0]), ["INVALID hub Invalid spec.configSource -"]);
    // The same field with UTF-8.
    assert!(report(&format!("{cluster}{}", map("W2NvbmZpZ10K"))).resources[0].findings.is_empty());
}

#[test]
fn a_kind_that_a_group_of_ours_does_not_have_is_invalid() {
    let found = report(&resource("IrisCluster", "{}").replace("kind: IrisCluster", "kind: Iriscluster"));
    assert_eq!(lines(&found.resources[0]), ["INVALID apiserver WrongForm kind \"Iriscluster\""]);
}

#[test]
fn a_field_that_is_given_twice_is_warned_of() {
    let found = report(&resource("Iris", "\n  deploymentName: a\n  deploymentName: b"));
    assert_eq!(lines(&found.resources[0]), ["WARNING kubectl Repeated  -"]);
    assert_eq!(found.resources[0].findings[0].place, "test:7");
    assert_eq!(exit(&found), Exit::Success);
}
