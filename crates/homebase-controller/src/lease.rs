//! Keeps the Leases of the hub: the one that guards the namespace, so that one hub at a time works there, and the one of
//! this instance, which is its sign of life. Until the guard is held the hub stands by and writes nothing; when another
//! hub has taken it, the process has to end.

use std::sync::Arc;
use std::time::Duration;

use homebase_core::Chain;
use homebase_fleet::lease::{Candidate, Decision, RENEW, SeenLease, TERM};
use homebase_kube::gate::{Moment, WriteGate};
use homebase_kube::lease::{GUARD, Holder, LeaseError, Leases, own_name, version};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Client;
use tokio::time::Instant;

use crate::home::HomeHealth;

#[cfg(test)]
mod tests;

/// How often a hub that stands by looks at the Lease, and how soon what failed is tried again.
const POLL: Duration = Duration::from_secs(1);
/// A renewal, the look at the Lease when it was refused, and the renewal after that; more only if others keep changing it.
const TRIES: u32 = 4;

/// Another hub has taken the Lease.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "another hub, {0}, has taken over the namespace: this one ends; when it is started again it stands by"
)]
pub struct LoseLease(String);

/// Whether the process that holds a Lease is known to have ended.
pub type IsGone = Arc<dyn Fn(&Holder) -> bool + Send + Sync>;

/// The Leases of one hub.
pub struct LeaseKeeper {
    leases: Leases,
    holder: Holder,
    is_gone: IsGone,
    gate: WriteGate,
    health: Arc<HomeHealth>,
    /// The guard as it was written or read last; none when it has to be created.
    guard: Option<Lease>,
    own: Heartbeat,
}

/// The Lease of this instance. It guards nothing: whoever has just taken the guard overwrites it once, and a hub that has
/// lost the guard and does not know yet leaves it to its successor.
struct Heartbeat {
    name: String,
    lease: Option<Lease>,
    is_taken: bool,
}

impl LeaseKeeper {
    /// Of a hub that holds no Lease yet. The client must not be behind the gate.
    pub fn new(
        home: Client,
        namespace: &str,
        holder: Holder,
        is_gone: IsGone,
        gate: WriteGate,
        health: Arc<HomeHealth>,
    ) -> Self {
        let own = Heartbeat { name: own_name(&holder.instance), lease: None, is_taken: false };
        Self { leases: Leases::new(home, namespace), holder, is_gone, gate, health, guard: None, own }
    }

    /// Waits until this hub holds the guard.
    pub async fn acquire(&mut self) {
        let mut candidate = Candidate::default();
        while !self.try_take(&mut candidate).await.unwrap_or_else(|error| self.failed(&error)) {
            tokio::time::sleep(POLL).await;
        }
        self.health.lead();
    }

    fn failed(&self, error: &LeaseError) -> bool {
        self.health.failed(error.category(), &Chain(error).to_string());
        false
    }

    async fn try_take(&mut self, candidate: &mut Candidate) -> Result<bool, LeaseError> {
        let found = self.leases.fetch(GUARD).await?;
        let held = found.as_ref().and_then(Holder::of);
        let seen = found.as_ref().map(|lease| SeenLease {
            version: version(lease),
            is_held: held.is_some(),
            // An answer that was lost may have been the one that gave it to this hub.
            is_gone: self.holder.holds(lease) || held.as_ref().is_some_and(|holder| (self.is_gone)(holder)),
        });
        if candidate.observe(seen.as_ref(), Instant::now().into_std()) == Decision::Wait {
            self.health.answered();
            if let Some(holder) = held {
                self.health.stand_by(&holder.instance);
            }
            return Ok(false);
        }
        let sent = Moment::now();
        match self.leases.hold(GUARD, &self.holder, found.as_ref()).await {
            Ok(lease) => {
                self.health.answered();
                self.gate.extend(sent, TERM);
                self.guard = Some(lease);
                Ok(true)
            }
            // Another hub was faster.
            Err(error) if error.is_outdated() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Renews the Leases until another hub has taken the guard.
    pub async fn keep(&mut self) -> LoseLease {
        self.own.beat(&self.leases, &self.holder).await;
        let mut pause = RENEW;
        loop {
            tokio::time::sleep(pause).await;
            let (leases, holder) = (self.leases.clone(), self.holder.clone());
            let guard = Guard { gate: &self.gate, health: &self.health, lease: &mut self.guard };
            // Side by side: one that is not answered must not hold up the other.
            let (renewed, ()) = tokio::join!(guard.renew(&leases, &holder), self.own.beat(&leases, &holder));
            pause = match renewed {
                Ok(true) => RENEW,
                Ok(false) => POLL,
                Err(lost) => return lost,
            };
        }
    }

    /// Gives the Leases back, so that the next hub need not wait. Only when all work has ended.
    pub async fn release(self) {
        self.gate.shut();
        for name in [GUARD, &self.own.name] {
            let released = async {
                match self.leases.fetch(name).await? {
                    Some(lease) if self.holder.holds(&lease) => {
                        self.leases.release(name, &lease).await.map(drop)
                    }
                    _ => Ok(()),
                }
            };
            if let Err(error) = released.await {
                tracing::warn!(error = %Chain(&error), "Lease not released: the next hub waits until it runs out");
                return;
            }
        }
    }
}

impl Heartbeat {
    /// A failure shows in the renewal of the guard too.
    async fn beat(&mut self, leases: &Leases, holder: &Holder) {
        for _ in 0..TRIES {
            match leases.hold(&self.name, holder, self.lease.as_ref()).await {
                Ok(lease) => {
                    self.lease = Some(lease);
                    self.is_taken = true;
                    return;
                }
                Err(error) if error.is_outdated() => match leases.fetch(&self.name).await {
                    Ok(Some(found)) if self.is_taken && !holder.holds(&found) => return,
                    Ok(found) => self.lease = found,
                    Err(_) => return,
                },
                Err(_) => return,
            }
        }
    }
}

/// The guard while it is renewed.
struct Guard<'a> {
    gate: &'a WriteGate,
    health: &'a HomeHealth,
    lease: &'a mut Option<Lease>,
}

impl Guard<'_> {
    /// Whether it was renewed, or that it is lost.
    async fn renew(self, leases: &Leases, holder: &Holder) -> Result<bool, LoseLease> {
        for _ in 0..TRIES {
            let sent = Moment::now();
            let error = match leases.hold(GUARD, holder, self.lease.as_ref()).await {
                Ok(lease) => {
                    self.health.answered();
                    self.gate.extend(sent, TERM);
                    *self.lease = Some(lease);
                    return Ok(true);
                }
                Err(error) => error,
            };
            if !error.is_outdated() {
                self.health.failed(error.category(), &Chain(&error).to_string());
                return Ok(false);
            }
            // It is not what this hub wrote: nothing is written until it is known whose it is.
            self.gate.shut();
            match leases.fetch(GUARD).await {
                // Users may have annotated it, or an answer was lost.
                Ok(Some(lease)) if holder.holds(&lease) => *self.lease = Some(lease),
                // It was deleted. If another hub is faster, its Lease is there when this one creates it.
                Ok(None) => *self.lease = None,
                Ok(Some(lease)) => {
                    let other =
                        Holder::of(&lease).map_or_else(|| "unnamed".to_owned(), |other| other.instance);
                    return Err(LoseLease(other));
                }
                Err(error) => {
                    self.health.failed(error.category(), &Chain(&error).to_string());
                    return Ok(false);
                }
            }
        }
        Ok(false)
    }
}
