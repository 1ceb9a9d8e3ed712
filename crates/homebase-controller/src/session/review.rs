//! Looks at the rights of a session's credentials, at first contact and now and then: when to look, and what the
//! answer means. Nothing waits for it, and it writes nothing.

use std::time::Duration;

use homebase_core::{Chain, Namespaces};
use homebase_fleet::session::Permissions;
use homebase_kube::Category;
use homebase_kube::permissions::{
    FetchRulesError, Granted, Missing, Need, Verdict, compare_in, fetch_granted,
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
/// The same for an account that is to work in some namespaces only.
const FIX_WITHIN: &str = "grant what `homebase register NAME --print-rbac --watch-namespaces LIST` prints to the \
                          account of the kubeconfig";

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

/// Asks a cluster for the rights of the credentials and compares them with what is needed where the hub works.
pub(crate) async fn review(
    client: &Client,
    needs: &[Need],
    namespaces: &Namespaces,
) -> Result<Permissions, FetchRulesError> {
    let granted = fetch_granted(client, namespaces).await?;
    let verdict = compare_in(needs, &granted);
    Ok(judge(&verdict, &granted))
}

fn judge(verdict: &Verdict, granted: &Granted) -> Permissions {
    let Verdict { missing, excessive } = verdict;
    let beyond = (!excessive.is_empty()).then(|| {
        format!("granted and not needed, a danger if the kubeconfig leaks: {}", excessive.join("; "))
    });
    if missing.is_empty() {
        return beyond.map_or(Permissions::Sufficient, Permissions::Excessive);
    }
    let lacks = missing.iter().map(Missing::to_string).collect::<Vec<_>>().join("; ");
    if let Some(why) = granted.incomplete() {
        return Permissions::Unknown(format!(
            "the cluster does not tell all rights ({why}); not among those that it tells: {lacks}"
        ));
    }
    let fix = if granted.within.is_empty() { FIX } else { FIX_WITHIN };
    let mut words = format!("missing: {lacks}. To repair it, {fix}");
    if let Some(beyond) = beyond {
        words = format!("{words}. Also {beyond}");
    }
    Permissions::Missing { words, stops_work: verdict.stops_work() }
}
