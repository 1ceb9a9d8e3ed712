//! The first request: whether TLS comes about, whether an apiserver answers, and what time it thinks it is.

use homebase_core::Chain;
use homebase_kube::{Category, categorize};
use homebase_kubeconfig::Trust;
use http::{Request, StatusCode, header};
use jiff::Timestamp;
use kube::Client;
use kube::client::Body;

use super::report::{Check, Finding};

#[cfg(test)]
mod tests;

/// A clock that is off by more makes tokens look expired or not valid yet before their time; the header has whole
/// seconds, and the answer takes some time.
const MAX_SKEW_SECONDS: i64 = 30;

const TLS_FIX: &str = "make `certificate-authority-data` the authority of the server's certificate, and \
                       `tls-server-name` or the host of `server` a name in it";
const UNVERIFIED_FIX: &str =
    "use https:// and `certificate-authority-data`, so that nobody can pose as the server";
const SILENT_FIX: &str = "something takes the connection and does not answer: check that the apiserver is not hung, \
                          and the load balancer in front of it";
const SERVER_FIX: &str = "look at the apiserver's own log and at what stands in front of it";
const CLOCK_FIX: &str = "synchronise the clocks of this machine and of the apiserver's (NTP)";

/// What the first request came to.
pub(super) struct Contact {
    pub(super) tls: Finding,
    pub(super) server: Finding,
    pub(super) clock: Option<Finding>,
}

/// Asks for the version, which needs no right on most clusters; a refusal is an answer too.
pub(super) async fn first(client: &Client, trust: &Trust) -> Contact {
    let request = match Request::get("/version").body(Body::empty()) {
        Ok(request) => request,
        Err(error) => return failed(Category::Other, &error.to_string(), trust),
    };
    match client.send(request).await {
        Ok(response) => {
            let date = response.headers().get(header::DATE).and_then(|date| date.to_str().ok());
            Contact {
                tls: trusted(trust),
                server: answer(response.status()),
                clock: Some(clock(date, Timestamp::now())),
            }
        }
        Err(error) => failed(categorize(&error), &Chain(&error).to_string(), trust),
    }
}

/// What a connection that came about says of the server.
fn trusted(trust: &Trust) -> Finding {
    match trust {
        Trust::Authorities(_) | Trust::SystemRoots => {
            Finding::pass(Check::Tls, "the certificate is the server's".to_owned())
        }
        Trust::Unverified => {
            Finding::note(Check::Tls, "nobody verifies the certificate".to_owned(), UNVERIFIED_FIX)
        }
        Trust::Plaintext => Finding::note(Check::Tls, "there is no TLS".to_owned(), UNVERIFIED_FIX),
    }
}

fn failed(category: Category, words: &str, trust: &Trust) -> Contact {
    let words = words.to_owned();
    let (tls, server) = match category {
        // TCP came about a moment ago, so it is TLS that does not.
        Category::ConnectTimeout => (Finding::fail(Check::Tls, words, SILENT_FIX), None),
        Category::ResponseTimeout => (trusted(trust), Some(Finding::fail(Check::Server, words, SILENT_FIX))),
        Category::Tls => (Finding::fail(Check::Tls, words, TLS_FIX), None),
        _ => (Finding::fail(Check::Tls, words, SERVER_FIX), None),
    };
    let nobody = || Finding::unknown(Check::Server, "not checked: there is no TLS session".to_owned());
    Contact { tls, server: server.unwrap_or_else(nobody), clock: None }
}

fn answer(status: StatusCode) -> Finding {
    let words = format!("answers with {}", status.as_u16());
    match status {
        status if status.is_success() => Finding::pass(Check::Server, words),
        // The credentials are looked at next.
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Finding::pass(Check::Server, words),
        StatusCode::TOO_MANY_REQUESTS => {
            Finding::fail(Check::Server, words, "the apiserver is overloaded: wait, or raise its limits")
        }
        status if status.is_server_error() => Finding::fail(Check::Server, words, SERVER_FIX),
        _ => Finding::fail(
            Check::Server,
            words,
            "make `server` the URL of an apiserver, with its path if it has one",
        ),
    }
}

fn clock(date: Option<&str>, now: Timestamp) -> Finding {
    let parsed = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    let Some(theirs) = parsed else {
        return Finding::unknown(Check::Clock, "the apiserver does not say what time it is".to_owned());
    };
    let skew = theirs.timestamp().duration_since(now).as_secs();
    match skew {
        skew if skew.abs() <= MAX_SKEW_SECONDS => {
            Finding::pass(Check::Clock, format!("within {MAX_SKEW_SECONDS} s of this machine's"))
        }
        skew if skew > 0 => Finding::fail(
            Check::Clock,
            format!("the apiserver's is {skew} s ahead of this machine's"),
            CLOCK_FIX,
        ),
        skew => Finding::fail(
            Check::Clock,
            format!("the apiserver's is {} s behind this machine's", -skew),
            CLOCK_FIX,
        ),
    }
}
