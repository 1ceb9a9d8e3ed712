//! A session on a cluster that fails and heals, against a simulated clock: what is lost is found, and what has healed
//! is operated, within the published bounds, whatever the jitter and the order. It must not look inside the session.

use std::collections::BTreeMap;
use std::time::Duration;

use homebase_core::ClusterUid;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{Action, Circuit, Crds, Event, Failure, FailureReason, Session, State, Verdict};

/// How long a probe waits for its answer.
const PROBE_TIMEOUT: u64 = 5_000;
/// How long any other request does.
const REQUEST_TIMEOUT: u64 = 10_000;
/// Requests of the work in a row without an answer that are reported.
const STREAK: u32 = 12;
/// The published bounds, in milliseconds.
const BLACK_HOLE_FOUND: u64 = 60_000;
const OTHERS_FOUND: u64 = 15_000;
const HEALED: u64 = 30_000;

/// How a cluster is for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weather {
    Fair,
    Refused,
    Hangs,
    Unauthorized,
    /// Probes are answered, and nothing else is.
    WorkHangs,
}

#[derive(Clone, Copy, Debug)]
enum Due {
    ProbeDone(Weather),
    Installed,
    Timer(u64),
    Work,
    RequestDone(Weather),
}

/// The cluster, its session and the time, in milliseconds.
struct World {
    now: u64,
    weather: Weather,
    session: Session,
    agenda: BTreeMap<(u64, u64), Due>,
    sequence: u64,
    timer: u64,
    probing: bool,
    flow: Option<Circuit>,
    streak: u32,
    rereads: u32,
    jitter: Vec<f64>,
}

impl World {
    fn new(jitter: Vec<f64>) -> Self {
        let (session, actions) = Session::start(Timestamp::UNIX_EPOCH);
        let mut world = Self {
            now: 0,
            weather: Weather::Fair,
            session,
            agenda: BTreeMap::new(),
            sequence: 0,
            timer: 0,
            probing: false,
            flow: None,
            streak: 0,
            rereads: 0,
            jitter,
        };
        world.perform(actions);
        world.plan(0, Due::Work);
        world
    }

    fn plan(&mut self, delay: u64, due: Due) {
        self.sequence += 1;
        self.agenda.insert((self.now + delay, self.sequence), due);
    }

    fn feed(&mut self, event: Event) {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_millis(i64::try_from(self.now).unwrap());
        let jitter = self.jitter[usize::try_from(self.sequence).unwrap() % self.jitter.len()];
        let actions = self.session.on(event, now, jitter);
        self.perform(actions);
    }

    fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Probe if self.probing => {}
                Action::Probe => {
                    self.probing = true;
                    let hangs = self.weather == Weather::Hangs;
                    self.plan(if hangs { PROBE_TIMEOUT } else { 10 }, Due::ProbeDone(self.weather));
                }
                Action::InstallCrds => self.plan(100, Due::Installed),
                Action::StartWork => {
                    self.flow = Some(Circuit::Closed);
                    self.feed(Event::SyncChanged { missing: None });
                }
                Action::TryWork => self.flow = Some(Circuit::HalfOpen),
                Action::ResumeWork => self.flow = Some(Circuit::Closed),
                Action::HoldWork => self.flow = Some(Circuit::Open),
                Action::AbortWork | Action::StopWork => self.flow = None,
                Action::RereadSecret => self.rereads += 1,
                Action::SetTimer(delay) => {
                    self.timer += 1;
                    self.plan(u64::try_from(delay.as_millis()).unwrap(), Due::Timer(self.timer));
                }
            }
        }
    }

    fn happen(&mut self, due: Due) {
        let failed = |reason| Event::ProbeFailed(Failure { reason, message: "no".to_owned() });
        match due {
            Due::Timer(timer) if timer == self.timer => self.feed(Event::TimerFired),
            Due::Timer(_) => {}
            Due::Installed => self.feed(Event::CrdsChecked(Crds::UpToDate)),
            Due::ProbeDone(weather) => {
                self.probing = false;
                self.feed(match weather {
                    Weather::Fair | Weather::WorkHangs => Event::Answered {
                        uid: ClusterUid::new("uid"),
                        verdict: Verdict::Matched,
                        latency: Duration::from_millis(10),
                    },
                    Weather::Refused => failed(FailureReason::ConnectionRefused),
                    Weather::Hangs => failed(FailureReason::ResponseTimeout),
                    Weather::Unauthorized => failed(FailureReason::Unauthorized),
                });
            }
            // Some work each second, as far as it is let through.
            Due::Work => {
                self.plan(1_000, Due::Work);
                if matches!(self.flow, Some(Circuit::Closed | Circuit::HalfOpen)) {
                    let hangs = matches!(self.weather, Weather::Hangs | Weather::WorkHangs);
                    self.plan(if hangs { REQUEST_TIMEOUT } else { 10 }, Due::RequestDone(self.weather));
                }
            }
            Due::RequestDone(weather) => self.request_done(weather),
        }
    }

    fn request_done(&mut self, weather: Weather) {
        let trial = self.flow == Some(Circuit::HalfOpen);
        match weather {
            Weather::Fair | Weather::Unauthorized => {
                self.streak = 0;
                if weather == Weather::Unauthorized {
                    self.feed(Event::Refused);
                } else if trial {
                    self.feed(Event::RequestAnswered);
                }
            }
            Weather::Refused | Weather::Hangs | Weather::WorkHangs => {
                self.streak += 1;
                if self.streak >= STREAK || trial {
                    self.feed(Event::RequestsFail);
                }
            }
        }
    }

    /// Lets time pass. True when `wanted` held at some moment.
    fn pass(&mut self, span: u64, wanted: impl Fn(&Session) -> bool) -> bool {
        let end = self.now + span;
        let mut held = wanted(&self.session);
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= end) {
            self.now = entry.key().0;
            let due = entry.remove();
            self.happen(due);
            held |= wanted(&self.session);
        }
        self.now = end;
        held
    }
}

fn is_lost(session: &Session) -> bool {
    session.state() == State::Unreachable
}

fn is_operated(session: &Session) -> bool {
    session.state() == State::Running && session.circuit() == Circuit::Closed
}

fn any_weather() -> impl Strategy<Value = Weather> {
    prop_oneof![
        Just(Weather::Refused),
        Just(Weather::Hangs),
        Just(Weather::Unauthorized),
        Just(Weather::WorkHangs)
    ]
}

proptest! {
    #[test]
    fn each_fault_is_found_and_healed_within_its_bound(
        faults in prop::collection::vec((any_weather(), 0..300_000_u64, 0..200_000_u64), 1..6),
        jitter in prop::collection::vec(0.0..=1.0f64, 1..40),
    ) {
        let mut world = World::new(jitter);
        world.pass(1_000, |_| false);
        prop_assert!(is_operated(&world.session));
        for (fault, lasts, calm) in faults {
            world.weather = fault;
            let rereads = world.rereads;
            let bound = match fault {
                Weather::Hangs | Weather::WorkHangs => BLACK_HOLE_FOUND,
                _ => OTHERS_FOUND,
            };
            prop_assert!(world.pass(bound, is_lost), "{fault:?} not found: {:?}", world.session.state());
            world.pass(lasts, |_| false);
            prop_assert!(world.rereads - rereads <= u32::from(fault == Weather::Unauthorized), "{fault:?}");

            world.weather = Weather::Fair;
            prop_assert!(world.pass(HEALED, is_operated), "not healed of {fault:?}: {:?}", world.session.state());
            world.pass(calm, |_| false);
            prop_assert!(is_operated(&world.session), "it does not last: {:?}", world.session.state());
        }
    }
}
