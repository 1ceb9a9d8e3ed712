//! Reads an explicit `null` as "absent", because manifests in the wild carry `args: null` and the like.
//! It must not change any other value.

use serde::{Deserialize, Deserializer};

/// Deserializes `null` as the default of the type.
pub(crate) fn as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
