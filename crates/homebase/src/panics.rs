//! What the process says when a task of it panics: where, and in which words if those are part of the program. A text
//! that was put together at run time may hold anything, a value of a kubeconfig too, so it is never shown. It must not
//! end the process: whoever owns the task hears of its end.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{Location, PanicHookInfo};

#[cfg(test)]
mod tests;

/// What stands in the place of a text that is not shown.
const WITHHELD: &str = "a text that is not shown, as it may hold a secret";

/// Replaces the standard library's report, which prints the whole text, and not as a line of the log.
pub(crate) fn keep_values_out() {
    std::panic::set_hook(hook(|place, words, backtrace| {
        if tracing::dispatcher::has_been_set() {
            tracing::error!(place, words, backtrace, "panicked");
        } else {
            eprintln!("error: a fault of the program at {place}: {words}");
        }
    }));
}

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// A hook that hands on where a panic was, its words, and who called whom if `RUST_BACKTRACE` asks for that: names of
/// functions only.
fn hook(tell: impl Fn(&str, &str, Option<&str>) + Send + Sync + 'static) -> Hook {
    Box::new(move |panic| {
        let place = panic.location().map_or("an unknown place".to_owned(), Location::to_string);
        let backtrace = Backtrace::capture();
        let is_wanted = backtrace.status() == BacktraceStatus::Captured;
        let backtrace = is_wanted.then(|| backtrace.to_string());
        tell(&place, words(panic.payload()), backtrace.as_deref());
    })
}

/// Only a text that the compiler has put into the program is of this type.
fn words(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or(WITHHELD)
}
