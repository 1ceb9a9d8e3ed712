//! Free loopback ports. It can only say what was free a moment ago: a start
//! that loses the race is tried again with other ports by its caller.

use std::net::{Ipv4Addr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{Error, Result};

/// Below the range from which the kernel takes the source ports of outgoing
/// connections (32768 and up on Linux), so that no client connection of a test
/// can sit on a port between our choice and the component's bind.
const FIRST_PORT: u16 = 12_000;
/// See `FIRST_PORT`.
const PORT_COUNT: u32 = 20_000;
/// Far more than a machine has listeners in that range.
const MAX_ATTEMPTS: u32 = 2_000;
/// Test processes run at the same time and have neighbouring process ids: a
/// prime stride keeps the ranges that they try apart.
const STRIDE_PER_PROCESS: u32 = 397;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A port that nobody listens on and that this process has not handed out.
///
/// # Errors
/// If there is none.
pub fn free_port() -> Result<u16> {
    let base = process::id().wrapping_mul(STRIDE_PER_PROCESS) % PORT_COUNT;
    for _ in 0..MAX_ATTEMPTS {
        let offset = (base + NEXT.fetch_add(1, Ordering::Relaxed)) % PORT_COUNT;
        let Ok(offset) = u16::try_from(offset) else { continue };
        let port = FIRST_PORT + offset;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Error::FindPort { attempts: MAX_ATTEMPTS })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_skip_what_is_bound() {
        let first = free_port().unwrap();
        // The next in line is occupied: it must be passed over.
        let occupied = (first + 1..first + 50)
            .find_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok())
            .unwrap();
        let occupied_port = occupied.local_addr().unwrap().port();
        let others: Vec<u16> = (0..100).map(|_| free_port().unwrap()).collect();
        assert!(!others.contains(&first));
        assert!(!others.contains(&occupied_port));
    }
}
