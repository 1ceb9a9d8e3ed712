//! Resolves host names by the name servers of the system, in the runtime's own tasks: a lookup takes no thread, and one
//! that is given up ends. It judges no address.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::system_conf::read_system_conf;
use tokio::runtime::{self, Handle};
use tokio::sync::Semaphore;

#[cfg(test)]
mod tests;

/// How long a lookup may take, with the wait for its turn. Shorter than the timeout of a connection, so that a name
/// server which is silent is not taken for an apiserver that is.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long one name server may take for one query; it is asked twice within [`RESOLVE_TIMEOUT`]. A server that answers
/// queries for IPv4 addresses only holds up a lookup for as long.
const QUERY_TIMEOUT: Duration = Duration::from_millis(1400);
/// Tries after the first one.
const RETRIES: usize = 1;
/// Lookups of servers of work clusters at a time; further ones wait. One has four sockets at most: two kinds of address,
/// two name servers.
const MAX_LOOKUPS: usize = 64;
/// Answers that are kept, for as long as they say: two for each of several hundred names, and those of search domains.
const CACHED_ANSWERS: u64 = 4096;
/// The longest that an answer is kept: an address that moved is found within this time, whatever its answer said.
const MAX_KEPT: Duration = Duration::from_secs(300);
/// The same for the answer that there is no such name: somebody may be creating it just now.
const MAX_ABSENCE_KEPT: Duration = Duration::from_secs(15);

/// What the system says about name servers and names.
const FILES: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];
/// How often the files are looked at for a change.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Their content is read again this often although nothing shows a change …
const MAX_AGE: Duration = Duration::from_secs(600);
/// … and so soon after a name server has failed: it may be another one's turn.
const MAX_AGE_AFTER_FAILURE: Duration = Duration::from_secs(30);

/// A name could not be resolved.
#[derive(Debug, thiserror::Error)]
pub enum ResolveHost {
    /// No answer in time.
    #[error("resolve the server's name: no answer from the name servers within {} s", RESOLVE_TIMEOUT.as_secs())]
    Silence,
    /// No name server knows the name.
    #[error("resolve the server's name: it does not exist")]
    Absent,
    /// The name has no address.
    #[error("resolve the server's name: it has no address")]
    NoAddress,
    /// The name servers answered with an error, or cannot be asked.
    #[error("resolve the server's name: the name servers cannot answer")]
    Failed(#[source] NetError),
}

impl ResolveHost {
    fn of(error: NetError) -> Self {
        match error {
            NetError::Timeout => Self::Silence,
            error if error.is_nx_domain() => Self::Absent,
            error if error.is_no_records_found() => Self::NoAddress,
            error => Self::Failed(error),
        }
    }

    /// Whether the answer says nothing about the name.
    fn is_failure(&self) -> bool {
        matches!(self, Self::Silence | Self::Failed(_))
    }
}

/// Lookups of one kind that run at a time. Work clusters, which may be hundreds with names of anybody's choice, share
/// one; whatever they do, the home cluster's name has its turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turns(&'static Semaphore);

impl Turns {
    /// For the home cluster.
    pub(crate) fn home() -> Self {
        static HOME: Semaphore = Semaphore::const_new(MAX_LOOKUPS);
        Self(&HOME)
    }

