//! One hub at a time holds the guard and may write, whatever happens to the Lease.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use homebase_fleet::home::Contact;
use homebase_fleet::lease::{TAKE_OVER, TERM};
use homebase_kube::gate::WriteGate;
use homebase_kube::lease::{GUARD, Holder};
use homebase_kube::rotating::ClientSlot;
use http::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use prometheus_client::registry::Registry as MetricRegistry;
use serde_json::{Value, json};
use tower::{BoxError, service_fn};

use super::{HomeHealth, LeaseKeeper, LoseLease};
use crate::metrics::Metrics;

/// The Leases of an apiserver that knows optimistic concurrency and nothing else.
#[derive(Clone, Default)]
struct Home(Arc<Mutex<Stored>>);

#[derive(Default)]
struct Stored {
    leases: BTreeMap<String, Value>,
    version: u64,
    /// It answers so to everything.
    refuses: Option<u16>,
    hangs: bool,
}

fn failure(code: u16) -> (u16, Value) {
    let reason = match code {
        401 => "Unauthorized",
        404 => "NotFound",
        _ => "Conflict",
    };
    (
        code,
        json!({"kind": "Status", "status": "Failure", "code": code, "message": "said so", "reason": reason}),
    )
}

impl Stored {
    fn put(&mut self, name: &str, mut lease: Value) -> Value {
        self.version += 1;
        lease["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.leases.insert(name.to_owned(), lease.clone());
        lease
    }

    fn answer(&mut self, method: &Method, path: &str, body: Value) -> (u16, Value) {
        if let Some(code) = self.refuses {
            return failure(code);
        }
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        let identity =
            |lease: &Value| [lease["metadata"]["uid"].clone(), lease["metadata"]["resourceVersion"].clone()];
        if *method == Method::POST {
            let name = body["metadata"]["name"].as_str().unwrap().to_owned();
            if self.leases.contains_key(&name) {
                return failure(409);
            }
            let mut lease = body;
            lease["metadata"]["uid"] = json!(format!("uid-{}", self.version));
            return (201, self.put(&name, lease));
        }
        let Some(found) = self.leases.get(&name).cloned() else { return failure(404) };
        match *method {
            Method::GET => (200, found),
            Method::PUT if identity(&found) == identity(&body) => (200, self.put(&name, body)),
            Method::PUT => failure(409),
            _ => failure(405),
        }
    }
}

impl Home {
    fn client(&self) -> Client {
        let home = self.clone();
        let answer = move |request: Request<Body>| {
            let home = home.clone();
            async move {
                let (parts, body) = request.into_parts();
                let bytes = body.collect_bytes().await.unwrap();
                let body = serde_json::from_slice(&bytes).unwrap_or_default();
                if home.0.lock().unwrap().hangs {
                    std::future::pending::<()>().await;
                }
                let (code, answer) = home.0.lock().unwrap().answer(&parts.method, parts.uri.path(), body);
                let answer = Response::builder().status(code).body(Body::from(serde_json::to_vec(&answer)?));
                Ok::<_, BoxError>(answer?)
            }
        };
        Client::new(service_fn(answer), "homebase-system")
    }

    fn change(&self, change: impl FnOnce(&mut Stored)) {
        change(&mut self.0.lock().unwrap());
    }

    fn holder(&self) -> String {
        self.0.lock().unwrap().leases[GUARD]["spec"]["holderIdentity"].as_str().unwrap().to_owned()
    }

    fn hub(&self, instance: &str) -> Hub {
        let health = HomeHealth::new(Metrics::register(&mut MetricRegistry::default()));
        let holder = Holder { instance: instance.to_owned(), term: instance.to_owned(), ..Holder::default() };
        let gate = WriteGate::closed();
        let is_gone = Arc::new(|holder: &Holder| holder.instance == "gone");
        let keeper =
            LeaseKeeper::new(self.client(), "homebase-system", holder, is_gone, gate.clone(), health.clone());
        Hub { keeper, gate, health }
    }
}

struct Hub {
    keeper: LeaseKeeper,
    gate: WriteGate,
    health: Arc<HomeHealth>,
}

impl Hub {
    async fn started(home: &Home, instance: &str) -> Self {
        let mut hub = home.hub(instance);
        hub.acquire().await;
        hub
    }

    /// The clock runs ahead of what never happens: a bound makes it a failure.
    async fn acquire(&mut self) {
        tokio::time::timeout(TAKE_OVER * 2, self.keeper.acquire()).await.unwrap();
    }

