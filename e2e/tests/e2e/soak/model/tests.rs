//! What is desired follows from the last event that counts, and what settles a cluster leaves nothing that is in the
//! way.

use super::{Cluster, Credentials, Event, Fault, Form, IrisSpec, Which};

fn after(events: &[Event]) -> Cluster {
    let mut cluster = Cluster::registered();
    for event in events {
        cluster.apply(event);
    }
    cluster
}

#[test]
fn the_last_word_counts() {
    let spec = |replicas| IrisSpec { renamed: false, replicas };
    let cluster = after(&[
        Event::PutIris(0, spec(1)),
        Event::PutIris(1, spec(1)),
        Event::PutIris(0, spec(3)),
        Event::DeleteIris(1),
        Event::Rotate(Which::First, Credentials::Garbage),
        Event::Rotate(Which::First, Credentials::Valid(2)),
    ]);
    assert_eq!(cluster.iris.into_iter().collect::<Vec<_>>(), [(0, spec(3))]);
    assert_eq!(cluster.secrets[&Which::First].credentials, Credentials::Valid(2));
}

#[test]
fn a_secret_without_a_label_registers_nothing_and_is_left_alone() {
    let cluster = after(&[
        Event::Register(Which::Twin),
        Event::Relabel(Which::First, Form::Unlabelled),
        Event::Pause(Which::First, true),
    ]);
    assert_eq!(cluster.registrations().collect::<Vec<_>>(), [Which::Twin]);
    assert_eq!(cluster.settling(false), [Event::Rotate(Which::Twin, Credentials::Valid(1))]);
}

#[test]
fn what_may_have_been_pinned_wrongly_is_registered_anew_and_nothing_else_is() {
    let strayed = after(&[
        Event::Rotate(Which::First, Credentials::OfCluster(3)),
        Event::Rotate(Which::First, Credentials::Valid(1)),
        Event::Break(Fault::Hangs),
    ]);
    assert_eq!(strayed.settling(false), [Event::Heal, Event::Replace(Which::First)]);
    let named = [Event::Heal, Event::Rotate(Which::First, Credentials::Valid(2))];
    assert_eq!(strayed.settling(true), named);
    // A new Secret has a clean sheet.
    let mut replaced = strayed;
    replaced.apply(&Event::Replace(Which::First));
    assert_eq!(replaced.settling(false), [Event::Heal, Event::Rotate(Which::First, Credentials::Valid(1))]);
}

#[test]
fn settling_ends_pauses_and_faults() {
    let mut cluster = after(&[
        Event::Pause(Which::First, true),
        Event::Limit(Which::First, true),
        Event::Rotate(Which::First, Credentials::Expired),
        Event::Break(Fault::Ended),
    ]);
    for event in cluster.settling(false) {
        cluster.apply(&event);
    }
    let secret = &cluster.secrets[&Which::First];
    assert_eq!((cluster.fault, secret.paused, secret.limited), (None, false, true));
    assert_eq!(secret.credentials, Credentials::Valid(0));
}
