//! Tests of how conditions change. They must not depend on a clock.

use super::{iris, work_cluster::Reachable, *};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn reachable(status: ConditionStatus, reason: Reachable, generation: i64) -> NewCondition {
    NewCondition::new(status, reason, "text", generation)
}

#[test]
fn the_transition_time_moves_only_when_the_status_flips() {
    let mut conditions = Vec::new();
    let new = reachable(ConditionStatus::False, Reachable::DNSFailure, 1);
    assert!(set_condition(&mut conditions, new, at(10)));

    let new = reachable(ConditionStatus::False, Reachable::ConnectTimeout, 1);
    assert!(set_condition(&mut conditions, new.clone(), at(20)));
    assert_eq!(conditions[0].last_transition_time.0, at(10));
    assert_eq!(conditions[0].reason, "ConnectTimeout");
    assert!(!set_condition(&mut conditions, new, at(30)), "the same again is no change");

    let new = reachable(ConditionStatus::True, Reachable::ProbeSucceeded, 1);
    assert!(set_condition(&mut conditions, new, at(40)));
    assert_eq!(conditions[0].last_transition_time.0, at(40));
    assert_eq!(conditions.len(), 1);
}

#[test]
fn the_observed_generation_never_goes_back() {
    let mut conditions = Vec::new();
    let new = reachable(ConditionStatus::True, Reachable::ProbeSucceeded, 7);
    set_condition(&mut conditions, new, at(10));

    let old = reachable(ConditionStatus::False, Reachable::CircuitOpen, 6);
    assert!(!set_condition(&mut conditions, old, at(20)));
    assert_eq!(conditions[0].status, "True");
    assert_eq!(conditions[0].observed_generation, Some(7));

    let new = reachable(ConditionStatus::True, Reachable::ProbeSucceeded, 8);
    assert!(set_condition(&mut conditions, new, at(30)));
    assert_eq!(conditions[0].observed_generation, Some(8));
    assert_eq!(conditions[0].last_transition_time.0, at(10));
}

#[test]
fn conditions_of_other_types_stay() {
    let mut conditions = Vec::new();
    set_condition(&mut conditions, reachable(ConditionStatus::True, Reachable::ProbeSucceeded, 1), at(1));
    let ready = NewCondition::new(ConditionStatus::Unknown, iris::Ready::FirstSight, "", 1);
    set_condition(&mut conditions, ready, at(2));
    assert_eq!(find_condition::<Reachable>(&conditions).unwrap().status, "True");
    assert_eq!(find_condition::<iris::Ready>(&conditions).unwrap().reason, "FirstSight");
    assert_eq!(conditions.len(), 2);
}

#[test]
fn a_long_message_is_cut_to_what_an_apiserver_takes() {
    let message = "ä".repeat(limits::CONDITION_MESSAGE_LENGTH + 1);
    let mut conditions = Vec::new();
    let new = NewCondition::new(ConditionStatus::False, Reachable::ServerError, message, 1);
    set_condition(&mut conditions, new, at(1));
    assert_eq!(conditions[0].message, "ä".repeat(limits::CONDITION_MESSAGE_LENGTH));
}

#[test]
fn reasons_are_words_that_an_apiserver_accepts() {
    for condition in [iris::all(), work_cluster::all()].concat() {
        assert!(!condition.about.is_empty() && !condition.reasons.is_empty(), "{condition:?}");
        for (word, meaning) in condition.reasons {
            assert!(word.chars().all(|c| c.is_ascii_alphanumeric()), "{word}");
            assert!(word.starts_with(|c: char| c.is_ascii_uppercase()), "{word}");
            assert!(!meaning.is_empty(), "{word}");
        }
    }
}
