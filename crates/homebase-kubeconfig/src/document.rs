//! Bytes to a tree of YAML nodes: one document, no anchors, no aliases, no tags but YAML's own, bounded in
//! every direction. It must not interpret fields, and must not show anything of a text that it cannot read.
//! (JSON is YAML, so the same reader serves both.)

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Error, Options};
use std::fmt;
use zeroize::Zeroizing;

use crate::policy::{MAX_DEPTH, MAX_EVENTS, MAX_KUBECONFIG_BYTES, MAX_NODES};
use crate::rejection::RejectionKind;

/// A value of the document. Text is wiped on drop, because any of it may be a secret.
pub(crate) enum Node {
    Null,
    Bool(bool),
    Number,
    Text(Zeroizing<String>),
    List(Vec<Node>),
    /// In the order of the document; a key that is not a text is an unknown field like any other.
    Map(Vec<(Node, Node)>),
}

/// Reads the one document.
pub(crate) fn parse(bytes: &[u8]) -> Result<Node, RejectionKind> {
    let text = check_text(bytes)?;
    check_single_document(text)?;
    let node = serde_saphyr::from_str_with_options(text, options()).map_err(|error| kind_of(&error))?;
    if matches!(node, Node::Null) { Err(RejectionKind::Empty) } else { Ok(node) }
}

fn check_text(bytes: &[u8]) -> Result<&str, RejectionKind> {
    if bytes.len() > MAX_KUBECONFIG_BYTES {
        return Err(RejectionKind::TooLarge { limit: MAX_KUBECONFIG_BYTES });
    }
    // What PowerShell writes by default; without this it would be called full of NUL characters.
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(RejectionKind::NotText { found: "it begins like UTF-16" });
    }
    if bytes.contains(&0) {
        return Err(RejectionKind::NotText { found: "it has NUL characters" });
    }
    std::str::from_utf8(bytes)
        .map_err(|_| RejectionKind::NotText { found: "it has bytes that are not UTF-8" })
}

/// The parser ignores what follows an explicit end of document; we do not.
fn check_single_document(text: &str) -> Result<(), RejectionKind> {
    let is_end = |line: &str| {
        line.strip_prefix("...").is_some_and(|rest| rest.trim().is_empty() || rest.starts_with([' ', '\t']))
    };
    let mut after_end = text.split(['\n', '\r']).skip_while(|line| !is_end(line)).skip(1);
    if after_end.all(|line| line.trim().is_empty()) { Ok(()) } else { Err(RejectionKind::SeveralDocuments) }
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: MAX_EVENTS,
            max_nodes: MAX_NODES,
            max_depth: MAX_DEPTH,
            // No tool writes anchors into a kubeconfig; without them there is nothing to expand.
            max_anchors: 0,
            max_aliases: 0,
            max_documents: 1,
        },
        emit_comments: false,
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        reject_unsupported_tags: true,
        // An unquoted `1e999` is a number of the wrong type, not a fault of the YAML.
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        // The snippet is a piece of the input, token included.
        with_snippet: false,
    }
}

fn kind_of(error: &Error) -> RejectionKind {
    let (line, column) = error.location().map_or((0, 0), |place| (place.line(), place.column()));
    match error {
        Error::MultipleDocuments { .. } => RejectionKind::SeveralDocuments,
        Error::Budget { breach: serde_saphyr::budget::BudgetBreach::Documents { .. }, .. } => {
            RejectionKind::SeveralDocuments
        }
        Error::Budget { .. }
        | Error::MergeKeyNotAllowed { .. }
        | Error::UnsupportedTag { .. }
        | Error::UnknownAnchor { .. }
        | Error::AliasError { .. } => RejectionKind::TooComplex { line, column },
        Error::DuplicateMappingKey { .. } => RejectionKind::RepeatedField { line, column },
        _ => RejectionKind::Syntax { line, column },
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

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Number)
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(Zeroizing::new(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Node, E> {
        Ok(Node::Text(Zeroizing::new(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Node::Map(fields))
    }
}
