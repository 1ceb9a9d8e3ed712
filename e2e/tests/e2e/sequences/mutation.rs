//! Draws changes of a spec: a field of the schema or of a golden input is removed, or gets another value, one at a bound,
//! or a bad one. It must not know what an apiserver or the hub makes of them.

use std::collections::BTreeMap;
use std::fmt;

use homebase_api::IrisCluster;
use kube::CustomResourceExt as _;
use serde_json::{Value, json};

use super::pool::{self, Path};

/// More pods of one group than this would measure KWOK. What the schema refuses anyway may be larger.
const MOST_PODS: i64 = 4;
/// The bound of the schema, beyond which numbers of pods are refused.
const REFUSED_PODS: i64 = homebase_api::limits::MAX_REPLICAS as i64;

/// What came of the changes so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Taken by the apiserver.
    pub(super) accepted: usize,
    /// Refused by it.
    pub(super) refused: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} accepted, {} refused by the apiserver", self.accepted, self.refused)
    }
}

/// A change of a spec.
#[derive(Clone, Debug)]
pub(super) struct Mutation {
    path: Path,
    /// None: the field is removed.
    value: Option<Value>,
}

impl fmt::Display for Mutation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.join(".");
        match &self.value {
            None => write!(out, "remove {path}"),
            Some(value) => write!(out, "set {path} = {:.300}", value.to_string()),
        }
    }
}

/// Draws changes from a seed.
pub(super) struct Mutator {
    random: fastrand::Rng,
    pool: BTreeMap<Path, Vec<Value>>,
    /// Values at and beyond the bounds of each field of the schema.
    bounds: BTreeMap<Path, Vec<Value>>,
    required: Vec<Path>,
    tally: Tally,
}

impl Mutator {
    pub(super) fn new(seed: u64) -> Self {
        let crd = serde_json::to_value(IrisCluster::crd()).unwrap();
        let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        let (mut bounds, mut required) = (BTreeMap::new(), Vec::new());
        walk(spec, &mut Vec::new(), &mut bounds, &mut required);
        assert!(bounds.len() > 100, "{} fields in the schema", bounds.len());
        let random = fastrand::Rng::with_seed(seed);
        Self { random, pool: pool::read(), bounds, required, tally: Tally::default() }
    }

    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    /// Takes note of what became of a change.
    pub(super) fn count(&mut self, accepted: bool) {
        if accepted {
            self.tally.accepted += 1;
        } else {
            self.tally.refused += 1;
        }
    }

    /// The next change, and the spec with it.
    pub(super) fn draw(&mut self, spec: &Value) -> (Mutation, Value) {
        loop {
            let Some(mutation) = self.candidate(spec) else { continue };
            let mut changed = spec.clone();
            if mutation.apply(&mut changed) && changed != *spec && !is_heavy(&changed) && is_bound(&changed) {
                return (mutation, changed);
            }
        }
    }

    fn candidate(&mut self, spec: &Value) -> Option<Mutation> {
        let kind = self.random.u8(0..10);
        if kind < 3 {
            let mut present = Vec::new();
            paths_of(spec, &mut Vec::new(), &mut present);
            // Now and then also one that must be there.
            let keep = self.random.u8(0..8) > 0;
            present.retain(|path| !keep || !self.required.contains(path));
            let path = self.random.choice(present)?;
            return Some(Mutation { path, value: None });
        }
        let source = if kind < 7 { &self.pool } else { &self.bounds };
        let possible: Vec<&Path> = source.keys().filter(|path| has_parent(spec, path)).collect();
        let path = self.random.choice(possible)?.clone();
        let value = self.random.choice(&source[&path])?.clone();
        Some(Mutation { path, value: Some(value) })
    }
}

