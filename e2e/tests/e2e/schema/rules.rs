//! Each CEL rule refuses what it is about, with its message, and nothing beside it. Every rule must have a case.

use std::collections::BTreeSet;

use homebase_api::limits;
use homebase_api::rules::RuleAt;
use serde_json::{Value, json};

use super::fixture::{Kind, VOLUMES, at, merged, minimal, with_group};
use super::transitions;

/// What shows that a rule works.
pub(super) struct Case {
    pub(super) kind: &'static str,
    /// The field that carries the rule, as `RuleAt` writes it.
    pub(super) path: String,
    /// A part of the rule's message that no other rule of the field has.
    pub(super) text: String,
    pub(super) offer: Offer,
}

pub(super) enum Offer {
    /// Names of new objects.
    Names { refused: Vec<String>, accepted: Vec<String> },
    /// Specs of new objects.
    Specs { refused: Vec<Value>, accepted: Vec<Value> },
    /// Changes of the spec of an object that exists.
    Changes { old: Value, refused: Vec<Value>, accepted: Vec<Value> },
}

impl Case {
    /// The one rule that the case is about.
    fn rule<'a>(&self, rules: &'a [RuleAt]) -> &'a RuleAt {
        let matches = |rule: &&RuleAt| {
            rule.kind == self.kind && rule.path == self.path && rule.message.contains(&self.text)
        };
        let found: Vec<_> = rules.iter().filter(matches).collect();
        let [rule] = found[..] else {
            panic!("{} {}: {} rules say `{}`", self.kind, self.path, found.len(), self.text)
        };
        rule
    }
}

fn all_rules() -> Vec<RuleAt> {
    homebase_api::crds().iter().flat_map(homebase_api::rules::rules).collect()
}

fn all_cases() -> Vec<Case> {
    let mut cases = cases();
    cases.extend(transitions::cases());
    cases
}

fn cases() -> Vec<Case> {
    let mut cases = vec![deployment_name()];
    cases.extend(names());
    cases.extend(mirror_map());
    cases.extend(sizes());
    cases.extend(legacy_storage());
    cases.extend(iris_names());
    cases.extend([mirrored_databases(), databases_of_shards()]);
    cases
}

fn deployment_name() -> Case {
    let name = |length: usize| json!({"deploymentName": "a".repeat(length)});
    Case {
        kind: "Iris",
        path: "spec.deploymentName".to_owned(),
        text: "value of a label".to_owned(),
        offer: Offer::Specs { refused: vec![name(64)], accepted: vec![name(63), name(1)] },
    }
}

fn names() -> [Case; 2] {
    let case = |text: &str, refused: &[&str], accepted: &[&str]| Case {
        kind: "IrisCluster",
        path: String::new(),
        text: text.to_owned(),
        offer: Offer::Names {
            refused: refused.iter().map(ToString::to_string).collect(),
            accepted: accepted.iter().map(ToString::to_string).collect(),
        },
    };
    let longest = "a".repeat(limits::CLUSTER_NAME_LENGTH);
    [
        case("too long", &[&format!("{longest}a")], &[&longest]),
        case("name of a Service", &["1st", "a.b", "1"], &["a", "a-1", "a1"]),
    ]
}

fn mirror_map() -> Vec<Case> {
    let specs = |maps: &[&str]| -> Vec<Value> {
        let spec = |map| json!({"topology": {"data": {"image": "iris", "mirrored": true, "mirrorMap": map}}});
        maps.iter().map(|map| spec(*map)).collect()
    };
    let case = |text: &str, refused: &[&str], accepted: &[&str]| Case {
        kind: "IrisCluster",
        path: "spec.topology.data.mirrorMap".to_owned(),
        text: text.to_owned(),
        offer: Offer::Specs { refused: specs(refused), accepted: specs(accepted) },
    };
    let members = |asyncs: usize, role: &str| format!("primary{}", format!(",{role}").repeat(asyncs));
    vec![
        case(
            "unknown role",
            &["primary,secondary", "primary,back up", "primary,Backup", "primary,", "primary,,backup"],
            &["primary", "primary, backup", " primary,backup,drasync ", "primary,rorasync,rwrasync"],
        ),
        case("begin with primary", &["backup,primary", "backup", "primary, primary"], &["primary,backup"]),
        case("more than one backup", &["primary,backup, backup"], &["primary,drasync,backup"]),
        case(
            "more than 16 members",
            &[&members(16, "drasync")],
            &[&members(15, "drasync"), &members(15, "rorasync")],
        ),
    ]
}

