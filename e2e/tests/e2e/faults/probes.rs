//! Clients that open connections to the hub's port and say nothing, or a letter now and then, or scrape without end: probes
//! are answered all the same. It must not test the limits of one connection.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::Fleet;

/// Far more than the server serves at a time.
const CONNECTIONS: usize = 1000;
/// What a kubelet waits for an answer.
const ANSWERED: Duration = Duration::from_secs(1);

#[tokio::test]
async fn idle_and_dripping_connections_keep_no_probe_out() {
    let fleet = Fleet::builder("probes").start().await;
    let address = fleet.hub().address();
    let (mut held, mut slowest) = (Vec::new(), Duration::ZERO);
    for number in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // An error is the server's right: it has closed the connection.
        match number % 3 {
            0 => {}
            1 => drop(stream.write_all(b"GET /livez HTTP/1.1\r\nhost: h").await),
            _ => drop(stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: hub\r\n\r\n").await),
        }
        held.push(stream);
        if number % 50 == 49 {
            for path in ["/livez", "/readyz"] {
                let start = Instant::now();
                let answer = fleet.hub().get(path).await.unwrap();
                slowest = slowest.max(start.elapsed());
                assert_eq!(answer.status, 200, "{}", answer.body);
            }
        }
    }
    eprintln!("figure: probes beside {CONNECTIONS} connections: {slowest:?} at most");
    assert!(slowest < ANSWERED, "{slowest:?}");
    fleet.assert_invariants().await;
}
