//! What the hub says of itself: whether its home cluster answers, and whether it works or stands by. Whoever hears from
//! the home cluster notes it here; probes and metrics read it. It asks nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use homebase_core::text::{self, Limit};
pub use homebase_fleet::home::Contact;
use homebase_fleet::home::{Answer, Change, HomeContact};
use homebase_kube::Category;
use tokio::time::Instant;

use crate::metrics::Metrics;

/// As much of the words of the home cluster as a probe shows.
const MAX_WORDS: Limit = Limit::Chars(300);
/// As much of the name of another hub.
const MAX_NAME: Limit = Limit::Chars(80);

/// What is known, shared by all who note and read it.
pub struct HomeHealth {
    state: Mutex<State>,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct State {
    contact: HomeContact,
    /// The hub that works in the namespace in this one's place.
    other: Option<String>,
}

impl HomeHealth {
    /// Nothing is known yet.
    pub fn new(metrics: Arc<Metrics>) -> Arc<Self> {
        metrics.home_up(false);
        metrics.leads(false);
        Arc::new(Self { state: Mutex::default(), metrics })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The home cluster answered as it should.
    pub fn answered(&self) {
        self.note(Answer::Ok);
    }

    /// A request failed, in these words.
    pub fn failed(&self, category: Category, words: &str) {
        let words = text::line(words, MAX_WORDS);
        self.note(match category {
            // What is not found is the namespace of the hub.
            Category::Unauthorized | Category::Forbidden | Category::Denied | Category::NotFound => {
                Answer::Refused(words)
            }
            _ => Answer::Silent(words),
        });
    }

    fn note(&self, answer: Answer) {
        self.metrics.home_up(answer == Answer::Ok);
        let words = match &answer {
            Answer::Ok => String::new(),
            Answer::Refused(words) | Answer::Silent(words) => words.clone(),
        };
        let change = self.state().contact.note(answer, Instant::now().into_std());
        match change {
            None => {}
            Some(Change::Refused) => {
                tracing::warn!(error = words, "the home cluster refuses the hub's requests");
            }
            Some(Change::Silent) => {
                tracing::warn!(error = words, "the home cluster does not answer");
            }
            Some(Change::Recovered(after)) => {
                tracing::info!(seconds = after.as_secs(), "the home cluster answers the hub again");
            }
        }
    }

    /// Another hub works in the namespace, and this one stands by.
    pub(crate) fn stand_by(&self, holder: &str) {
        let holder = text::line(holder, MAX_NAME);
        let mut state = self.state();
        if state.other.as_ref() != Some(&holder) {
            tracing::warn!(
                holder,
                "another hub works in this namespace: this one stands by and writes nothing"
            );
            state.other = Some(holder);
        }
    }

    /// This hub works.
    pub(crate) fn lead(&self) {
        self.state().other = None;
        self.metrics.leads(true);
    }

    /// The contact to the home cluster.
    pub fn contact(&self) -> Contact {
        self.state().contact.now(Instant::now().into_std())
    }

    /// The hub that works in the namespace in this one's place.
    pub fn other(&self) -> Option<String> {
        self.state().other.clone()
    }
}
