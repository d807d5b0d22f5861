//! SIGHUP: reloads the configuration and the certificates.

use keystone::Keystone;
use keystone_config::Config;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::configuration::{self, Configuration};
use crate::error::{CommandError, Result};
use crate::serve::systemd;
use crate::serve::tls::Tls;

/// Groups and options of sockets, pools, files and notifications, which take effect only in a new process.
const NEEDS_RESTART: [(&str, &str); 22] = [
    ("database", ""),
    ("fernet_tokens", "key_repository"),
    ("fernet_receipts", "key_repository"),
    ("credential", "key_repository"),
    ("token", "provider"),
    ("jwt_tokens", ""),
    ("DEFAULT", "control_exchange"),
    ("DEFAULT", "default_publisher_id"),
    ("DEFAULT", "notification_format"),
    ("DEFAULT", "notification_opt_out"),
    ("DEFAULT", "transport_url"),
    ("audit", ""),
    ("oslo_messaging_notifications", ""),
    ("oslo_messaging_rabbit", ""),
    ("notifications", ""),
    ("DEFAULT", "log_dir"),
    ("DEFAULT", "log_file"),
    ("DEFAULT", "use_json"),
    ("DEFAULT", "use_stderr"),
    ("DEFAULT", "use_syslog"),
    ("DEFAULT", "use_journal"),
    ("DEFAULT", "log_config_append"),
];

/// Reloads the configuration, and apart from it the certificates, at each SIGHUP; one with problems changes nothing.
pub(super) fn reload_on_sighup(
    keystone: Keystone,
    configuration: Configuration,
    tls: Option<Tls>,
) -> Result<impl Future<Output = ()> + Send> {
    let signals = signal(SignalKind::hangup())
        .map_err(|error| CommandError::new(format!("SIGHUP can't be listened to: {error}")))?;
    Ok(follow(signals, keystone, configuration, tls))
}

async fn follow(
    mut signals: Signal,
    keystone: Keystone,
    mut configuration: Configuration,
    tls: Option<Tls>,
) {
    while signals.recv().await.is_some() {
        systemd::notify_reloading();
        reload(&keystone, &mut configuration, tls.as_ref()).await;
        systemd::notify("READY=1");
    }
}

async fn reload(keystone: &Keystone, configuration: &mut Configuration, tls: Option<&Tls>) {
    configuration.logs.reopen();
    match tls.map(Tls::reload) {
        Some(Ok(())) => tracing::info!("the certificates were read again"),
        Some(Err(failure)) => tracing::error!("the certificates stay as they were: {failure}"),
        None => {}
    }
    match configuration::read(&configuration.sources) {
        Ok((config, settings, warnings)) => {
            configuration::log(&warnings);
            if let Err(error) = keystone.reload(settings).await {
                tracing::error!("the configuration stays as it was: {error}");
                return;
            }
            configuration.logs.follow(&config);
            report(&config, &configuration.config);
            configuration.config = config;
        }
        Err(failure) => tracing::error!("the configuration stays as it was: {failure}"),
    }
}

/// Logs which options have changed, and which of them need a restart.
fn report(new: &Config, old: &Config) {
    let changes = new.changed(old);
    if changes.is_empty() {
        tracing::info!("the configuration was read again; nothing has changed");
    }
    for change in changes {
        let needs_restart = NEEDS_RESTART.iter().any(|(group, option)| {
            *group == change.group && (option.is_empty() || *option == change.option)
        });
        let name = format!("[{}] {}", change.group, change.option);
        if needs_restart {
            tracing::warn!("{name} has changed, but not here: restart the server");
        } else {
            tracing::info!("{name} has changed");
        }
    }
}
