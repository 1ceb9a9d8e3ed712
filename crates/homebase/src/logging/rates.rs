//! Bounds how often a message is logged about the same cluster: a hostile cluster can make the hub say the same thing for
//! each of a million objects. What is left out is counted, and the next line of its kind says how many there were. It
//! leaves debug and trace lines alone: somebody has asked for them.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::registry::LookupSpan;

#[cfg(test)]
mod tests;

/// Lines of one kind about one cluster that may come at once: what happens to a cluster of many IrisClusters at its start.
const BURST: u32 = 100;
/// After that, one line in this time.
const INTERVAL: Duration = Duration::from_millis(100);
/// Kinds of lines and clusters that are remembered. Beyond it those that have been silent for long are forgotten.
const MAX_KINDS: usize = 16 * 1024;
/// The field that names a cluster, in spans and events.
const CLUSTER: &str = "cluster";

/// A line as others of its kind: where it is logged, and about which cluster.
pub(super) type Kind = (Identifier, u64);

#[derive(Debug)]
struct Bucket {
    left: u32,
    filled: Instant,
    suppressed: u64,
}

/// What was logged lately.
#[derive(Debug, Default)]
pub(super) struct Rates(Mutex<HashMap<Kind, Bucket>>);

impl Rates {
    /// Whether a line may be logged now.
    fn allow(&self, kind: Kind, now: Instant) -> bool {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kinds.len() >= MAX_KINDS && !kinds.contains_key(&kind) {
            kinds.retain(|_, bucket| now.duration_since(bucket.filled) < INTERVAL * BURST);
            if kinds.len() >= MAX_KINDS {
                return false;
            }
        }
        let bucket = kinds.entry(kind).or_insert(Bucket { left: BURST, filled: now, suppressed: 0 });
        let periods = now.duration_since(bucket.filled).as_millis() / INTERVAL.as_millis();
        let periods = u32::try_from(periods).unwrap_or(u32::MAX);
        if periods > 0 {
            bucket.left = bucket.left.saturating_add(periods).min(BURST);
            bucket.filled = now;
        }
        let Some(left) = bucket.left.checked_sub(1) else {
            bucket.suppressed += 1;
            return false;
        };
        bucket.left = left;
        true
    }

    /// How many lines of a kind were left out since this was asked last.
    pub(super) fn take_suppressed(&self, kind: &Kind) -> u64 {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.get_mut(kind).map_or(0, |bucket| std::mem::take(&mut bucket.suppressed))
    }
}

/// The cluster that a span is about.
struct OfCluster(u64);

/// Finds the cluster among fields.
#[derive(Default)]
struct ClusterVisitor(Option<u64>);

impl Visit for ClusterVisitor {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == CLUSTER {
            let mut hasher = DefaultHasher::new();
            format!("{value:?}").hash(&mut hasher);
            self.0 = Some(hasher.finish());
        }
    }
}

/// The kind of an event.
pub(super) fn kind_of<S>(event: &Event<'_>, spans: impl IntoIterator<Item = S>) -> Kind
where
    S: ClusterOfSpan,
{
    let mut visitor = ClusterVisitor::default();
    event.record(&mut visitor);
    let cluster = visitor.0.or_else(|| spans.into_iter().find_map(|span| span.cluster()));
    (event.metadata().callsite(), cluster.unwrap_or_default())
}

/// A span that may be about a cluster.
pub(super) trait ClusterOfSpan {
    fn cluster(&self) -> Option<u64>;
}

impl<'a, R: LookupSpan<'a>> ClusterOfSpan for tracing_subscriber::registry::SpanRef<'a, R> {
    fn cluster(&self) -> Option<u64> {
        self.extensions().get::<OfCluster>().map(|cluster| cluster.0)
    }
}

/// Lets through what the rates allow.
pub(super) struct Limited(pub(super) Arc<Rates>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Filter<S> for Limited {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, context: &Context<'_, S>) -> bool {
        if *event.metadata().level() > Level::INFO {
            return true;
        }
        let kind = kind_of(event, context.event_scope(event).into_iter().flatten());
        self.0.allow(kind, Instant::now())
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut visitor = ClusterVisitor::default();
        attributes.record(&mut visitor);
        if let (Some(cluster), Some(span)) = (visitor.0, context.span(id)) {
            span.extensions_mut().replace(OfCluster(cluster));
        }
    }
}
