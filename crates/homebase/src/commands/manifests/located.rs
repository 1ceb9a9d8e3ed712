//! A document with the line of each of its fields, and its numbers as kubectl sends them. It judges nothing.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;

/// Whole numbers up to here are the same as a float and as an integer.
const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;

/// A value and where it is.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::commands) struct Located {
    /// From 1, within the text that was parsed; 0 when unknown.
    line: usize,
    node: Node,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Scalar(Value),
    List(Vec<Located>),
    Map(Vec<(String, Located)>),
}

impl Located {
    /// The value alone.
    pub(super) fn value(&self) -> Value {
        match &self.node {
            Node::Scalar(value) => value.clone(),
            Node::List(items) => items.iter().map(Self::value).collect(),
            Node::Map(entries) => Value::Object(
                entries.iter().map(|(key, one)| (key.clone(), one.value())).collect::<Map<_, _>>(),
            ),
        }
    }

    /// The items of a field that is a list.
    pub(super) fn items(self, field: &str) -> Vec<Self> {
        let Node::Map(entries) = self.node else { return Vec::new() };
        match entries.into_iter().find(|(key, _)| key == field).map(|(_, found)| found.node) {
            Some(Node::List(items)) => items,
            _ => Vec::new(),
        }
    }

    /// The line of a field such as `spec.topology.data.zones[1]`, or of what comes nearest to it.
    pub(super) fn line_of(&self, path: &str) -> usize {
        let mut here = self;
        for name in path.split(['.', '[', ']']).filter(|name| !name.is_empty()) {
            let next = match &here.node {
                Node::Map(entries) => entries.iter().find(|(key, _)| key == name).map(|(_, found)| found),
                Node::List(items) => name.parse().ok().and_then(|index: usize| items.get(index)),
                Node::Scalar(_) => None,
            };
            let Some(next) = next else { break };
            here = next;
        }
        here.line
    }
}

impl<'de> Deserialize<'de> for Located {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Node>::deserialize(deserializer)?;
        let line = usize::try_from(spanned.referenced.line()).unwrap_or_default();
        Ok(Self { line, node: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_none<E: Error>(self) -> Result<Node, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    /// kubectl turns YAML into JSON before it sends it, and `2.0`, `2e0` and `02.` into `2`.
    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole, and its bound is far within i64")]
        let whole = (value.fract() == 0.0 && value.abs() <= MAX_WHOLE).then_some(value as i64);
        Ok(Node::Scalar(match whole {
            Some(whole) => whole.into(),
            None => Number::from_f64(value).map_or(Value::Null, Value::Number),
        }))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut found = Vec::new();
        while let Some(item) = items.next_element()? {
            found.push(item);
        }
        Ok(Node::List(found))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut found = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            found.push(entry);
        }
        Ok(Node::Map(found))
    }
}