impl Mutation {
    /// Whether it could be applied.
    fn apply(&self, spec: &mut Value) -> bool {
        let Some((last, parents)) = self.path.split_last() else { return false };
        let mut place = spec;
        for name in parents {
            let Some(below) = place.get_mut(name) else { return false };
            place = below;
        }
        let Some(map) = place.as_object_mut() else { return false };
        match &self.value {
            Some(value) => {
                map.insert(last.clone(), value.clone());
                true
            }
            None => map.remove(last).is_some(),
        }
    }
}

fn has_parent(spec: &Value, path: &Path) -> bool {
    let Some((_, parents)) = path.split_last() else { return false };
    parents.iter().try_fold(spec, |place, name| place.get(name)).is_some_and(Value::is_object)
}

fn paths_of(value: &Value, path: &mut Path, all: &mut Vec<Path>) {
    for (name, below) in value.as_object().into_iter().flatten() {
        path.push(name.clone());
        all.push(path.clone());
        paths_of(below, path, all);
        path.pop();
    }
}

/// The bounds of every field below a node of the schema, and the fields that must be there.
fn walk(node: &Value, path: &mut Path, bounds: &mut BTreeMap<Path, Vec<Value>>, required: &mut Vec<Path>) {
    if !path.is_empty() {
        bounds.insert(path.clone(), values_of(node));
    }
    for name in node["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        required.push(path.iter().cloned().chain([name.to_owned()]).collect());
    }
    for (name, below) in node["properties"].as_object().into_iter().flatten() {
        path.push(name.clone());
        walk(below, path, bounds, required);
        path.pop();
    }
}

/// Values at the bounds of a field, beyond them, and of a wrong type.
fn values_of(node: &Value) -> Vec<Value> {
    let mut values = match node["type"].as_str() {
        Some("string") => vec![json!(""), json!("a\nb"), json!(7), json!("x".repeat(5000))],
        Some("integer") => vec![json!(0), json!(-1), json!(i32::MAX), json!("1"), json!(1.5)],
        Some("boolean") => vec![json!(true), json!(false), json!("yes")],
        Some("array") => vec![json!([]), json!([{}]), json!("text"), json!([null])],
        _ => vec![json!({}), json!([]), json!({"bogus": {"deep": 1}})],
    };
    values.push(Value::Null);
    for bound in ["minimum", "maximum"] {
        let Some(bound) = node[bound].as_f64() else { continue };
        #[expect(clippy::cast_possible_truncation, reason = "the bounds are small whole numbers")]
        let bound = bound as i64;
        values.extend([bound - 1, bound, bound + 1].map(Value::from));
    }
    values.extend(node["enum"].as_array().into_iter().flatten().cloned());
    values
}

/// Whether the claims of nodes that may come and go are such as somebody binds here: a set is recreated only when its claims
/// are bound, so one that waits for a volume that never comes has no way back.
fn is_bound(spec: &Value) -> bool {
    const NEVER_HERE: [&str; 5] =
        ["selector", "dataSource", "dataSourceRef", "volumeName", "volumeAttributesClassName"];
    let volumes = ["compute", "webgateway"]
        .iter()
        .filter_map(|group| spec["topology"][group].as_object())
        .flat_map(|group| group.iter().filter(|(name, _)| name.starts_with("storage")));
    let mut fields = volumes.flat_map(|(_, volume)| NEVER_HERE.map(|field| &volume[field]));
    fields.all(Value::is_null)
}

/// Whether the pods of a spec are too many for this test, and not so many that nobody makes them.
fn is_heavy(spec: &Value) -> bool {
    let number = |pointer: &str| spec.pointer(pointer).and_then(Value::as_i64).unwrap_or(1);
    let pods = [
        number("/topology/compute/replicas"),
        number("/topology/webgateway/replicas"),
        number("/topology/data/shards"),
    ];
    let members = spec["topology"]["data"]["mirrorMap"].as_str().map_or(0, |map| map.matches(',').count());
    let members = i64::try_from(members).unwrap_or(i64::MAX);
    pods.iter().any(|pods| (MOST_PODS + 1..=REFUSED_PODS).contains(pods)) || members >= MOST_PODS
}
