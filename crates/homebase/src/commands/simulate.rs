//! The command `simulate`: rehearses a topology where nothing is at stake. It applies the resource to a scratch cluster
//! whose nodes KWOK plays, has this very program operate it, attests it, and takes everything away again, also when it
//! fails or is told to stop. It touches no cluster that is in use, unless it is told to.

use std::pin::pin;

use anyhow::{Context as _, bail};
use tokio::signal::unix::{SignalKind, signal};

use self::scene::Scene;
use self::subject::Subject;
use super::Exit;
use super::attest::{publish, settle};
use super::output::tell;
use super::values::AttestTarget;
use crate::arguments::SimulateArguments;

mod clean;
mod directory;
mod given;
mod hub;
mod resource;
mod scene;
mod subject;
#[cfg(test)]
mod tests;

pub(crate) async fn run(arguments: &SimulateArguments) -> anyhow::Result<Exit> {
    let subject = match Subject::read(&arguments.manifests)? {
        Ok(subject) => subject,
        Err(exit) => return Ok(exit),
    };
    // Heard from here on: whatever is started below is also ended.
    let mut stop = pin!(stopped()?);
    let mut scene = Scene::default();
    let ended = tokio::select! {
        ended = Box::pin(rehearse(arguments, &subject, &mut scene)) => ended,
        () = &mut stop => Err(anyhow::anyhow!("interrupted before the verdict")),
    };
    if ended.is_ok() && arguments.keep {
        tell(&format!("it keeps running: export KUBECONFIG={}", scene.kubeconfig().display()));
        tell("Ctrl-C ends it");
        stop.await;
    }
    tell("cleaning up");
    let cleaned = Box::pin(scene.clean()).await;
    let exit = ended?;
    cleaned.context("clean up")?;
    Ok(exit)
}

async fn rehearse(
    arguments: &SimulateArguments,
    subject: &Subject,
    scene: &mut Scene,
) -> anyhow::Result<Exit> {
    scene.set(arguments, subject).await?;
    scene.start_hub().await?;
    scene.apply(subject).await?;
    let target = AttestTarget {
        cluster: None,
        namespace: subject.namespace.parse().context("read the namespace")?,
        name: subject.name.clone(),
    };
    let client = scene.client()?;
    let report = tokio::select! {
        report = Box::pin(settle(client, &target, arguments.wait.duration())) => report?,
        why = scene.first_end() => bail!("{why}"),
    };
    publish(&report, &target, arguments.output, arguments.junit.as_deref())
}

/// Resolves when somebody wants us to end: Ctrl-C, a supervisor, or a terminal that is closed.
fn stopped() -> anyhow::Result<impl Future<Output = ()>> {
    let listen = |kind, name| signal(kind).with_context(|| format!("listen for {name}"));
    let mut interrupt = listen(SignalKind::interrupt(), "SIGINT")?;
    let mut terminate = listen(SignalKind::terminate(), "SIGTERM")?;
    let mut hang_up = listen(SignalKind::hangup(), "SIGHUP")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    })
}
