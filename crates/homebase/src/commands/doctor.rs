//! The command `doctor`: checks the way to a work cluster step by step, through the hub's own client stack and rules,
//! from where the command runs. It changes nothing anywhere.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use homebase_core::Namespaces;
use homebase_kube::crd::CrdPolicy;
use homebase_kube::destination::DestinationPolicy;
use homebase_kubeconfig::{Policy, SanitizedKubeconfig, sanitize};
use jiff::Timestamp;
use kube::ResourceExt as _;

use self::report::{Check, Finding, Report};
use super::connect;
use super::fleet::{Home, pinned_uid, registered};
use super::hub::{HubLife, hub_life};
use super::output::tell;
use super::{Exit, output};
use crate::arguments::{DoctorArguments, Output};

mod contact;
mod credentials;
mod network;
mod registration;
mod report;
mod rights;

/// How long one question to the apiserver may take: as long as the hub waits for an answer, and for its body.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// What is to be checked.
struct Subject {
    /// The kubeconfig, or why the hub would not use it.
    kubeconfig: Result<Arc<SanitizedKubeconfig>, String>,
    /// Where in the cluster the hub works.
    namespaces: Arc<Namespaces>,
    /// The UID of the cluster that is on record.
    pinned: Option<String>,
    /// What the hub may do about the CRDs.
    crd_policy: CrdPolicy,
    /// The ID of the hub, where the home cluster says it.
    hub_id: Option<String>,
    /// What the hub shows, for a registered cluster.
    hub: Option<registration::HubView>,
}

pub(crate) async fn run(arguments: &DoctorArguments) -> anyhow::Result<Exit> {
    let mut report = Report::new(arguments.name.as_ref().map(ToString::to_string));
    tell(&format!("checking from this machine ({}), which need not be where the hub runs", report.from()));
    let Some(subject) = find(arguments, &mut report).await? else {
        return finish(&report, arguments.output);
    };
    let destinations = DestinationPolicy { allow_loopback: arguments.allow_loopback_destinations };
    examine(&subject, destinations, &mut report).await;
    if let Some(hub) = &subject.hub {
        report.add(registration::freshness(hub, Timestamp::now()));
    }
    finish(&report, arguments.output)
}

async fn find(arguments: &DoctorArguments, report: &mut Report) -> anyhow::Result<Option<Subject>> {
    let Some(id) = &arguments.name else {
        let path = arguments.kubeconfig_file.as_deref().context("name a cluster or a --kubeconfig-file")?;
        let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
        let kubeconfig = sanitize(&bytes, &Policy::default()).map(Arc::new).map_err(|rejections| {
            let faults: Vec<String> = rejections.iter().map(ToString::to_string).collect();
            faults.join("; ")
        });
        return Ok(Some(Subject {
            kubeconfig,
            namespaces: Arc::default(),
            pinned: None,
            crd_policy: CrdPolicy::default(),
            hub_id: None,
            hub: None,
        }));
    };
    let home = Home::connect(&arguments.home).await?;
    report.add(hub(&hub_life(&home.client, &home.namespace).await));
    let shown = home.work_cluster(id).await?;
    let Some(secret) = home.registration(id, shown.as_ref()).await? else {
        report.add(Finding::fail(
            Check::Registration,
            format!("no Secret in namespace {} registers {id}", home.namespace),
            "register the cluster: `homebase register`",
        ));
        report.skip_rest("there is no registration");
        return Ok(None);
    };
    let Some(registration) = registered(&secret, id) else {
        report.add(Finding::fail(
            Check::Registration,
            format!("Secret {} does not register {id} any more", secret.name_any()),
            "give it back its label, or register the cluster: `homebase register`",
        ));
        report.skip_rest("there is no registration");
        return Ok(None);
    };
    report.add(registration::secret(&registration));
    Ok(Some(Subject {
        kubeconfig: registration.kubeconfig.map_err(|unusable| unusable.message),
        namespaces: registration.preferences.namespaces.clone(),
        pinned: pinned_uid(shown.as_ref(), &secret).map(str::to_owned),
        crd_policy: registration.preferences.crd_policy,
        hub_id: super::ownership::hub_id(&home).await.ok(),
        hub: Some(registration::HubView { shown, secret }),
    }))
}

/// Whether a hub works at all.
fn hub(life: &HubLife) -> Finding {
    let found = life.to_string();
    match life {
        HubLife::Alive { .. } => Finding::pass(Check::Hub, found),
        HubLife::Silent { .. } | HubLife::NeverSeen => Finding::fail(
            Check::Hub,
            found,
            "start the hub; if it runs, it uses another namespace or cannot reach the home cluster: its log and /readyz \
             say more",
        ),
        // It does not show whether the cluster is well.
        HubLife::Unknown { .. } => Finding::note(
            Check::Hub,
            found,
            "run doctor with permission to get Leases in the hub's namespace",
        ),
    }
}

/// Each step needs the one before; what can no longer be known says so.
async fn examine(subject: &Subject, destinations: DestinationPolicy, report: &mut Report) {
    let Some(kubeconfig) = read(&subject.kubeconfig, report) else {
        return report.skip_to_freshness("there is no kubeconfig that the hub takes");
    };
    let now = Timestamp::now();
    report.add(credentials::expiry(kubeconfig, now));
    let first_stop = kubeconfig.proxy().unwrap_or(kubeconfig.server());
    let addresses = network::resolve(first_stop, destinations).await;
    if !report.add_step(addresses.0) {
        return report.skip_to_freshness("the server's address is not known");
    }
    if !report.add_step(network::connect(&addresses.1).await) {
        return report.skip_to_freshness("there is no connection");
    }
    let client = match connect::registered_client(kubeconfig, destinations) {
        Ok(client) => client,
        Err(error) => {
            let fix = "put a kubeconfig with usable certificates into the registration";
            report.add(Finding::fail(Check::Tls, format!("{error:#}"), fix));
            return report.skip_to_freshness("there is no connection");
        }
    };
    let contact = contact::first(&client, kubeconfig.trust()).await;
    let answered = report.add_step(contact.tls) & report.add_step(contact.server);
    if let Some(clock) = contact.clock {
        report.add(clock);
    }
    if !answered {
        return report.skip_to_freshness("the apiserver does not answer");
    }
    if !report.add_step(credentials::accepted(&client).await) {
        return report.skip_to_freshness("the credentials are not accepted");
    }
    report.add(rights::identity(&client, subject.pinned.as_deref()).await);
    report.add(rights::permissions(&client, subject.crd_policy, &subject.namespaces).await);
    report.add(rights::crds(&client, subject.crd_policy, subject.hub_id.as_deref()).await);
}

fn read<'a>(
    found: &'a Result<Arc<SanitizedKubeconfig>, String>,
    report: &mut Report,
) -> Option<&'a SanitizedKubeconfig> {
    match found {
        Ok(kubeconfig) => {
            let server = kubeconfig.server();
            report.add(Finding::pass(Check::Kubeconfig, format!("for {}:{}", server.host(), server.port())));
            Some(kubeconfig)
        }
        Err(words) => {
            let fix = "mend what is named; the hub takes self-contained kubeconfigs with a token or a client certificate";
            report.add(Finding::fail(Check::Kubeconfig, words.clone(), fix));
            None
        }
    }
}

fn finish(report: &Report, format: Output) -> anyhow::Result<Exit> {
    let text = match format {
        Output::Json => output::json(report)?,
        Output::Yaml => output::yaml(report)?,
        Output::Table | Output::Wide => report.table().render(output::is_coloured()),
    };
    output::print(&text)?;
    Ok(report.exit())
}