    async fn works_for(&mut self, time: Duration) -> Result<(), LoseLease> {
        tokio::time::timeout(time, self.keeper.keep()).await.map_or(Ok(()), Err)
    }
}

/// Whether a write to some cluster would be sent.
async fn may_write(gate: &WriteGate) -> bool {
    let anything = |_| async { Ok::<_, BoxError>(Response::new(Body::from(b"{}".to_vec()))) };
    let client = ClientSlot::new(Client::new(service_fn(anything), "ns")).client_behind(gate.clone());
    client.request_text(Request::delete("/api/v1/namespaces/a").body(Vec::new()).unwrap()).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn the_second_hub_waits_while_the_first_one_renews_and_takes_over_when_it_does_not() {
    let home = Home::default();
    let mut first = Hub::started(&home, "first").await;
    assert!(may_write(&first.gate).await);
    let mut second = home.hub("second");
    let waits = tokio::time::timeout(Duration::from_mins(2), second.keeper.acquire());
    let (waited, worked) = tokio::join!(waits, first.works_for(Duration::from_mins(2)));
    assert!(waited.is_err() && worked == Ok(()));
    assert_eq!(second.health.other().as_deref(), Some("first"));
    assert!(!may_write(&second.gate).await);

    let stopped = tokio::time::Instant::now();
    second.acquire().await;
    assert!(stopped.elapsed() >= TAKE_OVER, "{:?}", stopped.elapsed());
    assert!(may_write(&second.gate).await && !may_write(&first.gate).await);
    assert_eq!(second.health.other(), None);
    // The first one hears of it with its next renewal.
    assert_eq!(first.works_for(Duration::from_secs(30)).await, Err(LoseLease("second".to_owned())));
    assert!(!may_write(&first.gate).await);
    assert_eq!(home.holder(), "second");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_released_or_of_a_process_that_is_gone_is_taken_at_once() {
    let home = Home::default();
    for instance in ["first", "gone", "third"] {
        let start = tokio::time::Instant::now();
        let hub = Hub::started(&home, instance).await;
        assert_eq!(start.elapsed(), Duration::ZERO, "{instance}");
        assert_eq!(home.holder(), instance);
        if instance != "gone" {
            let gate = hub.gate.clone();
            hub.keeper.release().await;
            assert_eq!((home.holder().as_str(), may_write(&gate).await), ("", false));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_users_annotate_or_delete_goes_on_and_one_that_they_release_is_lost() {
    let home = Home::default();
    let mut hub = Hub::started(&home, "hub").await;
    home.change(|stored| {
        let mut lease = stored.leases[GUARD].clone();
        lease["metadata"]["annotations"]["example.com/touched"] = json!("now");
        stored.put(GUARD, lease);
    });
    assert_eq!(hub.works_for(TERM * 2).await, Ok(()));
    home.change(|stored| {
        assert_eq!(stored.leases[GUARD]["metadata"]["annotations"]["example.com/touched"], "now");
        stored.leases.clear();
    });
    assert_eq!(hub.works_for(TERM * 2).await, Ok(()));
    assert!(home.holder() == "hub" && may_write(&hub.gate).await);
    home.change(|stored| {
        let mut lease = stored.leases[GUARD].clone();
        lease["spec"]["holderIdentity"] = json!("");
        stored.put(GUARD, lease);
    });
    assert!(hub.works_for(TERM).await.is_err());
    assert!(!may_write(&hub.gate).await);
}

#[tokio::test(start_paused = true)]
async fn a_home_that_is_silent_or_refuses_stops_writes_at_the_end_of_the_term_and_not_for_ever() {
    let home = Home::default();
    let mut hub = Hub::started(&home, "hub").await;
    assert_eq!(hub.works_for(Duration::from_secs(6)).await, Ok(()));
    for (refuses, hangs) in [(None, true), (Some(401), false)] {
        home.change(|stored| (stored.refuses, stored.hangs) = (refuses, hangs));
        assert_eq!(hub.works_for(Duration::from_secs(7)).await, Ok(()));
        assert!(may_write(&hub.gate).await);
        assert_eq!(hub.works_for(TERM).await, Ok(()));
        assert!(!may_write(&hub.gate).await);
        let contact = hub.health.contact();
        assert!(if hangs {
            matches!(contact, Contact::Silent(..))
        } else {
            matches!(contact, Contact::Refused(..))
        });
        home.change(|stored| (stored.refuses, stored.hangs) = (None, false));
        assert_eq!(hub.works_for(Duration::from_secs(6)).await, Ok(()));
        assert!(may_write(&hub.gate).await && hub.health.contact() == Contact::Up);
    }
}
