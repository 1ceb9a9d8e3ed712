//! What was found, in a fixed order, and what that comes to. It checks nothing.

use serde::Serialize;

use super::super::Exit;
use super::super::output::{Cell, Table, Tone};

#[cfg(test)]
mod tests;

/// The checks, in the order in which each needs the ones before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Check {
    Registration,
    Kubeconfig,
    Expiry,
    Dns,
    Tcp,
    Tls,
    Server,
    Clock,
    Credentials,
    Identity,
    Permissions,
    Crds,
    Hub,
    Freshness,
}

impl Check {
    /// The checks of the connection and of what is behind it: all but those that need the home cluster.
    const OF_CLUSTER: [Self; 11] = [
        Self::Kubeconfig,
        Self::Expiry,
        Self::Dns,
        Self::Tcp,
        Self::Tls,
        Self::Server,
        Self::Clock,
        Self::Credentials,
        Self::Identity,
        Self::Permissions,
        Self::Crds,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::Kubeconfig => "kubeconfig",
            Self::Expiry => "expiry",
            Self::Dns => "dns",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Server => "server",
            Self::Clock => "clock",
            Self::Credentials => "credentials",
            Self::Identity => "identity",
            Self::Permissions => "permissions",
            Self::Crds => "crds",
            Self::Hub => "hub",
            Self::Freshness => "freshness",
        }
    }
}

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Outcome {
    Pass,
    Fail,
    Unknown,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) check: Check,
    pub(super) result: Outcome,
    pub(super) found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fix: Option<String>,
}

impl Finding {
    pub(super) fn pass(check: Check, found: String) -> Self {
        Self { check, result: Outcome::Pass, found, fix: None }
    }

    /// It passes, and yet something is to be said.
    pub(super) fn note(check: Check, found: String, fix: impl Into<String>) -> Self {
        Self { check, result: Outcome::Pass, found, fix: Some(fix.into()) }
    }

    pub(super) fn fail(check: Check, found: String, fix: impl Into<String>) -> Self {
        Self { check, result: Outcome::Fail, found, fix: Some(fix.into()) }
    }

    pub(super) fn unknown(check: Check, found: String) -> Self {
        Self { check, result: Outcome::Unknown, found, fix: None }
    }
}

/// All lines.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<String>,
    /// The machine that was checked from.
    from: String,
    checks: Vec<Finding>,
}

impl Report {
    pub(super) fn new(cluster: Option<String>) -> Self {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let from = if name.trim().is_empty() { "unnamed".to_owned() } else { name.trim().to_owned() };
        Self { cluster, from, checks: Vec::new() }
    }

    pub(super) fn from(&self) -> &str {
        &self.from
    }

    pub(super) fn add(&mut self, finding: Finding) {
        self.checks.push(finding);
    }

    /// Adds a finding; false when the checks after it make no sense.
    pub(super) fn add_step(&mut self, finding: Finding) -> bool {
        let goes_on = finding.result == Outcome::Pass;
        self.add(finding);
        goes_on
    }

    /// The checks of the cluster that have not been made cannot be made.
    pub(super) fn skip_to_freshness(&mut self, because: &str) {
        for check in Check::OF_CLUSTER {
            if !self.checks.iter().any(|finding| finding.check == check) {
                self.add(Finding::unknown(check, format!("not checked: {because}")));
            }
        }
    }

    /// None of the checks can be made.
    pub(super) fn skip_rest(&mut self, because: &str) {
        self.skip_to_freshness(because);
        self.add(Finding::unknown(Check::Freshness, format!("not checked: {because}")));
    }

    pub(super) fn table(&self) -> Table {
        let mut sorted: Vec<&Finding> = self.checks.iter().collect();
        sorted.sort_by_key(|finding| finding.check);
        let rows = sorted.into_iter().map(|finding| {
            let result = match finding.result {
                Outcome::Pass => Cell::new("PASS", Tone::Good),
                Outcome::Fail => Cell::new("FAIL", Tone::Bad),
                Outcome::Unknown => Cell::new("UNKNOWN", Tone::Unsure),
            };
            let fix = finding.fix.as_ref().map(|fix| format!("fix: {fix}")).unwrap_or_default();
            vec![result, finding.check.as_str().into(), finding.found.as_str().into(), fix.into()]
        });
        Table { headings: Vec::new(), rows: rows.collect() }
    }

    pub(super) fn exit(&self) -> Exit {
        let any = |outcome| self.checks.iter().any(|finding| finding.result == outcome);
        if any(Outcome::Fail) {
            Exit::Failure
        } else if any(Outcome::Unknown) {
            Exit::Unknown
        } else {
            Exit::Success
        }
    }
}
