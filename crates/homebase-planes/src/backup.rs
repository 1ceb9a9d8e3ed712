//! Backups of a plane's etcd, and going back to one, as after a disaster: every object is again what it was, and the
//! store's revision is lower than what clients have seen. It must not look at what is stored.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::control_plane::ETCD_READY;
use crate::plane::POLL_INTERVAL;
use crate::{Component, ControlPlane, Error, Result, process};

/// The state of a plane's etcd at some moment.
#[derive(Debug)]
pub struct EtcdBackup {
    directory: PathBuf,
}

impl ControlPlane {
    /// Copies the state of etcd as it is in this moment; etcd stands still meanwhile.
    ///
    /// # Errors
    /// If etcd cannot be stopped in its tracks or its files cannot be copied.
    pub async fn back_up_etcd(&self, name: &str) -> Result<EtcdBackup> {
        let directory = self.dir().join(format!("backup-{name}"));
        self.pause(Component::Etcd)?;
        let copied = match self.wait_stopped(Component::Etcd).await {
            Ok(()) => copy(&self.settings().layout.etcd_data(), &directory),
            Err(error) => Err(error),
        };
        self.resume(Component::Etcd)?;
        copied.map(|()| EtcdBackup { directory })
    }

    /// Stops the whole plane, puts etcd back to a backup, starts everything again and waits for the apiserver.
    ///
    /// # Errors
    /// If the files cannot be exchanged or a component does not come back.
    pub async fn restore_etcd(&mut self, backup: &EtcdBackup) -> Result<()> {
        let components: Vec<Component> =
            self.process_ids().into_iter().map(|(component, _)| component).collect();
        for component in &components {
            self.kill(*component)?;
        }
        let data = self.settings().layout.etcd_data();
        fs::remove_dir_all(&data).map_err(Error::io("remove", &data))?;
        copy(&backup.directory, &data)?;
        self.start_component(Component::Etcd)?;
        self.wait_etcd(ETCD_READY).await?;
        self.start_component(Component::Apiserver)?;
        self.wait_apiserver().await?;
        let is_core = |component: &Component| matches!(component, Component::Etcd | Component::Apiserver);
        components
            .into_iter()
            .filter(|component| !is_core(component))
            .try_for_each(|rest| self.start_component(rest))
    }

    /// A signal takes effect on each thread by itself.
    async fn wait_stopped(&self, component: Component) -> Result<()> {
        let ids = self.process_ids();
        let id = ids.iter().find(|(kind, _)| *kind == component).map_or(0, |(_, id)| *id);
        let start = Instant::now();
        while !process::is_stopped(id) {
            if start.elapsed() > ETCD_READY {
                return Err(self.not_ready(component, ETCD_READY, "it goes on after SIGSTOP".to_owned()));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }
}

/// Copies a directory with all that is in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(Error::io("create", to))?;
    for entry in fs::read_dir(from).map_err(Error::io("read", from))? {
        let entry = entry.map_err(Error::io("read", from))?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to)?;
        } else {
            fs::copy(&from, &to).map(drop).map_err(Error::io("copy", &from))?;
        }
    }
    Ok(())
}
