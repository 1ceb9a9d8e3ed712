//! Faults of real processes: an apiserver that hangs or ends, a hub that is killed, and the rest in which nothing at
//! all must happen. It must not test what the hub does on a healthy cluster beyond that it goes on.

mod black_hole;
mod brake;
mod crash;
mod hostile;
mod hub_life;
mod latency;
mod matrix;
mod outage;
mod probes;
mod restored;
mod scene;
mod steady;
mod webhook;