/// Names that every cluster has, and names that IRIS cannot tell apart.
fn iris_names() -> Vec<Case> {
    let case = |field: &str, text: &str, refused: &[&[&str]], accepted: &[&[&str]]| {
        let spec = |names: &&[&str]| {
            let items: Vec<_> = names.iter().map(|name| json!({"name": name})).collect();
            data(json!({ field: items }))
        };
        Case {
            kind: "IrisCluster",
            path: format!("spec.topology.data.{field}"),
            text: text.to_owned(),
            offer: Offer::Specs {
                refused: refused.iter().map(spec).collect(),
                accepted: accepted.iter().map(spec).collect(),
            },
        }
    };
    // As many as there may be, of the greatest length: the apiserver reckons with them.
    let many: Vec<String> = (0..limits::IRIS_ITEMS)
        .map(|index| format!("{index:A>width$}", width = limits::IRIS_NAME_LENGTH))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let fields = ["irisDatabases", "irisNamespaces"];
    let each = fields.iter().flat_map(|field| {
        let ours: [&[&str]; 2] = [&["IRISCLUSTER"], &["A", "IrisCluster"]];
        let twice: [&[&str]; 2] = [&["App", "APP"], &["a", "b", "A"]];
        let fine: [&[&str]; 4] = [&[], &["IRISCLUSTERS", "%A"], &["App", "Apps"], &many];
        [case(field, "that every cluster has", &ours, &fine), case(field, "ignores case", &twice, &fine)]
    });
    each.collect()
}

fn data(fields: Value) -> Value {
    merged(&minimal("IrisCluster"), &at("topology.data", fields))
}

fn mirrored_databases() -> Case {
    let spec = |mirrored: Value, database: Value| {
        data(
            json!({"mirrored": mirrored, "irisDatabases": [{"name": "A"}, {"name": "B", "mirrored": database}]}),
        )
    };
    Case {
        kind: "IrisCluster",
        path: "spec.topology.data".to_owned(),
        text: "can be mirrored in a mirrored cluster only".to_owned(),
        offer: Offer::Specs {
            refused: vec![spec(json!(false), json!(true)), spec(Value::Null, json!(true))],
            accepted: vec![
                spec(json!(true), json!(true)),
                spec(json!(true), json!(false)),
                spec(json!(false), json!(false)),
                spec(Value::Null, Value::Null),
            ],
        },
    }
}

fn databases_of_shards() -> Case {
    let spec = |mirrored: bool, shards: Value, database: Value| {
        let databases = json!([{"name": "A", "mirrored": false}, {"name": "B", "mirrored": database}]);
        data(json!({"mirrored": mirrored, "shards": shards, "irisDatabases": databases}))
    };
    Case {
        kind: "IrisCluster",
        path: "spec.topology.data".to_owned(),
        text: "cannot join the mirrors of a sharded cluster".to_owned(),
        offer: Offer::Specs {
            refused: vec![spec(true, json!(1), Value::Null), spec(true, json!(2), json!(true))],
            accepted: vec![
                spec(true, json!(2), json!(false)),
                spec(false, json!(2), Value::Null),
                spec(true, Value::Null, Value::Null),
            ],
        },
    }
}

