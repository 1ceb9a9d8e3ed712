//! What shows only in the long run: many clusters that come and go. Here it is short and bounded;
//! `cargo xtask bench engage` is the same at length.

mod cycles;
