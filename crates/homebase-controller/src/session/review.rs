//! Looks at the rights of a session's credentials, at first contact and now and then: when to look, and what the
//! answer means. Nothing waits for it, and it writes nothing.

use std::time::Duration;

use homebase_core::Chain;
use homebase_fleet::session::Permissions;
use homebase_kube::Category;
use homebase_kube::permissions::{
    FetchRulesError, Missing, NO_NAMESPACE, Need, Rules, Verdict, compare, fetch_rules,
};
use kube::Client;
use tokio::time::Instant;

#[cfg(test)]
mod tests;

/// Time between two looks when nothing is amiss: nobody tells of a right that was withdrawn, but its first refused
/// request does, so this is for what is not asked for every minute.
const REVIEW_INTERVAL: Duration = Duration::from_secs(300);
/// The same while rights are missing or could not be read: somebody may be granting them just now.
const REPAIR_INTERVAL: Duration = Duration::from_secs(30);
/// How to get the rights that are missing.
const FIX: &str = "grant the rules of deploy/rbac/work-cluster.yaml to the account of the kubeconfig";

/// When to look again.
pub(super) struct Schedule {
    due: Instant,
    running: bool,
}

impl Schedule {
    /// Due at once.
    pub(super) fn new() -> Self {
        Self { due: Instant::now(), running: false }
    }

    /// Whether to look now, in which case it counts as begun. `is_idle` says that the session does not work yet: then
    /// it asks rarely anyway, and what it lacks may be rights.
    pub(super) fn begin(&mut self, is_idle: bool) -> bool {
        let now = Instant::now();
        if self.running || (now < self.due && !is_idle) {
            return false;
        }
        self.running = true;
        self.due = now + REVIEW_INTERVAL;
        true
    }

    /// Other credentials, or another contact: the answer may be another.
    pub(super) fn expire(&mut self) {
        self.due = Instant::now();
    }

    /// A look came to an end, with this or with nothing.
    fn end(&mut self, found: Option<&Permissions>) {
        self.running = false;
        if !matches!(found, Some(Permissions::Sufficient | Permissions::Excessive(_))) {
            self.due = self.due.min(Instant::now() + REPAIR_INTERVAL);
        }
    }

    /// A look broke off.
    pub(super) fn broke_off(&mut self) {
        self.end(None);
    }

    /// What a look came to, which is nothing when it failed as any request may: then what was known stays.
    pub(super) fn settle(
        &mut self,
        outcome: Result<Permissions, FetchRulesError>,
        known: Option<&Permissions>,
    ) -> Option<Permissions> {
        let found = match outcome {
            Ok(found) => Some(found),
            Err(error) if known.is_none() || error.category() == Category::Forbidden => {
                Some(Permissions::Unknown(Chain(&error).to_string()))
            }
            Err(error) => {
                tracing::debug!(error = %Chain(&error), "rights not read");
                None
            }
        };
        self.end(found.as_ref());
        found.filter(|found| Some(found) != known)
    }
}

/// Asks a cluster for the rights of the credentials and compares them with what is needed.
pub(crate) async fn review(client: &Client, needs: &[Need]) -> Result<Permissions, FetchRulesError> {
    let rules = fetch_rules(client, NO_NAMESPACE).await?;
    let verdict = compare(needs, &rules);
    Ok(judge(&verdict, &rules))
}

fn judge(verdict: &Verdict, rules: &Rules) -> Permissions {
    let Verdict { missing, excessive } = verdict;
    let beyond = (!excessive.is_empty()).then(|| {
        format!("granted and not needed, a danger if the kubeconfig leaks: {}", excessive.join("; "))
    });
    if missing.is_empty() {
        return beyond.map_or(Permissions::Sufficient, Permissions::Excessive);
    }
    let lacks = missing.iter().map(Missing::to_string).collect::<Vec<_>>().join("; ");
    if let Some(why) = &rules.incomplete {
        return Permissions::Unknown(format!(
            "the cluster does not tell all rights ({why}); not among those that it tells: {lacks}"
        ));
    }
    let mut words = format!("missing: {lacks}. To repair it, {FIX}");
    if let Some(beyond) = beyond {
        words = format!("{words}. Also {beyond}");
    }
    Permissions::Missing { words, stops_work: verdict.stops_work() }
}