    /// For work clusters.
    pub(crate) fn work() -> Self {
        static WORK: Semaphore = Semaphore::const_new(MAX_LOOKUPS);
        Self(&WORK)
    }
}

/// The addresses of a host as the hub finds them: by `/etc/hosts`, then by the name servers and search domains of
/// `/etc/resolv.conf`.
pub async fn look_up(host: &str) -> Result<Vec<IpAddr>, ResolveHost> {
    look_up_in_turn(host, Turns::home()).await
}

/// The same when it is its turn.
pub(crate) async fn look_up_in_turn(host: &str, turns: Turns) -> Result<Vec<IpAddr>, ResolveHost> {
    let lookup = async {
        // It is an error only when the semaphore is closed, which nobody does.
        let _turn = turns.0.acquire().await;
        resolver().map_err(ResolveHost::Failed)?.lookup_ip(host).await.map_err(ResolveHost::of)
    };
    let found = tokio::time::timeout(RESOLVE_TIMEOUT, lookup).await.unwrap_or(Err(ResolveHost::Silence));
    if found.as_ref().is_err_and(ResolveHost::is_failure) {
        note_failure();
    }
    let addresses: Vec<IpAddr> = found?.iter().collect();
    if addresses.is_empty() { Err(ResolveHost::NoAddress) } else { Ok(addresses) }
}

/// The resolver of this process, and the state of the system that it was made from. It has tasks in a runtime, so each
/// runtime needs its own; a hub has one.
struct Shared {
    runtime: runtime::Id,
    stamps: Stamps,
    made: Instant,
    looked: Instant,
    has_failed: bool,
    resolver: TokioResolver,
}

/// When each file was written last, and its length; none for one that is not there.
type Stamps = [Option<(SystemTime, u64)>; FILES.len()];

static SHARED: Mutex<Option<Shared>> = Mutex::new(None);

fn stamps() -> Stamps {
    FILES.map(|path| {
        let meta = fs::metadata(path).ok()?;
        Some((meta.modified().ok()?, meta.len()))
    })
}

impl Shared {
    fn make() -> Result<Self, NetError> {
        let (stamps, now) = (stamps(), Instant::now());
        let resolver = build()?;
        Ok(Self {
            runtime: Handle::current().id(),
            stamps,
            made: now,
            looked: now,
            has_failed: false,
            resolver,
        })
    }

    /// Whether it can be used once more.
    fn is_current(&mut self) -> bool {
        let now = Instant::now();
        let oldest = if self.has_failed { MAX_AGE_AFTER_FAILURE } else { MAX_AGE };
        if self.runtime != Handle::current().id() || now - self.made > oldest {
            return false;
        }
        if now - self.looked < LOOK_INTERVAL {
            return true;
        }
        self.looked = now;
        stamps() == self.stamps
    }
}

fn resolver() -> Result<TokioResolver, NetError> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if !shared.as_mut().is_some_and(Shared::is_current) {
        *shared = Some(Shared::make()?);
    }
    let resolver = shared.as_ref().map(|shared| shared.resolver.clone());
    resolver.ok_or(NetError::Message("there is no resolver"))
}

fn note_failure() {
    if let Some(shared) = SHARED.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        shared.has_failed = true;
    }
}

fn build() -> Result<TokioResolver, NetError> {
    let (config, options) = match read_system_conf() {
        Ok((config, options)) => (like_libc(config), options),
        // As libc does where no name server is named; names of `/etc/hosts` are found all the same.
        Err(error) => {
            tracing::debug!(error = %error, "{} cannot be used", FILES[0]);
            let local = NameServerConfig::udp_and_tcp(Ipv4Addr::LOCALHOST.into());
            (ResolverConfig::from_parts(None, Vec::new(), vec![local]), ResolverOpts::default())
        }
    };
    asking(config, options)
}

fn asking(config: ResolverConfig, options: ResolverOpts) -> Result<TokioResolver, NetError> {
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    *builder.options_mut() = bounded(options);
    builder.build()
}

/// A list of search domains stands for the domain of the machine, which hickory would ask for as well.
fn like_libc(config: ResolverConfig) -> ResolverConfig {
    if config.search().is_empty() {
        return config;
    }
    ResolverConfig::from_parts(None, config.search().to_vec(), config.name_servers().to_vec())
}

fn bounded(system: ResolverOpts) -> ResolverOpts {
    let mut options = system;
    options.timeout = options.timeout.min(QUERY_TIMEOUT);
    options.attempts = options.attempts.min(RETRIES);
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.cache_size = CACHED_ANSWERS;
    options.positive_max_ttl = Some(MAX_KEPT);
    options.negative_max_ttl = Some(MAX_ABSENCE_KEPT);
    // All lookups that run may be on one connection.
    options.max_active_requests = 4 * MAX_LOOKUPS;
    options
}
