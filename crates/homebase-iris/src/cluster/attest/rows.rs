//! Pods by zone: what belongs there and what is there. Must not judge.

use super::expected::{ExpectedGroup, ExpectedTopology};
use super::observed::Observation;
use super::placement::{on_node, replicas, zone_of};
use super::report::Row;

/// What stands for the zone of a node that has none.
const NO_ZONE: &str = "(no zone)";

pub(super) fn rows(expected: &ExpectedTopology, seen: &Observation) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for group in &expected.groups {
        let wanted = replicas(group, seen);
        for ordinal in 0..wanted.unwrap_or(1).max(1) {
            let row = row(&mut rows, group, group.places.of(ordinal).unwrap_or_default());
            let one = usize::from(wanted != Some(0));
            row.expected = row.expected.and_then(|number| wanted.map(|_| number + one));
        }
    }
    for group in &expected.groups {
        count(&mut rows, group, seen);
    }
    rows
}

/// The row of some zones, which is made if it is not there.
fn row<'a>(rows: &'a mut Vec<Row>, group: &ExpectedGroup, zones: &[String]) -> &'a mut Row {
    let component = group.set.component.as_str();
    let index = rows.iter().position(|row| row.component == component && row.zones == zones);
    let index = index.unwrap_or_else(|| {
        // Beside the others of its group.
        let after = rows.iter().rposition(|row| row.component == component);
        let index = after.map_or(rows.len(), |after| after + 1);
        rows.insert(index, Row { zones: zones.to_vec(), component, expected: Some(0), observed: Some(0) });
        index
    });
    &mut rows[index]
}

fn count(rows: &mut Vec<Row>, group: &ExpectedGroup, seen: &Observation) {
    let component = group.set.component.as_str();
    let unknown = |rows: &mut Vec<Row>, zoned_only: bool| {
        let of_group = rows.iter_mut().filter(|row| row.component == component);
        of_group.filter(|row| !zoned_only || !row.zones.is_empty()).for_each(|row| row.observed = None);
    };
    let Ok(pods) = seen.pods.known() else { return unknown(rows, false) };
    for (name, pod) in pods {
        let Some(ordinal) = group.ordinal(name) else { continue };
        if on_node(pod).is_err() {
            continue;
        }
        let place = match (group.places.of(ordinal), zone_of(pod, seen)) {
            (None, _) => Vec::new(),
            (Some(_), Err(())) => {
                unknown(rows, true);
                continue;
            }
            (Some(zones), Ok(Some(zone))) if zones.iter().any(|allowed| allowed == zone) => zones.to_vec(),
            (Some(_), Ok(zone)) => vec![zone.unwrap_or(NO_ZONE).to_owned()],
        };
        let row = row(rows, group, &place);
        row.observed = row.observed.map(|number| number + 1);
    }
}
