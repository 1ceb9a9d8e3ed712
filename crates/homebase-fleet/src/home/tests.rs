//! A hub that is locked out is not ready after a while; one whose home is silent stays ready and says so.

use std::time::{Duration, Instant};

use super::{Answer, Change, Contact, HomeContact, REFUSED_LIMIT};

fn refused() -> Answer {
    Answer::Refused("the server answers 401".to_owned())
}

fn silent() -> Answer {
    Answer::Silent("timed out".to_owned())
}

#[test]
fn a_refusal_that_lasts_makes_the_hub_not_ready_until_it_ends() {
    let (mut contact, start) = (HomeContact::default(), Instant::now());
    assert_eq!(contact.now(start), Contact::Unknown);
    assert_eq!(contact.note(Answer::Ok, start), None);
    assert_eq!(contact.note(refused(), start), Some(Change::Refused));
    assert_eq!(contact.note(refused(), start + Duration::from_secs(5)), None);
    assert!(contact.now(start + REFUSED_LIMIT.saturating_sub(Duration::from_secs(1))).is_ready());
    let lasting = contact.now(start + REFUSED_LIMIT);
    assert!(!lasting.is_ready());
    assert!(lasting.words().unwrap().contains("for 30s: the server answers 401"));
    let healed = start + Duration::from_secs(40);
    assert_eq!(contact.note(Answer::Ok, healed), Some(Change::Recovered(Duration::from_secs(40))));
    assert_eq!((contact.now(healed).is_ready(), contact.now(healed).words()), (true, None));
}

#[test]
fn a_silent_home_leaves_the_hub_ready_and_is_told() {
    let (mut contact, start) = (HomeContact::default(), Instant::now());
    contact.note(Answer::Ok, start);
    assert_eq!(contact.note(silent(), start), Some(Change::Silent));
    assert_eq!(contact.note(silent(), start), None);
    let later = contact.now(start + Duration::from_hours(1));
    assert!(later.is_ready());
    assert!(later.words().unwrap().contains("has not answered for 3600s: timed out"));
    assert_eq!(contact.note(Answer::Ok, start), Some(Change::Recovered(Duration::ZERO)));
}

#[test]
fn silence_between_refusals_does_not_start_them_over() {
    let (mut contact, start) = (HomeContact::default(), Instant::now());
    contact.note(refused(), start);
    contact.note(silent(), start + Duration::from_secs(20));
    assert!(contact.now(start + REFUSED_LIMIT).is_ready());
    contact.note(refused(), start + REFUSED_LIMIT);
    assert!(!contact.now(start + REFUSED_LIMIT).is_ready());
}
