//! Each bound of the schemas refuses the first value beyond it and accepts the last one within. The cases are made
//! from the schemas themselves, so that no bound can be without one. Rules are for `rules`.

use futures::{Stream, StreamExt, stream};
use homebase_api::{Iris, IrisCluster, limits};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::Resource;
use kube::core::CustomResourceExt;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::fixture::Kind;

/// Requests under way at once: enough to keep one apiserver busy.
const REQUESTS: usize = 16;

/// A step from a node of a schema to one below it.
#[derive(Clone, Debug)]
enum Step {
    Field(String),
    Item,
    Entry,
}

/// The key of the entry that stands for all entries of a map.
const KEY: &str = "storage";

/// A value for one field.
struct Case {
    /// The bound that it is about.
    bound: &'static str,
    path: Vec<Step>,
    value: Value,
    /// What the apiserver says; absent when it accepts the value.
    refusal: Option<String>,
}

/// The bounds of one node, each with a value on either side.
fn cases_of(node: &JSONSchemaProps, path: &[Step]) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut case = |bound, value, refusal: Option<&str>| {
        cases.push(Case { bound, path: path.to_vec(), value, refusal: refusal.map(ToOwned::to_owned) });
    };
    if let Some(most) = node.max_length.and_then(|most| usize::try_from(most).ok()) {
        case("maxLength", text(node, path, most + 1).into(), Some("may not be more than"));
        // A rule of its own allows one character less, and says why.
        let most = if ends_with(path, "deploymentName") { most - 1 } else { most };
        case("maxLength", text(node, path, most).into(), None);
    }
    if node.min_length == Some(1) {
        case("minLength", "".into(), Some("should be at least 1 chars long"));
        case("minLength", text(node, path, 1).into(), None);
    }
    if node.pattern.is_some() {
        // Nothing that has a pattern may hold a line feed, which would start a new line in a CPF or CSP file.
        case("pattern", " \n".into(), Some("should match"));
        for value in beyond_pattern(node.pattern.as_deref()) {
            case("pattern", (*value).into(), Some("should match"));
        }
    }
    for (bound, beyond) in [(node.minimum, -1.0), (node.maximum, 1.0)] {
        let Some(bound) = bound else { continue };
        case("range", integer(bound + beyond), Some("should be"));
        case("range", integer(bound), None);
    }
    for value in node.enum_.iter().flatten() {
        case("enum", value.0.clone(), None);
    }
    if node.enum_.is_some() {
        case("enum", "bogus".into(), Some("Unsupported value"));
    }
    if let Some(most) = node.max_items.and_then(|most| usize::try_from(most).ok()) {
        case("maxItems", items(node, path, most + 1), Some("must have at most"));
        case("maxItems", items(node, path, most), None);
    }
    if let Some(most) = node.max_properties.and_then(|most| usize::try_from(most).ok()) {
        case("maxProperties", entries(node, path, most + 1), Some("must have at most"));
        case("maxProperties", entries(node, path, most), None);
    }
    for field in node.required.iter().flatten() {
        let mut value = least(node, path);
        value.as_object_mut().unwrap().remove(field);
        case("required", value, Some("Required value"));
    }
    if let Some(wrong) = wrong_type(node) {
        case("type", wrong, Some("must be of type"));
    }
    cases
}

fn ends_with(path: &[Step], name: &str) -> bool {
    matches!(path.last(), Some(Step::Field(field)) if field == name)
}

fn integer(value: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "the bounds are small whole numbers")]
    let value = value as i64;
    value.into()
}

fn wrong_type(node: &JSONSchemaProps) -> Option<Value> {
    match node.type_.as_deref()? {
        "string" => Some(json!(7)),
        "array" | "boolean" => Some(json!("text")),
        "integer" => Some(json!("7")),
        "object" => Some(json!([])),
        other => panic!("no wrong value for the type {other}"),
    }
}

/// A text of a length that fits the pattern of the node.
fn text(node: &JSONSchemaProps, path: &[Step], length: usize) -> String {
    let digits = |count: usize| "1".repeat(count);
    match node.pattern.as_deref() {
        Some(limits::PATH | limits::DIRECTORY) => format!("/{}", "a".repeat(length.saturating_sub(1))),
        Some(limits::VERSION) => {
            let longest = format!("2025{}", format!(".{}", digits(6)).repeat(4));
            format!("{longest}{}", digits(length.saturating_sub(longest.len())))
        }
        None if ends_with(path, "mirrorMap") => mirror_map(length),
        None if node.x_kubernetes_int_or_string == Some(true) => format!("{:0>length$}", "1"),
        _ => "a".repeat(length),
    }
}

