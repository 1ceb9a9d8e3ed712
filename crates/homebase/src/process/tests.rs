//! A process that lives is not gone, and one that has ended is.

use homebase_kube::lease::Holder;

use super::{Process, Stat, describe, is_gone};

fn holder(process: &Process) -> Holder {
    Holder { process: Some(process.text()), ..Holder::default() }
}

#[test]
fn this_process_lives_and_is_known_again() {
    let this = Process::this().unwrap();
    assert_eq!(Process::parse(&this.text()), Some(this.clone()));
    assert_eq!(describe().0, Some(this.text()));
    assert!(!is_gone(&holder(&this)));
}

#[test]
fn a_process_that_has_ended_is_gone_also_before_it_is_reaped() {
    let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let start = Stat::of(child.id()).unwrap().unwrap().start;
    let process = Process { pid: child.id(), start, ..Process::this().unwrap() };
    assert!(!is_gone(&holder(&process)));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(is_gone(&holder(&process)));
    let zombie = Stat::parse("7 (a) b) Z 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 0").unwrap();
    assert!(zombie.has_ended && zombie.start == 4711);
}

#[test]
fn another_process_with_the_same_pid_proves_that_the_first_has_ended() {
    let this = Process::this().unwrap();
    assert!(is_gone(&holder(&Process { start: this.start + 1, ..this })));
}

#[test]
fn nothing_is_known_of_processes_elsewhere() {
    let this = Process { pid: u32::MAX, ..Process::this().unwrap() };
    assert!(is_gone(&holder(&this)));
    assert!(!is_gone(&holder(&Process { boot: "another".to_owned(), ..this.clone() })));
    assert!(!is_gone(&holder(&Process { namespace: "pid:[1]".to_owned(), ..this })));
    assert!(!is_gone(&Holder::default()));
    assert!(!is_gone(&Holder { process: Some("what/is/this".to_owned()), ..Holder::default() }));
}
