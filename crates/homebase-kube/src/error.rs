//! Sorts what went wrong with a request into a closed set of categories, for condition reasons and metric
//! labels, and says it in words. It never prints.

use std::error::Error as StdError;
use std::ops::Deref;
use std::{fmt, io};

use homebase_core::{Chain, Retry};

use crate::bound::BoundExceeded;
use crate::destination::RefuseDestination;

#[cfg(test)]
mod tests;

/// As much of an apiserver's own words as is shown: its longest usual ones name the fields of an object that it refuses.
const MAX_SAID: usize = 600;

/// A request that failed, in words for people.
///
/// kube shows the whole of an answer, in the form of Rust code, and who answers in the place of an apiserver may send a
/// page of any size.
#[derive(Debug)]
pub struct RequestError(Box<kube::Error>);

impl From<kube::Error> for RequestError {
    fn from(error: kube::Error) -> Self {
        Self(Box::new(error))
    }
}

impl Deref for RequestError {
    type Target = kube::Error;

    fn deref(&self) -> &kube::Error {
        &self.0
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kube::Error::Api(status) = self.0.as_ref() else { return Chain(self.0.as_ref()).fmt(f) };
        let said = status.message.split_whitespace().collect::<Vec<_>>().join(" ");
        let shown: String = said.chars().take(MAX_SAID).collect();
        let cut = if shown.len() < said.len() { "…" } else { "" };
        write!(f, "the server answers {}: {shown}{cut}", status.code)
    }
}

/// Its causes are in its words.
impl StdError for RequestError {}

/// The kind of a failed request. The names are the reasons that users see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Category {
    /// The server's name could not be resolved.
    Dns,
    /// The address is one that the hub does not connect to.
    DestinationRefused,
    /// No TCP connection, or no TLS session, within the connect timeout.
    ConnectTimeout,
    /// The server refused the TCP connection.
    ConnectionRefused,
    /// The TLS handshake failed: wrong CA, wrong name, expired certificate, no TLS.
    Tls,
    /// Connected, but no answer within the response timeout.
    ResponseTimeout,
    /// The connection broke before the answer was complete.
    ConnectionLost,
    /// The server answered with 5xx.
    ServerError,
    /// The server answered with 429.
    Throttled,
    /// The server answered with 401: the credentials are not valid.
    Unauthorized,
    /// The server answered with 403: the credentials lack a permission.
    Forbidden,
    /// The server answered with 403 although the credentials have the permission: admission, such as a quota or Pod
    /// Security, does not let the object in.
    Denied,
    /// The server answered with 404.
    NotFound,
    /// The server answered with 409: somebody else changed the object, or another object has its name.
    Conflict,
    /// The server answered with 400 or 422: it does not accept the object.
    Invalid,
    /// The server's answer is not what the Kubernetes API says it is.
    Malformed,
    /// An object, or a name in a request, is none that a Kubernetes apiserver admits.
    Inadmissible,
    /// The objects of the cluster need more memory than they may.
    OverBudget,
    /// Anything else.
    Other,
}

impl Category {
    /// The name of the category, as users see it in reasons and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "DNSFailure",
            Self::DestinationRefused => "DestinationRefused",
            Self::ConnectTimeout => "ConnectTimeout",
            Self::ConnectionRefused => "ConnectionRefused",
            Self::Tls => "TLSFailure",
            Self::ResponseTimeout => "ResponseTimeout",
            Self::ConnectionLost => "ConnectionLost",
            Self::ServerError => "ServerError",
            Self::Throttled => "Throttled",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::Denied => "AdmissionDenied",
            Self::NotFound => "NotFound",
            Self::Conflict => "Conflict",
            Self::Invalid => "Invalid",
            Self::Malformed => "MalformedResponse",
            Self::Inadmissible => "InadmissibleObject",
            Self::OverBudget => "MemoryBudget",
            Self::Other => "Other",
        }
    }

    /// When another try makes sense.
    pub const fn retry(self) -> Retry {
        match self {
            Self::Invalid | Self::Inadmissible => Retry::AfterChange,
            _ => Retry::Backoff,
        }
    }

    const fn of_status(code: u16) -> Self {
        match code {
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            409 => Self::Conflict,
            400 | 422 => Self::Invalid,
            429 => Self::Throttled,
            500..=599 => Self::ServerError,
            _ => Self::Other,
        }
    }
}

