//! When the brake holds and when it lets go.

use homebase_core::ClusterId;
use jiff::{SignedDuration, Timestamp};

use super::Brake;

const FLEET: usize = 8;

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

fn id(number: i64) -> ClusterId {
    format!("cluster-{number}").parse().unwrap()
}

fn braked() -> Brake {
    let mut brake = Brake::new(50);
    for number in 0..3 {
        brake.lost(&id(number), at(number));
        assert!(!brake.holds(FLEET, at(number)));
    }
    brake.lost(&id(3), at(3));
    assert!(brake.holds(FLEET, at(3)));
    brake
}

#[test]
fn it_holds_when_half_of_the_fleet_is_lost_at_once_and_until_less_is() {
    let mut brake = braked();
    assert_eq!(brake.count(), 4);
    brake.back(&id(1));
    assert!(!brake.holds(FLEET, at(4)));
}

#[test]
fn it_holds_while_new_losses_come_and_lets_go_when_the_last_is_long_ago() {
    let mut brake = braked();
    assert!(brake.holds(FLEET, at(300)));
    brake.lost(&id(4), at(500));
    assert!(brake.holds(FLEET, at(1099)));
    assert!(!brake.holds(FLEET, at(1101)));
    // What stays lost is old news.
    assert!(!brake.holds(FLEET, at(1102)));
}

#[test]
fn losses_that_lie_apart_do_not_belong_together() {
    let mut brake = Brake::new(50);
    for number in 0..8 {
        brake.lost(&id(number), at(number * 61));
        assert!(!brake.holds(FLEET, at(number * 61)), "{number}");
    }
}

#[test]
fn a_cluster_that_is_reported_again_is_lost_since_the_first_time() {
    let mut brake = Brake::new(50);
    for number in 0..3 {
        brake.lost(&id(number), at(0));
    }
    for number in 0..4 {
        brake.lost(&id(number), at(100));
    }
    assert!(!brake.holds(FLEET, at(100)));
}

#[test]
fn a_small_fleet_is_not_braked_by_an_accident_and_none_when_it_is_switched_off() {
    let mut brake = Brake::new(50);
    brake.lost(&id(0), at(0));
    brake.lost(&id(1), at(0));
    assert!(!brake.holds(2, at(0)));
    let mut off = Brake::new(0);
    for number in 0..8 {
        off.lost(&id(number), at(0));
    }
    assert!(!off.holds(FLEET, at(0)));
}
