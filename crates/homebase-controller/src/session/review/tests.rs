//! What an answer means, and when the next one is asked for, by a clock that the test moves.

use std::time::Duration;

use homebase_fleet::session::Permissions;
use homebase_kube::permissions::{FetchRulesError, Granted, NEEDS, Rules, Verdict, compare_in};
use k8s_openapi::api::authorization::v1::{NonResourceRule, ResourceRule};

use super::{REPAIR_INTERVAL, REVIEW_INTERVAL, Schedule, judge};

fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> ResourceRule {
    let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    ResourceRule {
        api_groups: Some(owned(groups)),
        resources: Some(owned(resources)),
        resource_names: None,
        verbs: owned(verbs),
    }
}

fn everything_but_events() -> Rules {
    let all = ["namespaces", "customresourcedefinitions", "statefulsets", "deployments", "services"];
    let more = ["configmaps", "pods", "pods/proxy", "pods/eviction", "persistentvolumeclaims"];
    let operated = ["irisclusters", "iris"];
    let rest = ["selfsubjectrulesreviews", "*/status", "*/finalizers"];
    let verbs = ["get", "list", "watch", "create", "patch", "update"];
    let url = NonResourceRule {
        non_resource_urls: Some(vec!["/version".to_owned()]),
        verbs: vec!["get".to_owned()],
    };
    let deletes = rule(&["*"], &["statefulsets", "deployments", "services", "configmaps"], &["delete"]);
    let zones = [
        "nodes",
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
    ];
    let resources = vec![
        rule(&["*"], &[&all[..], &more[..], &operated[..], &rest[..], &zones[..]].concat(), &verbs),
        deletes,
    ];
    Rules { resources, urls: vec![url], incomplete: None }
}

fn judged(rules: &Rules) -> Permissions {
    judge_in(&Granted { everywhere: rules.clone(), within: Vec::new() })
}

fn judge_in(granted: &Granted) -> Permissions {
    judge(&compare_in(NEEDS, granted), granted)
}

#[test]
fn what_is_missing_is_named_with_its_weight_and_the_fix() {
    let Permissions::Missing { words, stops_work } = judged(&everything_but_events()) else { panic!() };
    assert!(words.starts_with("missing: create,patch events.events.k8s.io. To repair it, "), "{words}");
    assert!(words.contains("deploy/rbac/work-cluster.yaml") && !words.contains("danger"), "{words}");
    assert!(!stops_work);
    let Permissions::Missing { stops_work, .. } = judged(&Rules::default()) else { panic!() };
    assert!(stops_work);
}

#[test]
fn what_is_missing_in_a_namespace_is_named_with_it_and_another_fix() {
    let within = vec![("a".parse().unwrap(), everything_but_events())];
    let granted = Granted { everywhere: everything_but_events(), within };
    let Permissions::Missing { words, .. } = judge_in(&granted) else { panic!() };
    assert!(words.starts_with("missing: create,patch events.events.k8s.io in namespace a. To"), "{words}");
    assert!(words.contains("--print-rbac --watch-namespaces"), "{words}");
}

#[test]
fn missing_beats_excessive_and_tells_both() {
    let mut rules = everything_but_events();
    rules.resources.push(rule(&[""], &["secrets"], &["get"]));
    let Permissions::Missing { words, .. } = judged(&rules) else { panic!() };
    assert!(words.contains("events.events.k8s.io") && words.ends_with(": get secrets"), "{words}");
    rules.resources.push(rule(&["events.k8s.io"], &["events"], &["*"]));
    let Permissions::Excessive(words) = judged(&rules) else { panic!() };
    assert!(words.ends_with(": get secrets"), "{words}");
}

#[test]
fn an_incomplete_answer_is_never_missing_but_may_be_enough() {
    let mut rules = everything_but_events();
    rules.incomplete = Some("a webhook decides".to_owned());
    let Permissions::Unknown(words) = judged(&rules) else { panic!() };
    assert!(words.contains("a webhook decides") && words.contains("events.events.k8s.io"), "{words}");
    rules.resources.push(rule(&["events.k8s.io"], &["events"], &["create", "patch"]));
    assert_eq!(judged(&rules), Permissions::Sufficient);
    let granted = Granted { everywhere: rules, within: Vec::new() };
    assert_eq!(judge(&Verdict::default(), &granted), Permissions::Sufficient);
}

#[tokio::test(start_paused = true)]
async fn what_is_well_is_looked_at_rarely_and_what_is_not_soon() {
    let mut schedule = Schedule::new();
    let next = async |schedule: &mut Schedule| {
        let mut waited = Duration::ZERO;
        while !schedule.begin(false) {
            tokio::time::advance(Duration::from_secs(10)).await;
            waited += Duration::from_secs(10);
        }
        waited
    };
    assert_eq!(next(&mut schedule).await, Duration::ZERO);
    assert!(!schedule.begin(true), "one look at a time");
    let known = schedule.settle(Ok(Permissions::Sufficient), None);
    assert_eq!(known, Some(Permissions::Sufficient));
    assert_eq!(next(&mut schedule).await, REVIEW_INTERVAL);
    assert_eq!(schedule.settle(Ok(Permissions::Sufficient), known.as_ref()), None, "it is no news");
    assert!(schedule.begin(true), "a session that does not work looks each time");

    let lacks = Permissions::Missing { words: "missing".to_owned(), stops_work: true };
    assert_eq!(schedule.settle(Ok(lacks.clone()), known.as_ref()), Some(lacks.clone()));
    assert_eq!(next(&mut schedule).await, REPAIR_INTERVAL);
    schedule.expire();
    schedule.settle(Ok(lacks), None);
    assert_eq!(next(&mut schedule).await, Duration::ZERO, "credentials were exchanged while it ran");
}

#[tokio::test(start_paused = true)]
async fn a_failed_request_takes_nothing_back() {
    let mut schedule = Schedule::new();
    let failed = || Err(FetchRulesError::AwaitAnswer);
    assert!(schedule.begin(false));
    let Some(Permissions::Unknown(words)) = schedule.settle(failed(), None) else { panic!() };
    assert!(words.contains("no review"), "{words}");
    assert!(schedule.begin(true));
    assert_eq!(schedule.settle(failed(), Some(&Permissions::Sufficient)), None);
    assert!(!schedule.begin(false));
    tokio::time::advance(REPAIR_INTERVAL).await;
    assert!(schedule.begin(false));
}