/// Sorts an error of a request into its category.
pub fn categorize(error: &kube::Error) -> Category {
    match error {
        kube::Error::Api(status) if status.code == 403 && is_denied(&status.message) => Category::Denied,
        kube::Error::Api(status) => Category::of_status(status.code),
        kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => Category::Malformed,
        other => categorize_transport(other),
    }
}

/// Whether the words of a 403 are those of admission: a webhook says so, a plugin goes on after `… is forbidden: ` with what
/// is wrong with the object, and authorization with who may not do what. A gateway has words of its own.
fn is_denied(message: &str) -> bool {
    let by_webhook = message.contains("admission webhook") && message.contains("denied the request");
    let by_plugin = |(_, why): (&str, &str)| {
        let why = why.to_ascii_lowercase();
        // What may not be set without a permission is a missing permission.
        !why.starts_with("user ") && !why.starts_with("cannot set blockownerdeletion")
    };
    by_webhook || message.split_once(" is forbidden: ").is_some_and(by_plugin)
}

/// Sorts an error of a connection: the first cause in its chain that says something.
fn categorize_transport(error: &(dyn StdError + 'static)) -> Category {
    let mut next = Some(error);
    let mut found = Category::Other;
    while let Some(cause) = next {
        if let Some(category) = known_cause(cause) {
            return category;
        }
        if let Some(lost) = cause.downcast_ref::<hyper::Error>() {
            // A ping that nobody answered: the connection stands, and who is behind it does not answer.
            if lost.is_timeout() {
                return Category::ResponseTimeout;
            }
            // Deeper causes are more exact, so this one only counts when nothing deeper does.
            found = Category::ConnectionLost;
        }
        next = cause.source();
    }
    found
}

fn known_cause(cause: &(dyn StdError + 'static)) -> Option<Category> {
    if cause.is::<RefuseDestination>() {
        return Some(Category::DestinationRefused);
    }
    if cause.is::<crate::resolver::ResolveHost>() {
        return Some(Category::Dns);
    }
    if cause.is::<crate::admit::RefusedObjects>() || cause.is::<crate::client::RefusePath>() {
        return Some(Category::Inadmissible);
    }
    if cause.is::<crate::budget::OverBudget>() {
        return Some(Category::OverBudget);
    }
    if cause.is::<crate::items::MalformedList>() {
        return Some(Category::Malformed);
    }
    if cause.is::<crate::client::ConnectTooSlow>() {
        return Some(Category::ConnectTimeout);
    }
    if cause.is::<tower::timeout::error::Elapsed>() {
        return Some(Category::ResponseTimeout);
    }
    if cause.is::<rustls::Error>() || cause.is::<crate::client::WrongServerName>() {
        return Some(Category::Tls);
    }
    if let Some(exceeded) = cause.downcast_ref::<BoundExceeded>() {
        return Some(match exceeded {
            BoundExceeded::Answer | BoundExceeded::Event => Category::Malformed,
            BoundExceeded::Pause | BoundExceeded::Silence | BoundExceeded::List => Category::ResponseTimeout,
        });
    }
    cause.downcast_ref::<io::Error>().and_then(known_io)
}

fn known_io(error: &io::Error) -> Option<Category> {
    // `io::Error::source` skips the error that it wraps, so look inside.
    if let Some(category) = error.get_ref().and_then(|inner| known_cause(inner)) {
        return Some(category);
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some(Category::ConnectionRefused),
        io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            Some(Category::ConnectTimeout)
        }
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => {
            Some(Category::ConnectionLost)
        }
        _ => None,
    }
}