/// A valid `mirrorMap` up to that length, or a longer one that is not valid.
fn mirror_map(length: usize) -> String {
    let mut map = "primary".to_owned();
    while map.len() < length {
        map.push_str(",rorasync");
    }
    map
}

/// Values that the pattern is there to keep out.
fn beyond_pattern(pattern: Option<&str>) -> &'static [&'static str] {
    match pattern {
        Some(limits::PATH) => &["csp", "/a b", "/a\nb", "/a=b", "/a;b", "/a,b", "/a[b]", "/a\"b"],
        Some(limits::DIRECTORY) => {
            &["mgr", "/", "/a b", "/a\nb", "/a=b", "/a,Size=1", "/a;b", "/a\"b", "/a#b", "/a:b"]
        }
        Some(limits::IRIS_NAME) => &["1A", "A B", "A,B", "A=B", "A\nB", "-A"],
        Some(limits::PASSWORD_HASH) => &["a b", "a\nb", "ä"],
        Some(limits::IMAGE) => &["iris latest", "-iris", "/iris", "{{ image }}"],
        Some(limits::LABEL) => &["-a", "a-", "a b", "ä"],
        Some(limits::SUBDOMAIN) => &["Upper", "a_b", "-a", "a-", ".a", "a..b"],
        Some(limits::VERSION) => &["2025", "latest", "2025.1-", "25.1", "2025.1."],
        other => panic!("no values against the pattern {other:?}"),
    }
}

/// The smallest value that the node accepts.
fn least(node: &JSONSchemaProps, path: &[Step]) -> Value {
    if node.x_kubernetes_int_or_string == Some(true) {
        return json!("10Gi");
    }
    if let Some(value) = node.enum_.iter().flatten().next() {
        return value.0.clone();
    }
    match node.type_.as_deref().unwrap() {
        "string" => text(node, path, 1).into(),
        "integer" => integer(node.minimum.unwrap_or(1.0)),
        "boolean" => false.into(),
        "array" => json!([]),
        "object" => {
            let required = node.required.iter().flatten();
            let fields = required.map(|field| {
                let inner = [path, &[Step::Field(field.clone())]].concat();
                (field.clone(), least(&node.properties.as_ref().unwrap()[field], &inner))
            });
            fields.collect::<Map<_, _>>().into()
        }
        other => panic!("no value of the type {other}"),
    }
}

fn items(node: &JSONSchemaProps, path: &[Step], count: usize) -> Value {
    let Some(JSONSchemaPropsOrArray::Schema(item)) = &node.items else { panic!("a list without items") };
    let path = [path, &[Step::Item]].concat();
    let item = least(item, &path);
    let distinct = node.x_kubernetes_list_map_keys.is_some();
    let items = (0..count).map(|index| {
        let mut item = item.clone();
        if distinct {
            item["name"] = format!("A{index}").into();
        }
        item
    });
    items.collect()
}

fn entries(node: &JSONSchemaProps, path: &[Step], count: usize) -> Value {
    let Some(JSONSchemaPropsOrBool::Schema(value)) = &node.additional_properties else {
        panic!("a map without values")
    };
    let value = least(value, &[path, &[Step::Entry]].concat());
    (0..count).map(|index| (format!("key{index}"), value.clone())).collect::<Map<_, _>>().into()
}

