//! A real panic on a real thread tells its place, and none of its values.

use std::sync::{Arc, Mutex};

use super::{WITHHELD, hook};

const CANARY: &str = "c4n4ry-in-a-panic";

/// What is told of a panic on another thread.
fn told_of(panic: impl FnOnce() + Send + 'static) -> (String, String) {
    // The hook belongs to the whole process, so one test at a time may have its own.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap();
    let told: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
    let heard = told.clone();
    let before = std::panic::take_hook();
    std::panic::set_hook(hook(move |place, words, _| {
        heard.lock().unwrap().push((place.to_owned(), words.to_owned()));
    }));
    let ended = std::thread::spawn(panic).join();
    std::panic::set_hook(before);
    assert!(ended.is_err());
    let mut told = told.lock().unwrap();
    told.retain(|(place, _)| place.contains(file!()));
    assert_eq!(told.len(), 1, "{told:?}");
    told.remove(0)
}

#[test]
fn words_of_the_program_are_told() {
    let (place, words) = told_of(|| panic!("no queue"));
    assert_eq!(words, "no queue");
    assert!(place.contains("tests.rs:"), "{place}");
}

#[test]
fn a_text_with_values_is_not() {
    let kubeconfig = format!("token: {CANARY}");
    let fail = |text: &str| -> Result<(), String> { Err(text.to_owned()) };
    let (for_expect, for_unwrap) = (fail(&kubeconfig), fail(&kubeconfig));
    let cases: [Box<dyn FnOnce() + Send>; 4] = [
        Box::new(move || panic!("cannot read {kubeconfig}")),
        Box::new(move || for_expect.expect("a kubeconfig")),
        Box::new(move || for_unwrap.unwrap()),
        Box::new(|| std::panic::panic_any(CANARY.to_owned())),
    ];
    for panic in cases {
        assert_eq!(told_of(panic).1, WITHHELD);
    }
}
