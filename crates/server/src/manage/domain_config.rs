//! `domain_config_upload`: the files of domains become their configuration in the database.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use keystone::identity::Identity;
use keystone::storage::schema;
use keystone::types::{Clock, Error};
use keystone_config::file_options;
use serde_json::json;

use crate::configuration::Configuration;
use crate::error::{CommandError, Result, with_causes};
use crate::terminal::print;
use crate::{readiness, serve};

#[derive(Clone, Debug, Args)]
pub(crate) struct UploadArguments {
    /// Every file keystone.DOMAIN.conf below `[identity] domain_config_dir`.
    #[arg(long)]
    all: bool,
    /// The file of this domain alone.
    #[arg(long)]
    domain_name: Option<String>,
}

/// The texts are those of `keystone.cmd.cli`, which prints them on standard output.
pub(super) async fn upload(
    arguments: UploadArguments,
    configuration: &Configuration,
) -> Result<()> {
    let unusable = |text: &str| {
        print(text);
        Err(CommandError::new("nothing was uploaded"))
    };
    let dir = Path::new(configuration.config.string("identity", "domain_config_dir"));
    let settings = &configuration.settings;
    let db = serve::connect(&settings.database).await?;
    readiness::check_schema(&schema::state(&db).await?)?;
    let identity = Identity::new(db, Clock::system(), settings.identity.clone(), [])?;
    if !arguments.all && arguments.domain_name.is_none() {
        return unusable("At least one option must be provided, use either --all or --domain-name");
    }
    if arguments.all && arguments.domain_name.is_some() {
        return unusable("The --all option cannot be used with the --domain-name option");
    }
    if !dir.exists() {
        let shown = dir.display();
        return unusable(&format!(
            "Unable to locate domain config directory: {shown}"
        ));
    }
    let files = match arguments.domain_name {
        Some(domain) => vec![(dir.join(format!("keystone.{domain}.conf")), domain)],
        None => files_below(dir)?,
    };
    let mut uploaded = 0;
    for (file, domain) in &files {
        if upload_file(&identity, file, domain).await? {
            tracing::info!(domain, file = %file.display(), "uploaded the configuration of the domain");
            uploaded += 1;
        }
    }
    if uploaded == 0 {
        tracing::warn!(path = %dir.display(), "no domain configs uploaded");
    }
    match files.len() - uploaded {
        0 => Ok(()),
        failed => Err(CommandError::new(format!(
            "{failed} of {} files were not uploaded",
            files.len()
        ))),
    }
}

/// Whether the file is the configuration of its domain now.
async fn upload_file(identity: &Identity, file: &Path, domain: &str) -> Result<bool> {
    let shown = file.display();
    let refuse = |text: String| {
        print(&text);
        Ok(false)
    };
    let id = match identity.domain_by_name(domain).await {
        Ok(found) => found.id,
        Err(Error::NotFound { .. }) => {
            return refuse(format!(
                "Invalid domain name: {domain} found in config file name: {shown} - ignoring this file."
            ));
        }
        Err(error) => return Err(error.into()),
    };
    let options = match file_options(file) {
        Ok(options) => options,
        Err(problems) => {
            tracing::error!("{problems}");
            return refuse(format!(
                "Error parsing configuration file for domain: {domain}, file: {shown}."
            ));
        }
    };
    match identity.add_domain_config(&id, &json!(options)).await {
        Ok(true) => Ok(true),
        Ok(false) => refuse(format!(
            "Domain: {domain} already has a configuration defined - ignoring file: {shown}."
        )),
        Err(error) => {
            tracing::error!(
                domain,
                file = %shown,
                error = with_causes(&error),
                "the file can't be the configuration of the domain: correct it"
            );
            Ok(false)
        }
    }
}

/// The files of domains with their names, also in directories further below, as in Keystone.
fn files_below(dir: &Path) -> Result<Vec<(PathBuf, String)>> {
    let unreadable = |path: &Path, error: std::io::Error| {
        CommandError::new(format!("{}: {error}", path.display()))
    };
    let mut files = Vec::new();
    let mut directories = vec![dir.to_owned()];
    while let Some(dir) = directories.pop() {
        for entry in fs::read_dir(&dir).map_err(|error| unreadable(&dir, error))? {
            let path = entry.map_err(|error| unreadable(&dir, error))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let domain = name
                .strip_prefix("keystone.")
                .and_then(|rest| rest.strip_suffix(".conf"));
            if path.is_dir() {
                directories.push(path);
            } else if let Some(domain) = domain {
                files.push((path.clone(), domain.to_owned()));
            } else {
                tracing::warn!(file = %path.display(), "ignored: its name is not keystone.DOMAIN.conf");
            }
        }
    }
    files.sort();
    Ok(files)
}
