//! `keystone dev`: a Keystone for a developer or a CI job, without any preparation.
//!
//! Its data is in one directory that only its owner can read: the database, the keys, a
//! `keystone.conf` that can be edited and that `keystone-manage --config-file` takes, and the
//! administrator's credentials.

mod data_dir;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use keystone::Bootstrap;
use keystone::Keystone;
use keystone::types::Secret;
use keystone_config::Sources;

use crate::arguments::Logging;
use crate::error::{CommandError, Result, with_causes};
use crate::logs::Logs;
use crate::serve::connection_limit;
use crate::serve::http::{Listeners, Traffic};
use crate::terminal::print;
use crate::{configuration, environment};
use data_dir::{DataDir, clouds_yaml, openrc};

#[derive(Clone, Args)]
pub(crate) struct Arguments {
    /// The directory of the database, the keys and the configuration.
    #[arg(long, value_name = "DIR", default_value = "./keystone-dev")]
    data_dir: PathBuf,
    /// The address to listen on; can be repeated.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:5000")]
    listen: Vec<String>,
    /// The administrator's password; without it the first start generates and stores one.
    #[arg(
        long,
        value_name = "P",
        env = "KEYSTONE_ADMIN_PASSWORD",
        hide_env_values = true
    )]
    admin_password: Option<String>,
    #[command(flatten)]
    logging: Logging,
}

impl std::fmt::Debug for Arguments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Arguments");
        shown.field("data_dir", &self.data_dir);
        shown.field("listen", &self.listen).finish_non_exhaustive()
    }
}

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let listeners = Listeners::bind("--listen", &arguments.listen).await?;
    let address = listeners.addresses().first().copied();
    let address = address.ok_or_else(|| CommandError::new("--listen names no address"))?;
    let url = format!("http://{}/v3", client_address(address));

    let dir = DataDir::open(&arguments.data_dir)?;
    let sources = Sources::new()
        .file(dir.config())
        .environment(environment::variables());
    let (config, settings, warnings) = configuration::read(&sources)?;
    let _logs = Logs::start(&config, &arguments.logging, "keystone")?;
    configuration::log(&warnings);

    let chosen = arguments.admin_password.filter(|it| !it.is_empty());
    let keystone = prepare(&settings).await?;
    let password = bootstrap(&keystone, &dir, &url, chosen).await?;
    dir.write("clouds.yaml", &clouds_yaml(&url, &password))?;
    dir.write("admin-openrc", &openrc(&url, &password))?;
    print_credentials(&dir, &url, &password);
    let traffic = Traffic::new(connection_limit(None));
    listeners.serve(&keystone, None, &traffic).await
}

/// Brings the schema up to date and creates missing keys.
async fn prepare(settings: &keystone::Settings) -> Result<Keystone> {
    let built = Keystone::builder()
        .settings(settings.clone())
        .migrate(true)
        .set_up_keys(true);
    let built = built.build().await;
    built.map_err(|error| CommandError::new(with_causes(&error)))
}

/// Bootstraps on the first start and when a password is given; otherwise only updates the endpoints when the address has
/// changed.
async fn bootstrap(
    keystone: &Keystone,
    dir: &DataDir,
    url: &str,
    given: Option<String>,
) -> Result<Secret> {
    let kept = dir.read("admin-password")?;
    let first = kept.is_none();
    let chosen = given.is_some();
    let password = match given.or(kept) {
        Some(password) => password,
        None => data_dir::new_password()?,
    };
    let wanted = Bootstrap::new(password.as_str())
        .region("RegionOne")
        .url(url);
    if first || chosen {
        keystone.bootstrap(&wanted).await?;
        // Last, so that an interrupted first start is repeated by the next one.
        dir.write("admin-password", &password)?;
    } else if dir.read("url")?.as_deref() != Some(url) {
        keystone.bootstrap_endpoints(&wanted).await?;
    }
    dir.write("url", url)?;
    Ok(password.into())
}

fn print_credentials(dir: &DataDir, url: &str, password: &Secret) {
    let path = dir.path().display();
    print(&format!(
        "# Keystone is ready on {url}; its data is in {path}.\n\
         # To use it:  source {path}/admin-openrc  or  export OS_CLIENT_CONFIG_FILE={path}/clouds.yaml OS_CLOUD=keystone-dev\n\n\
         {}\n# clouds.yaml\n{}",
        openrc(url, password),
        clouds_yaml(url, password),
    ));
}

/// The address that a client on this machine connects to.
fn client_address(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