fn sizes() -> Vec<Case> {
    let places =
        VOLUMES.iter().flat_map(|(group, volumes)| volumes.iter().map(move |volume| (group, volume)));
    let case = |(group, volume): (&&str, &&str)| {
        let specs = |sizes: &[Value]| {
            let size =
                |size: &Value| at(&format!("{group}.{volume}.resources.requests.storage"), size.clone());
            sizes.iter().map(|value| merged(&with_group(group), &size(value))).collect()
        };
        Case {
            kind: "IrisCluster",
            path: format!("spec.{group}.{volume}"),
            text: "above zero".to_owned(),
            offer: Offer::Specs {
                refused: specs(&[
                    json!("ten"),
                    json!("10GB"),
                    json!("0"),
                    json!("-1Gi"),
                    json!(0),
                    json!(""),
                ]),
                accepted: specs(&[
                    json!("10Gi"),
                    json!("1.5Ti"),
                    json!("1"),
                    json!(1),
                    json!(10_737_418_240_u64),
                ]),
            },
        }
    };
    places.map(case).collect()
}

fn legacy_storage() -> [Case; 2] {
    ["topology.data", "topology.compute"].map(|group| {
        let spec = |volumes: Value| merged(&with_group(group), &at(group, volumes));
        Case {
            kind: "IrisCluster",
            path: format!("spec.{group}"),
            text: "old name of storageDB".to_owned(),
            offer: Offer::Specs {
                refused: vec![spec(json!({"storage": {}, "storageDB": {}}))],
                accepted: vec![spec(json!({"storage": {}})), spec(json!({"storage": null, "storageDB": {}}))],
            },
        }
    })
}

#[test]
fn every_rule_has_a_case() {
    let rules = all_rules();
    let cases = all_cases();
    let covered: BTreeSet<_> = cases.iter().map(|case| case.rule(&rules)).collect();
    let missing: Vec<_> = rules.iter().filter(|rule| !covered.contains(rule)).collect();
    assert!(missing.is_empty(), "rules without a case: {missing:#?}");
    for case in &cases {
        let changes = matches!(case.offer, Offer::Changes { .. });
        assert_eq!(case.rule(&rules).is_transition(), changes, "{} {}", case.path, case.text);
    }
}

#[tokio::test]
async fn rules_about_new_objects() {
    check(cases()).await;
}

#[tokio::test]
async fn rules_about_changes() {
    check(transitions::cases()).await;
}

async fn check(cases: Vec<Case>) {
    let rules = all_rules();
    let mut faults = Vec::new();
    for case in cases {
        let kind = Kind::by_name(case.kind).await;
        let rule = case.rule(&rules);
        let mut judge = |what: String, answer: Result<_, super::fixture::Refusal>, accept: bool| match answer
        {
            Ok(_) if !accept => faults.push(format!("{}: accepted {what}", rule.message)),
            Err(refusal) if accept => faults.push(format!("{}: refused {what}: {refusal:?}", rule.message)),
            Err(refusal) if !refusal.names(&rule.path, &rule.message) => {
                faults.push(format!("{}: another message for {what}: {refusal:?}", rule.message));
            }
            _ => {}
        };
        match case.offer {
            Offer::Names { refused, accepted } => {
                for (name, accept) in expected(refused, accepted) {
                    let answer = kind.offer_named(&name, &minimal(case.kind)).await;
                    judge(name, answer, accept);
                }
            }
            Offer::Specs { refused, accepted } => {
                for (spec, accept) in expected(refused, accepted) {
                    let answer = kind.offer(&spec).await;
                    judge(spec.to_string(), answer, accept);
                }
            }
            Offer::Changes { old, refused, accepted } => {
                let object = kind.create(&old).await;
                for (spec, accept) in expected(refused, accepted) {
                    let answer = kind.offer_change(&object, &spec).await;
                    judge(format!("{old} → {spec}"), answer, accept);
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn expected<T>(refused: Vec<T>, accepted: Vec<T>) -> impl Iterator<Item = (T, bool)> {
    let refused = refused.into_iter().map(|value| (value, false));
    refused.chain(accepted.into_iter().map(|value| (value, true)))
}
