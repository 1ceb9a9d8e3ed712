//! Secrets have none of the traits by which a value gets into a log. The check is done by the compiler;
//! the test only shows that the probe can tell the difference.

use std::fmt::{Debug, Display};
use std::marker::PhantomData;

use serde::Serialize;
use zeroize::ZeroizeOnDrop;

use super::{SecretBytes, SecretString};
use crate::{Credentials, SanitizedKubeconfig};

/// An inherent constant wins over one of a trait, but exists only where its bound holds.
macro_rules! probe {
    ($probe:ident, $absent:ident, $bound:path) => {
        struct $probe<T>(PhantomData<T>);
        trait $absent {
            const HAS_IT: bool = false;
        }
        impl<T> $absent for $probe<T> {}
        impl<T: $bound> $probe<T> {
            const HAS_IT: bool = true;
        }
    };
}

probe!(HasDebug, NoDebug, Debug);
probe!(HasDisplay, NoDisplay, Display);
probe!(HasSerialize, NoSerialize, Serialize);
probe!(HasClone, NoClone, Clone);

macro_rules! assert_mute {
    ($($secret:ty),+) => {$(
        const _: () = assert!(!HasDebug::<$secret>::HAS_IT);
        const _: () = assert!(!HasDisplay::<$secret>::HAS_IT);
        const _: () = assert!(!HasSerialize::<$secret>::HAS_IT);
        const _: () = assert!(!HasClone::<$secret>::HAS_IT);
    )+};
}

assert_mute!(SecretString, SecretBytes, Credentials, SanitizedKubeconfig);

const fn wiped_on_drop<T: ZeroizeOnDrop>() {}
const _: () = wiped_on_drop::<SecretString>();
const _: () = wiped_on_drop::<SecretBytes>();

#[test]
fn the_probe_sees_the_traits_of_a_type_that_has_them() {
    let seen = [
        HasDebug::<String>::HAS_IT,
        HasDisplay::<String>::HAS_IT,
        HasSerialize::<String>::HAS_IT,
        HasClone::<String>::HAS_IT,
    ];
    assert_eq!(seen, [true; 4]);
}
