//! What must hold for every input. It decides whether an outcome is harmless and must not let one pass that
//! it cannot judge.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use fastrand::Rng;
use homebase_kubeconfig::{Policy, Reason, Rejection, SanitizedKubeconfig, Trust, sanitize, sanitize_argo};
use jiff::Timestamp;

use crate::corpus::Case;
use crate::mutate::MARK;

/// The longest that one input may take. The worst that the limits let through takes a few milliseconds in a
/// release build and a tenth of a second in a debug build.
const LONGEST: Duration = Duration::from_millis(250);

/// From here on an input is measured again, and its best time counts: on a busy machine it is mostly the
/// scheduler that is slow, not the input.
const SLOW: Duration = Duration::from_millis(10);

/// How often a slow input is measured again.
const RETRIES: u32 = 5;

/// What the cases have in place of secrets, as in `tests/cases.rs`: plain, in base64, and as the beginning of
/// PEM and DER in base64.
const CANARIES: [&str; 6] = ["canary", "y2fuyxj5", "ls0t", "miib", "migh", MARK];

/// What became of a harmless input.
pub(crate) struct Outcome {
    /// The kinds of its faults; none when it was accepted.
    pub(crate) kinds: BTreeSet<&'static str>,
    /// Whether its credentials have a beginning or an end.
    pub(crate) has_dates: bool,
    pub(crate) time: Duration,
}

type Sanitized = Result<SanitizedKubeconfig, Vec<Rejection>>;

pub(crate) fn check(rng: &mut Rng, case: &Case) -> Result<Outcome, String> {
    let policy = Policy { allow_insecure: rng.bool(), allow_system_roots: rng.bool() };
    let (result, mut time) = run(case, &policy)?;
    for _ in 0..RETRIES {
        if time > SLOW {
            time = time.min(run(case, &policy)?.1);
        }
    }
    if time > LONGEST {
        return Err(format!("takes {time:.1?}"));
    }
    let (kinds, has_dates) = match &result {
        Ok(kubeconfig) => (BTreeSet::new(), check_accepted(kubeconfig, &policy)?),
        Err(rejections) => (check_refused(rejections)?, false),
    };
    Ok(Outcome { kinds, has_dates, time })
}

fn run(case: &Case, policy: &Policy) -> Result<(Sanitized, Duration), String> {
    let start = Instant::now();
    let result = catch_unwind(AssertUnwindSafe(|| match case {
        Case::Kubeconfig(bytes) => sanitize(bytes, policy),
        Case::Argo { name, server, config } => sanitize_argo(name, server, config, policy),
    }));
    let time = start.elapsed();
    result.map(|result| (result, time)).map_err(|_| "panics".to_owned())
}

fn check_refused(rejections: &[Rejection]) -> Result<BTreeSet<&'static str>, String> {
    let mut shown = format!("{rejections:?}");
    for rejection in rejections {
        let (path, kind) = (rejection.path(), rejection.kind());
        write!(shown, " {rejection} {path} {kind} {}", rejection.reason().as_str())
            .map_err(|_| "cannot be shown")?;
    }
    let shown = shown.to_lowercase();
    if Reason::of(rejections).is_none() {
        return Err("is refused without a reason".to_owned());
    }
    if let Some(canary) = CANARIES.iter().find(|canary| shown.contains(**canary)) {
        return Err(format!("is shown in part ({canary})"));
    }
    if shown.chars().any(|c| c.is_control() || !c.is_ascii()) {
        return Err("is refused with a text that is not plain".to_owned());
    }
    Ok(rejections.iter().map(|rejection| rejection.kind().as_str()).collect())
}

fn check_accepted(kubeconfig: &SanitizedKubeconfig, policy: &Policy) -> Result<bool, String> {
    let server = kubeconfig.server();
    let url = server.url().to_lowercase();
    let trust = kubeconfig.trust();
    let insecure = matches!(trust, Trust::Unverified | Trust::Plaintext);
    let plaintext = matches!(trust, Trust::Plaintext);
    let faults = [
        (insecure && !policy.allow_insecure, "is accepted though it is insecure"),
        (kubeconfig.proxy().is_some() && !policy.allow_insecure, "is accepted though it has a proxy"),
        (kubeconfig.proxy().is_some() && plaintext, "shows everything to a proxy"),
        (
            kubeconfig.insecurities().is_empty() == (insecure || kubeconfig.proxy().is_some()),
            "hides that it is insecure",
        ),
        (*trust == Trust::SystemRoots && !policy.allow_system_roots, "is accepted without authorities"),
        (url.starts_with("http://") != plaintext, "has a URL that does not agree with its trust"),
        (!plaintext && !url.starts_with("https://"), "has a URL of another scheme"),
        (url.contains(['@', '#', '?', '\\', ' ']) || !url.is_ascii(), "has a URL that is in doubt"),
        (server.host().is_empty() || server.port() == 0, "names no host or port"),
    ];
    if let Some((_, fault)) = faults.iter().find(|(is_so, _)| *is_so) {
        return Err((*fault).to_owned());
    }
    let validity = kubeconfig.credentials_validity();
    for now in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
        let _ = validity.expiry_state(now);
    }
    let dates = [validity.not_before(), validity.not_after()];
    if dates.iter().flatten().any(|date| *date < Timestamp::UNIX_EPOCH) {
        return Err("has a date before 1970".to_owned());
    }
    Ok(dates.iter().any(Option::is_some))
}
