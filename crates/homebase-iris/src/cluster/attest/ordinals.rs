//! Pods of a StatefulSet in few words: `iris-compute-{0,3-7}`. Must not leave one out.

/// Ordinals with runs drawn together: `0, 3-7`.
pub(super) fn ranges(ordinals: &[usize], separator: &str) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for &ordinal in ordinals {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == ordinal => *last = ordinal,
            _ => runs.push((ordinal, ordinal)),
        }
    }
    let words = runs.into_iter().map(|(first, last)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}{separator}{last}"),
        _ => format!("{first}-{last}"),
    });
    words.collect::<Vec<_>>().join(separator)
}

/// The names of pods, drawn together as a shell would spell them out.
pub(super) fn pods(stateful_set: &str, ordinals: &[usize]) -> String {
    match ordinals {
        [one] => format!("{stateful_set}-{one}"),
        many => format!("{stateful_set}-{{{}}}", ranges(many, ",")),
    }
}

#[cfg(test)]
mod tests {
    use super::{pods, ranges};

    #[test]
    fn runs_are_drawn_together_and_nothing_is_lost() {
        assert_eq!(ranges(&[0, 2, 3, 5, 6, 7, 9], ", "), "0, 2, 3, 5-7, 9");
        assert_eq!(ranges(&[], ", "), "");
        assert_eq!(pods("iris-compute", &[4]), "iris-compute-4");
        assert_eq!(pods("iris-compute", &[0, 19, 20, 21]), "iris-compute-{0,19-21}");
    }
}
