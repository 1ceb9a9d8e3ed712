//! Rules about predefined volumes: sizes that do not shrink, storage classes that stay. It must not know which
//! node groups have which volumes.

use super::{Rule, rule};

/// One predefined volume of a node group; `legacy` is the old name of its field, `guard` an alternative that
/// makes the rules hold.
///
/// The expressions are long because an apiserver refuses shorter ones: it cannot tell the length of an optional
/// value (`self.?field`), and takes it for endless when it estimates the cost.
pub(super) fn volume(field: &str, legacy: Option<&str>, guard: &str) -> [Rule; 2] {
    let names = || std::iter::once(field).chain(legacy);
    let all = |field: fn(&str, &str) -> Optional| {
        let new: Vec<_> = names().map(|name| field("self", name)).collect();
        let old: Vec<_> = names().map(|name| field("oldSelf", name)).collect();
        (new, old)
    };
    let (new, old) = all(size);
    let not_smaller =
        pairwise(&new, &old, |new, old| format!("{}.compareTo({}) >= 0", bytes(new), bytes(old)));
    let not_below_default =
        when_none(&old, &new, |new| format!("{}.compareTo({DEFAULT_SIZE}) >= 0", bytes(new)));
    let not_above_default =
        when_none(&new, &old, |old| format!("{}.compareTo({DEFAULT_SIZE}) <= 0", bytes(old)));
    let (new, old) = all(storage_class);
    let same_class = pairwise(&new, &old, |new, old| format!("{new} == {old}"));
    [
        rule(
            format!("{guard}({not_smaller} && {not_below_default} && {not_above_default})"),
            format!(
                "the size of {field} cannot shrink, because no volume can: restore the old size or ask for more \
                 (without a size it is 2Gi)"
            ),
        ),
        rule(
            format!("{guard}({} == {} && {same_class})", any(&new), any(&old)),
            format!(
                "storageClassName of {field} cannot change, because claims that exist keep their storage class: \
                 restore the old value; to move the data, make a new IrisCluster with the new class"
            ),
        ),
    ]
}

/// The size of a volume that has none.
const DEFAULT_SIZE: &str = "quantity('2Gi')";

/// A field that may be absent: the condition under which it is there, and its value.
struct Optional {
    present: String,
    value: String,
}

fn size(object: &str, volume: &str) -> Optional {
    let volume = format!("{object}.{volume}");
    Optional { present: format!("has({volume}) && {}", has_size(&volume)), value: size_of(&volume) }
}

fn has_size(volume: &str) -> String {
    format!(
        "has({volume}.resources) && has({volume}.resources.requests) && 'storage' in {volume}.resources.requests"
    )
}

fn size_of(volume: &str) -> String {
    format!("{volume}.resources.requests['storage']")
}

fn storage_class(object: &str, volume: &str) -> Optional {
    let volume = format!("{object}.{volume}");
    Optional {
        present: format!("has({volume}) && has({volume}.storageClassName)"),
        value: format!("{volume}.storageClassName"),
    }
}

/// A size as a quantity; it may be written as a number.
fn bytes(size: &str) -> String {
    format!("(type({size}) == string ? quantity({size}) : quantity('0').add(int({size})))")
}

fn any(fields: &[Optional]) -> String {
    let present: Vec<_> = fields.iter().map(|field| format!("({})", field.present)).collect();
    format!("({})", present.join(" || "))
}

/// `holds` for every pair of fields that are there.
fn pairwise(new: &[Optional], old: &[Optional], holds: impl Fn(&str, &str) -> String) -> String {
    let pairs = new.iter().flat_map(|new| old.iter().map(move |old| (new, old)));
    let terms: Vec<_> = pairs
        .map(|(new, old)| {
            format!("(!({} && {}) || {})", new.present, old.present, holds(&new.value, &old.value))
        })
        .collect();
    terms.join(" && ")
}

/// `holds` for every field that is there, when none of `absent` is.
fn when_none(absent: &[Optional], fields: &[Optional], holds: impl Fn(&str) -> String) -> String {
    let terms: Vec<_> =
        fields.iter().map(|field| format!("(!({}) || {})", field.present, holds(&field.value))).collect();
    format!("({} || ({}))", any(absent), terms.join(" && "))
}

/// A predefined volume.
pub(super) fn settings() -> Vec<Rule> {
    let size = size_of("self");
    vec![rule(
        format!(
            "!({}) || (type({size}) == string ? \
             isQuantity({size}) && quantity({size}).isGreaterThan(quantity('0')) : int({size}) > 0)",
            has_size("self")
        ),
        "resources.requests.storage must be a quantity above zero: write it like 10Gi",
    )]
}
