//! The command line on real control planes: what a person types, what comes out of it, what it leaves behind. It must
//! not look into the hub beyond what it shows.

mod diagnosis;
mod namespaces;
mod offline;
mod ownership;
pub(crate) mod scene;
mod story;

pub(crate) use self::offline::homebase;
