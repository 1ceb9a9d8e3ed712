//! What an attestation comes to. Must not judge: it sums up what was judged.

use std::fmt;

use serde::Serialize;

use super::expected::ExpectedTopology;

/// Whether something holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// It holds.
    Pass,
    /// Nobody can tell, as something could not be read.
    Unknown,
    /// It does not hold.
    Fail,
}

impl Verdict {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Unknown => "UNKNOWN",
            Self::Fail => "FAIL",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One claim, such as `128 compute in london`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// What is claimed, in words. It does not depend on what was seen, but for the number of autoscaled pods.
    pub claim: String,
    /// Whether it holds.
    pub result: Verdict,
    /// Why, in words.
    pub reason: String,
}

impl Claim {
    pub(super) fn new(claim: impl Into<String>, result: Verdict, reason: impl Into<String>) -> Self {
        Self { claim: claim.into(), result, reason: reason.into() }
    }

    /// It fails when there is a problem, is unknown when something could not be read, and else passes.
    pub(super) fn judged(
        claim: impl Into<String>,
        problems: &[String],
        unknown: &[String],
        otherwise: impl Into<String>,
    ) -> Self {
        match (problems, unknown) {
            ([], []) => Self::new(claim, Verdict::Pass, otherwise),
            ([], unknown) => Self::new(claim, Verdict::Unknown, unknown.join("; ")),
            (problems, _) => Self::new(claim, Verdict::Fail, problems.join("; ")),
        }
    }
}

/// Pods of one node group that belong in one zone, or in any of some.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The zone, or zones of which any will do; none where any zone will do.
    pub zones: Vec<String>,
    /// The node group.
    pub component: &'static str,
    /// Pods that belong there. Absent when an autoscaler decides and its number could not be read.
    pub expected: Option<usize>,
    /// Pods that are there. Absent when that could not be read.
    pub observed: Option<usize>,
}

/// What an attestation comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Namespace of the resource.
    pub namespace: String,
    /// Name of the resource.
    pub name: String,
    /// The worst of all claims: FAIL before UNKNOWN before PASS.
    pub result: Verdict,
    /// Pods by zone.
    pub zones: Vec<Row>,
    /// The claims in their order.
    pub claims: Vec<Claim>,
}

impl Report {
    pub(super) fn new(expected: &ExpectedTopology, zones: Vec<Row>, claims: Vec<Claim>) -> Self {
        Self::of(&expected.namespace, &expected.name, zones, claims)
    }

    pub(super) fn of(namespace: &str, name: &str, zones: Vec<Row>, claims: Vec<Claim>) -> Self {
        let result = claims.iter().map(|claim| claim.result).max().unwrap_or(Verdict::Unknown);
        Self { namespace: namespace.to_owned(), name: name.to_owned(), result, zones, claims }
    }
}
