//! The only crate that knows HTTP servers: probes and metrics of the hub, over plain HTTP/1.1.
//!
//! | path | answer |
//! |---|---|
//! | `/livez`, `/healthz` | 200 `ok`, or 503 and a line for each check that fails; `?verbose` lists all checks |
//! | `/readyz` | the same for readiness |
//! | `/metrics` | the metrics: OpenMetrics for who asks for it, else Prometheus' older text format |
//!
//! Any other path is 404, any method but GET and HEAD is 405, a request with a body is 413. Whoever asks
//! cannot hold the hub up: connections, headers, bodies and times are limited (see [`serve`]), and
//! the answers are made on threads of their own.
//!
//! It knows nothing of Kubernetes, of IRIS or of what the checks mean, authenticates nobody, and answers
//! with nothing that would need it: names of checks are fixed texts, and what they say is the hub's own words.

mod connections;
mod exposition;
mod health;
mod limits;
mod router;
mod server;

#[cfg(test)]
mod tests;

pub use health::{Check, Health};
pub use router::{HealthSource, HttpState, MetricsSource};
pub use server::{Error, serve};