/// Every case of a schema, from its root.
fn all_cases(node: &JSONSchemaProps, path: &mut Vec<Step>, cases: &mut Vec<Case>) {
    cases.extend(cases_of(node, path));
    let mut below = |step: Step, node: &JSONSchemaProps| {
        path.push(step);
        all_cases(node, path, cases);
        path.pop();
    };
    for (name, property) in node.properties.iter().flatten() {
        below(Step::Field(name.clone()), property);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = &node.items {
        below(Step::Item, item);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(value)) = &node.additional_properties {
        below(Step::Entry, value);
    }
}

/// The smallest value of `node` that has `value` at the end of `path`.
fn with(node: &JSONSchemaProps, done: &[Step], path: &[Step], value: &Value) -> Value {
    let Some((step, rest)) = path.split_first() else { return value.clone() };
    let done = [done, std::slice::from_ref(step)].concat();
    match step {
        Step::Field(field) => {
            let mut object = least(node, &done[..done.len() - 1]);
            object[field] = with(&node.properties.as_ref().unwrap()[field], &done, rest, value);
            if field == "mirrorMap" {
                object["mirrored"] = true.into();
            }
            object
        }
        Step::Item => {
            let Some(JSONSchemaPropsOrArray::Schema(item)) = &node.items else {
                panic!("a list without items")
            };
            json!([with(item, &done, rest, value)])
        }
        Step::Entry => {
            let Some(JSONSchemaPropsOrBool::Schema(entry)) = &node.additional_properties else {
                panic!("a map without values")
            };
            json!({ KEY: with(entry, &done, rest, value) })
        }
    }
}

/// The path as the apiserver writes it.
fn place(path: &[Step]) -> String {
    path.iter().fold("spec".to_owned(), |place, step| match step {
        Step::Field(field) => format!("{place}.{field}"),
        Step::Item => format!("{place}[0]"),
        Step::Entry => format!("{place}.{KEY}"),
    })
}

async fn check(kind: &Kind, spec: &JSONSchemaProps, case: Case) -> Option<String> {
    let Case { bound, path, value, refusal } = case;
    let place = place(&path);
    let answer = kind.offer(&with(spec, &[], &path, &value)).await;
    let value: String = value.to_string().chars().take(80).collect();
    match (answer, refusal) {
        (Ok(_), None) => None,
        (Ok(_), Some(_)) => Some(format!("{bound}: {place} accepted {value}")),
        (Err(found), Some(text)) if found.names(&place, &text) => None,
        (Err(found), _) => Some(format!("{bound}: {place} = {value}: {found:?}")),
    }
}

/// `null` means "absent" wherever a field is optional. Only server-side apply does not drop it where it must not be
/// kept: in an enum, and where the scale subresource reads.
async fn check_null<K: Resource + DeserializeOwned>(
    kind: &Kind,
    spec: &JSONSchemaProps,
    path: Vec<Step>,
) -> Option<String> {
    let place = place(&path);
    let spec = with(spec, &[], &path, &Value::Null);
    let kept = ![
        "spec.replicas",
        "compute.replicas",
        "updateStrategy.type",
        "webgateway.type",
        ".alternativeServers",
    ]
    .iter()
    .any(|end| place.ends_with(end));
    match kind.offer_apply(&spec).await {
        Ok(_) if !kept => return Some(format!("{place} = null was applied")),
        Err(refusal) if kept => return Some(format!("apply {place} = null: {refusal:?}")),
        _ => {}
    }
    match kind.offer(&spec).await {
        Ok(kept) => {
            let read = kept.try_parse::<K>().err()?;
            Some(format!("{place} = null cannot be read: {read}"))
        }
        Err(refusal) => Some(format!("create {place} = null: {refusal:?}")),
    }
}

fn optional_fields(node: &JSONSchemaProps, path: &mut Vec<Step>, found: &mut Vec<Vec<Step>>) {
    for (name, property) in node.properties.iter().flatten() {
        path.push(Step::Field(name.clone()));
        if !node.required.iter().flatten().any(|required| required == name) {
            found.push(path.clone());
        }
        optional_fields(property, path, found);
        path.pop();
    }
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = &node.items {
        path.push(Step::Item);
        optional_fields(item, path, found);
        path.pop();
    }
}

fn spec_of(name: &str) -> JSONSchemaProps {
    let crd = homebase_api::crds().into_iter().find(|crd| crd.spec.names.kind == name).unwrap();
    let schema = crd.spec.versions[0].schema.clone().unwrap();
    schema.open_api_v3_schema.unwrap().properties.unwrap().remove("spec").unwrap()
}

async fn check_all(name: &str) {
    let spec = &spec_of(name);
    let mut cases = Vec::new();
    all_cases(spec, &mut Vec::new(), &mut cases);
    assert!(!cases.is_empty());
    let kind = &Kind::by_name(name).await;
    let checks = stream::iter(cases).map(|case| check(kind, spec, case));
    report(checks.buffer_unordered(REQUESTS)).await;
}

async fn check_nulls<K: CustomResourceExt + Resource<DynamicType = ()> + DeserializeOwned>() {
    let name = &K::kind(&());
    let spec = &spec_of(name);
    let mut fields = Vec::new();
    optional_fields(spec, &mut Vec::new(), &mut fields);
    assert!(!fields.is_empty());
    let kind = &Kind::by_name(name).await;
    let checks = stream::iter(fields).map(|path| check_null::<K>(kind, spec, path));
    report(checks.buffer_unordered(REQUESTS)).await;
}

async fn report(checks: impl Stream<Item = Option<String>>) {
    let faults: Vec<_> = checks.filter_map(|fault| async { fault }).collect().await;
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[tokio::test]
async fn bounds_of_iris_clusters() {
    check_all("IrisCluster").await;
}

#[tokio::test]
async fn bounds_of_iris() {
    check_all("Iris").await;
}

#[tokio::test]
async fn null_is_absent_in_iris_clusters() {
    check_nulls::<IrisCluster>().await;
}

#[tokio::test]
async fn null_is_absent_in_iris() {
    check_nulls::<Iris>().await;
}
