//! The kinds that the hub operates, on one real work cluster with KWOK nodes: what it makes of them, in which order,
//! and what it leaves alone. It must not test registration or faults of clusters.

mod changes;
mod drift;
mod fixture;
mod foreign;
mod growth;
mod iris;
mod latency;
mod mirror;
mod objects;
mod order;
mod placement;
mod primary;
mod recreation;
mod refusal;
mod removal;
mod retention;
mod rolling;
mod samples;
mod scale;
mod shards;
mod shared;
mod storage;
mod storage_crash;
mod takeover;
mod template;
mod webgateway;
mod zones;
