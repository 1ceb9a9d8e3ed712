//! Whether a hub works in a namespace, from its Lease: what the hub shows of clusters says nothing of now when no hub is
//! alive. It changes nothing.

use std::fmt;
use std::time::Duration;

use homebase_core::Chain;
use homebase_kube::Category;
use homebase_kube::lease::{GUARD, Holder, LeaseError, Leases, RENEW, version};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Client, ResourceExt as _};

use super::Exit;
use super::output::{rough, tell};

#[cfg(test)]
mod tests;

/// A hub renews its Lease every 5 s and may miss some; beyond this it is looked at whether it still does.
const SILENT: SignedDuration = SignedDuration::from_secs(60);
/// A Lease that looks old is read again after this time: the clock of this machine may be wrong, and a hub that is alive
/// has renewed it by then.
const SECOND_LOOK: Duration = Duration::from_secs(RENEW.as_secs() + 2);

/// What is known of the hub of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HubLife {
    /// It renews its Lease.
    Alive {
        /// Its instance.
        holder: String,
    },
    /// It has stopped in order, or no longer renews its Lease.
    Silent {
        /// Its instance; none of one that has stopped in order.
        holder: Option<String>,
        /// For how long, by the clock of this machine.
        since: Duration,
    },
    /// There is no Lease: no hub of this version has run in the namespace.
    NeverSeen,
    /// Whoever runs the command may not read the Lease, or it could not be read.
    Unknown {
        /// Why.
        why: String,
    },
}

impl HubLife {
    /// Whether it is known that no hub works in the namespace.
    pub(crate) fn is_dead(&self) -> bool {
        matches!(self, Self::Silent { .. } | Self::NeverSeen)
    }
}

impl HubLife {
    /// Says on standard error what whoever reads the clusters must know, and how the command ends because of it.
    pub(crate) fn tell(&self) -> Exit {
        match self {
            Self::Alive { .. } => Exit::Success,
            Self::Unknown { .. } => {
                tell(&format!("note: {self}"));
                Exit::Success
            }
            Self::Silent { .. } | Self::NeverSeen => {
                tell(&format!(
                    "warning: {self}: what is shown of clusters is its last word, not their state. Start the hub, or read \
                     its log"
                ));
                Exit::Unknown
            }
        }
    }
}

impl fmt::Display for HubLife {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alive { holder } => write!(f, "hub {holder} is alive"),
            Self::Silent { holder: Some(holder), since } => {
                write!(f, "hub silent for {} ({holder})", rough(*since))
            }
            Self::Silent { holder: None, since } => write!(f, "hub stopped {} ago", rough(*since)),
            Self::NeverSeen => f.write_str("no hub has been seen in this namespace"),
            Self::Unknown { why } => write!(f, "it is not known whether a hub is alive: {why}"),
        }
    }
}

/// Asks the home cluster whether a hub works in a namespace. For one that seems silent it takes some seconds.
pub(crate) async fn hub_life(client: &Client, namespace: &str) -> HubLife {
    let leases = Leases::new(client.clone(), namespace);
    let first = match leases.fetch(GUARD).await {
        Ok(Some(lease)) => lease,
        Ok(None) => return HubLife::NeverSeen,
        Err(error) => return unknown(&error, namespace),
    };
    let life = judge(&first, Timestamp::now());
    if !matches!(life, HubLife::Silent { holder: Some(_), .. }) {
        return life;
    }
    tokio::time::sleep(SECOND_LOOK).await;
    match leases.fetch(GUARD).await {
        Ok(Some(lease)) if version(&lease) != version(&first) => match Holder::of(&lease) {
            Some(holder) => HubLife::Alive { holder: holder.instance },
            None => judge(&lease, Timestamp::now()),
        },
        Ok(Some(lease)) => judge(&lease, Timestamp::now()),
        Ok(None) => HubLife::NeverSeen,
        Err(error) => unknown(&error, namespace),
    }
}

fn judge(lease: &Lease, now: Timestamp) -> HubLife {
    let renewed = lease.spec.as_ref().and_then(|spec| spec.renew_time.as_ref()).map(|time| time.0);
    let renewed =
        renewed.or_else(|| lease.creation_timestamp().map(|time| time.0)).unwrap_or(Timestamp::UNIX_EPOCH);
    let elapsed = now.duration_since(renewed);
    let since = if elapsed.is_negative() { Duration::ZERO } else { elapsed.unsigned_abs() };
    match Holder::of(lease) {
        // Far in the future is no better: then the clocks differ, and nothing is known of the time.
        Some(holder) if elapsed.abs() <= SILENT => HubLife::Alive { holder: holder.instance },
        holder => HubLife::Silent { holder: holder.map(|holder| holder.instance), since },
    }
}

fn unknown(error: &LeaseError, namespace: &str) -> HubLife {
    let why = match error.category() {
        Category::Forbidden => {
            format!("this needs permission to get Lease {GUARD} in namespace {namespace}")
        }
        _ => Chain(error).to_string(),
    };
    HubLife::Unknown { why }
}
