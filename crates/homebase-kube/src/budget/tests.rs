//! What is charged is given back, and no more is charged than there is.

use super::{Budget, Ledger, MIB, OverBudget, Pool, Weight};
use crate::items::Shape;

fn ledger(limit: usize, pool: &std::sync::Arc<Pool>) -> Ledger {
    Ledger::new(Budget::new(limit, pool.clone()), Weight::WHOLE)
}

fn name(number: usize) -> String {
    format!("object-{number}")
}

const SMALL: Shape = Shape { length: 2, objects: 1, values: 0 };

#[test]
fn a_listing_replaces_the_one_before_and_what_is_gone_costs_nothing() {
    let pool = Pool::of_limit(None);
    let mut ledger = ledger(MIB, &pool);
    for listing in 0..10 {
        ledger.begin();
        ledger.page().unwrap();
        for number in listing..100 {
            ledger.list(Some("a"), Some(&name(number)), SMALL).unwrap();
        }
        ledger.complete();
        assert_eq!(pool.used(), (100 - listing) * Weight::WHOLE.of(SMALL));
    }
    ledger.apply(Some("b"), Some("one"), SMALL).unwrap();
    ledger.delete(Some("b"), Some("one"));
    ledger.delete(Some("b"), Some("unknown"));
    assert_eq!(pool.used(), 91 * Weight::WHOLE.of(SMALL));
    drop(ledger);
    assert_eq!(pool.used(), 0);
}

#[test]
fn objects_without_names_are_counted_each() {
    let pool = Pool::of_limit(None);
    let mut ledger = ledger(MIB, &pool);
    ledger.begin();
    let taken = (0..10_000_000).take_while(|_| ledger.list(None, None, SMALL).is_ok()).count();
    assert_eq!(taken, MIB / Weight::WHOLE.of(SMALL));
    ledger.clear();
    assert_eq!(pool.used(), 0);
}

#[test]
fn an_event_that_makes_an_object_larger_is_charged() {
    let mut ledger = ledger(MIB, &Pool::of_limit(None));
    ledger.apply(None, Some("one"), SMALL).unwrap();
    let large = Shape { length: MIB, ..SMALL };
    assert_eq!(ledger.apply(None, Some("one"), large), Err(OverBudget::Cluster { limit: MIB }));
}

#[test]
fn the_clusters_together_stay_under_the_limit_of_the_hub() {
    let pool = Pool::of_limit(Some(2 * MIB));
    let mut ledgers = [ledger(MIB, &pool), ledger(MIB, &pool)];
    let mut fill = |at: usize| {
        (0..).find_map(|number| ledgers[at].list(None, Some(&name(number)), SMALL).err()).unwrap()
    };
    assert!(matches!(fill(0), OverBudget::Cluster { .. }));
    assert!(matches!(fill(1), OverBudget::Hub { .. }));
    assert!(pool.used() <= 2 * MIB * 70 / 100);
}

#[test]
fn what_is_decoded_is_charged_by_what_it_may_become() {
    let pool = Pool::of_limit(None);
    let budget = Budget::new(32 * MIB, pool.clone());
    let many = [b"[".as_slice(), &b"{},".repeat(MIB / 3), b"{}]"].concat();
    assert!(budget.decoding(Shape::of(&many)).is_err());
    let text = [b"\"".as_slice(), &b"{".repeat(MIB), b"\""].concat();
    let decoding = budget.decoding(Shape::of(&text)).unwrap();
    assert!(budget.used() > MIB);
    drop(decoding);
    assert_eq!((budget.used(), pool.used()), (0, 0));
}
