//! From a request to an answer. It must not do the work of an answer on the threads that serve
//! connections, nor wait for it without end: a check that hangs is a check that fails.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio::sync::Semaphore;

use crate::exposition;
use crate::health::Health;
use crate::limits::{Limits, MAX_BODY_BYTES};

/// Gives the metrics as OpenMetrics text.
pub type MetricsSource = Arc<dyn Fn() -> Result<String, fmt::Error> + Send + Sync>;
/// Gives the state of the hub. It is asked for every request and may take a lock.
pub type HealthSource = Arc<dyn Fn() -> Health + Send + Sync>;

const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// What the server has to tell.
#[derive(Clone)]
pub struct HttpState {
    /// For `/metrics`.
    pub metrics: MetricsSource,
    /// For `/livez` and `/healthz`: does the hub make progress? A restart is the answer to "no".
    pub live: HealthSource,
    /// For `/readyz`: can the hub do its work?
    pub ready: HealthSource,
}

#[derive(Clone)]
struct Answers {
    sources: HttpState,
    timeout: Duration,
    scrapes: Arc<Semaphore>,
}

/// Scrapes that are made at a time: two Prometheus servers and some people. One whose client has gone away keeps its place
/// until it is made, so clients that give up and come back do not pile up work. Further ones are refused at once: they
/// must not take the connections that probes need.
const MAX_SCRAPES: usize = 4;

pub(crate) fn build_router(sources: HttpState, limits: &Limits) -> Router {
    Router::new()
        .route("/livez", get(answer_live))
        .route("/healthz", get(answer_live))
        .route("/readyz", get(answer_ready))
        .route("/metrics", get(answer_metrics))
        .with_state(Answers {
            sources,
            timeout: limits.answer_timeout,
            scrapes: Arc::new(Semaphore::new(MAX_SCRAPES)),
        })
        .layer(middleware::from_fn(refuse_bodies))
        .layer(middleware::map_response(add_headers))
}

async fn answer_live(State(answers): State<Answers>, RawQuery(query): RawQuery) -> Response {
    answer_probe(answers.sources.live, answers.timeout, query).await
}

async fn answer_ready(State(answers): State<Answers>, RawQuery(query): RawQuery) -> Response {
    answer_probe(answers.sources.ready, answers.timeout, query).await
}

async fn answer_probe(source: HealthSource, timeout: Duration, query: Option<String>) -> Response {
    let health = match compute(move || source(), timeout).await {
        Ok(health) => health,
        Err(response) => return response,
    };
    let is_verbose = |field: &str| field == "verbose" || field.starts_with("verbose=");
    let verbose = query.is_some_and(|query| query.split('&').any(is_verbose));
    let status = if health.is_ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    text(status, health.render(verbose))
}

async fn answer_metrics(State(answers): State<Answers>, headers: HeaderMap) -> Response {
    let source = answers.sources.metrics;
    let Ok(place) = answers.scrapes.try_acquire_owned() else {
        let mut response = text(StatusCode::SERVICE_UNAVAILABLE, "other scrapes are under way\n".to_owned());
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("10"));
        return response;
    };
    let is_open = exposition::wants_open_metrics(&headers);
    let make = move || {
        let page = source();
        let page = if is_open { page } else { page.map(|page| exposition::to_prometheus(&page)) };
        drop(place);
        page
    };
    let format = if is_open { exposition::OPEN_METRICS } else { exposition::PROMETHEUS };
    match compute(make, answers.timeout).await {
        Ok(Ok(metrics)) => ([(header::CONTENT_TYPE, format)], metrics).into_response(),
        Ok(Err(fmt::Error)) => {
            tracing::error!("cannot render the metrics");
            text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be rendered\n".to_owned())
        }
        Err(response) => response,
    }
}

/// Runs a source on a thread where it may block, and gives up on it after a while.
async fn compute<T: Send + 'static>(
    source: impl FnOnce() -> T + Send + 'static,
    timeout: Duration,
) -> Result<T, Response> {
    match tokio::time::timeout(timeout, tokio::task::spawn_blocking(source)).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(_)) => {
            // The panic itself has been reported by the panic hook.
            tracing::error!("an answer to an HTTP request panicked");
            Err(text(StatusCode::INTERNAL_SERVER_ERROR, "the answer failed\n".to_owned()))
        }
        Err(_) => {
            tracing::error!("an answer to an HTTP request took too long");
            Err(text(StatusCode::SERVICE_UNAVAILABLE, "the answer took too long\n".to_owned()))
        }
    }
}

async fn refuse_bodies(request: Request, next: Next) -> Response {
    if request.body().size_hint().exact() == Some(MAX_BODY_BYTES) {
        return next.run(request).await;
    }
    let mut response = text(StatusCode::PAYLOAD_TOO_LARGE, "requests have no body here\n".to_owned());
    // Otherwise the body would have to be read to find the next request.
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

async fn add_headers(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn text(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, PLAIN_TEXT)], body).into_response()
}
