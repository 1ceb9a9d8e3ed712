//! Nobody waits for a writer that is stuck or fails, and every line that is lost is counted.

use std::sync::mpsc;

use super::*;

fn lost(lines: u64) -> String {
    format!("lost {lines}\n")
}

/// Writes one line for each permit; without a sender of permits it fails.
struct Gated {
    permits: mpsc::Receiver<bool>,
    written: mpsc::Sender<String>,
}

impl Write for Gated {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if !self.permits.recv().unwrap() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.written.send(String::from_utf8(line.to_vec()).unwrap()).unwrap();
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn stuck(max_bytes: usize) -> (Arc<Queue>, mpsc::Sender<bool>, mpsc::Receiver<String>) {
    let ((permit, permits), (written, lines)) = (mpsc::channel(), mpsc::channel());
    let queue = Arc::new(Queue::new(max_bytes));
    let writing = queue.clone();
    std::thread::spawn(move || writing.write_all(Gated { permits, written }, lost));
    (queue, permit, lines)
}

/// Adds a line and waits until the thread has taken it.
fn push_and_take(queue: &Queue, line: &str) {
    queue.push(line.as_bytes().to_vec());
    while !queue.waiting().lines.is_empty() {
        std::thread::yield_now();
    }
}

#[test]
fn a_reader_that_has_stopped_holds_up_nobody_and_what_is_lost_is_told() {
    let (queue, permit, lines) = stuck(10);
    push_and_take(&queue, "first\n");
    for line in ["second\n", "third\n", "fourth\n"] {
        queue.push(line.into());
    }
    assert!(!queue.flush());
    permit.send(true).unwrap();
    permit.send(true).unwrap();
    assert_eq!([lines.recv().unwrap(), lines.recv().unwrap()], ["first\n", "lost 2\nsecond\n"]);
    push_and_take(&queue, "fifth\n");
    permit.send(true).unwrap();
    assert_eq!(lines.recv().unwrap(), "fifth\n");
    assert!(queue.flush());
}

#[test]
fn a_line_that_cannot_be_written_is_counted_with_those_before_it() {
    let (queue, permit, lines) = stuck(100);
    push_and_take(&queue, "first\n");
    permit.send(false).unwrap();
    queue.push("second\n".into());
    permit.send(false).unwrap();
    queue.push("third\n".into());
    permit.send(true).unwrap();
    assert_eq!(lines.recv().unwrap(), "lost 2\nthird\n");
}
