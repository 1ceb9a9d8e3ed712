//! Waits until the hub has taken up a change of a registration. What counts as taken, refused or under way is
//! decided from what the hub shows, and nothing is changed.

use std::time::Duration;

use homebase_api::WorkCluster;
use homebase_api::conditions::work_cluster::{CredentialsValid, IdentityVerified, Ready};
use homebase_api::conditions::{Reason, find_condition};
use homebase_core::ClusterId;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use tokio::time::Instant;

use super::Exit;
use super::fleet::{Home, observed_secret};
use super::output::tell;
use super::values::Lifetime;

#[cfg(test)]
mod tests;

/// How often to look: a person waits, and the home cluster does not notice.
const POLL: Duration = Duration::from_millis(500);

/// What a look came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It is as wanted.
    Done(String),
    /// Waiting does not help.
    Refused(String),
    /// Not yet.
    UnderWay(String),
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// The hub operates the cluster.
    Ready,
    /// The hub uses the credentials of the Secret as it is now.
    Rotated,
    /// The hub does nothing on the cluster.
    Paused,
}

impl Goal {
    /// Judges what the hub shows. `version` is the resourceVersion of the Secret that it must speak of.
    pub(crate) fn judge(self, shown: Option<&WorkCluster>, version: &str) -> Progress {
        let Some(shown) = shown else {
            return Progress::UnderWay("no hub has taken the registration up".to_owned());
        };
        if observed_secret(shown).is_none_or(|observed| observed.resource_version != version) {
            return Progress::UnderWay("the hub has not read the Secret as it is now".to_owned());
        }
        let conditions = shown.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        let ready = find_condition::<Ready>(conditions);
        let is_paused = ready.is_some_and(|ready| is(ready, Ready::Paused));
        let (wanted, is_done) = match self {
            // A resumed cluster that cannot be reached is not operated.
            Self::Ready => (ready, None),
            Self::Rotated => (find_condition::<CredentialsValid>(conditions), None),
            Self::Paused => (ready, Some(is_paused)),
        };
        if is_done.is_none()
            && let Some(refused) = refusal(conditions)
        {
            return Progress::Refused(in_words(refused));
        }
        match wanted {
            Some(condition) if is_done.unwrap_or(condition.status == "True") => {
                Progress::Done(in_words(condition))
            }
            Some(condition) => Progress::UnderWay(in_words(condition)),
            None => Progress::UnderWay("the hub has not tried the credentials yet".to_owned()),
        }
    }
}

/// The condition that only another change of the registration can mend.
fn refusal(conditions: &[Condition]) -> Option<&Condition> {
    let credentials = find_condition::<CredentialsValid>(conditions).filter(|found| {
        is(found, CredentialsValid::RotationRejected)
            || is(found, CredentialsValid::BadKubeConfig)
            || is(found, CredentialsValid::InsecureKubeConfig)
            || is(found, CredentialsValid::KeyNotFound)
            || is(found, CredentialsValid::Expired)
    });
    let identity = || {
        find_condition::<IdentityVerified>(conditions)
            .filter(|found| is(found, IdentityVerified::Mismatch) || is(found, IdentityVerified::Duplicate))
    };
    let ready = || {
        find_condition::<Ready>(conditions)
            .filter(|found| is(found, Ready::Paused) || is(found, Ready::InvalidRegistration))
    };
    credentials.or_else(identity).or_else(ready)
}

fn is<R: Reason>(condition: &Condition, reason: R) -> bool {
    condition.status != "True" && condition.reason == reason.as_str()
}

fn in_words(condition: &Condition) -> String {
    format!("{}={} {}: {}", condition.type_, condition.status, condition.reason, condition.message)
}

/// Looks until the goal is reached, refused, or the time is over.
pub(crate) async fn wait(
    home: &Home,
    id: &ClusterId,
    version: &str,
    goal: Goal,
    bound: Lifetime,
) -> anyhow::Result<Exit> {
    if bound.duration().is_zero() {
        return Ok(Exit::Success);
    }
    let deadline = Instant::now() + bound.duration();
    let mut told = String::new();
    loop {
        let shown = home.work_cluster(id).await?;
        let words = match goal.judge(shown.as_ref(), version) {
            Progress::Done(words) => {
                tell(&format!("{id}: {words}"));
                return Ok(Exit::Success);
            }
            Progress::Refused(words) => {
                tell(&format!("error: {id}: {words}"));
                return Ok(Exit::Failure);
            }
            Progress::UnderWay(words) => words,
        };
        if Instant::now() >= deadline {
            tell(&format!("error: {id}: not so within {bound}: {words}"));
            return Ok(Exit::Failure);
        }
        if words != told {
            tell(&format!("{id}: waiting: {words}"));
            told = words;
        }
        tokio::time::sleep(POLL).await;
    }
}
