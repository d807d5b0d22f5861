//! `bootstrap`: the first domain, project, user, roles and endpoints.

use std::collections::HashMap;

use clap::Args;
use keystone::Bootstrap;
use keystone::types::Secret;

use crate::configuration::Configuration;
use crate::error::{CommandError, Result};
use crate::terminal::{ask_for_new_password, print};
use crate::{environment, serve};

/// The environment variable that a flag's help names wins over the flag.
#[derive(Clone, Args)]
pub(crate) struct Arguments {
    /// The administrator's name.
    #[arg(long, value_name = "OS_BOOTSTRAP_USERNAME", default_value = "admin")]
    bootstrap_username: String,
    /// The administrator's password; safer in the variable, or typed at the prompt.
    #[arg(long, value_name = "OS_BOOTSTRAP_PASSWORD")]
    bootstrap_password: Option<String>,
    /// The administrator's project.
    #[arg(
        long,
        value_name = "OS_BOOTSTRAP_PROJECT_NAME",
        default_value = "admin"
    )]
    bootstrap_project_name: String,
    /// The administrator's role.
    #[arg(long, value_name = "OS_BOOTSTRAP_ROLE_NAME", default_value = "admin")]
    bootstrap_role_name: String,
    /// The name of the identity service.
    #[arg(
        long,
        value_name = "OS_BOOTSTRAP_SERVICE_NAME",
        default_value = "keystone"
    )]
    bootstrap_service_name: String,
    /// The URL of the admin endpoint.
    #[arg(long, value_name = "OS_BOOTSTRAP_ADMIN_URL")]
    bootstrap_admin_url: Option<String>,
    /// The URL of the public endpoint.
    #[arg(long, value_name = "OS_BOOTSTRAP_PUBLIC_URL")]
    bootstrap_public_url: Option<String>,
    /// The URL of the internal endpoint.
    #[arg(long, value_name = "OS_BOOTSTRAP_INTERNAL_URL")]
    bootstrap_internal_url: Option<String>,
    /// The region of the endpoints.
    #[arg(long, value_name = "OS_BOOTSTRAP_REGION_ID")]
    bootstrap_region_id: Option<String>,
    /// Make new roles immutable; the default.
    #[arg(long)]
    immutable_roles: bool,
    /// Don't make new roles immutable.
    #[arg(long)]
    no_immutable_roles: bool,
}

impl std::fmt::Debug for Arguments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arguments").finish_non_exhaustive()
    }
}

impl Arguments {
    fn wanted(self, password: Secret, variables: &HashMap<String, String>) -> Bootstrap {
        let optional = |name: &str, given: Option<String>| {
            let given = given.filter(|text| !text.is_empty());
            variable(variables, name).or(given)
        };
        let text = |name: &str, given: String| variable(variables, name).unwrap_or(given);
        Bootstrap {
            username: text("USERNAME", self.bootstrap_username),
            password,
            project_name: text("PROJECT_NAME", self.bootstrap_project_name),
            role_name: text("ROLE_NAME", self.bootstrap_role_name),
            service_name: text("SERVICE_NAME", self.bootstrap_service_name),
            region_id: optional("REGION_ID", self.bootstrap_region_id),
            public_url: optional("PUBLIC_URL", self.bootstrap_public_url),
            internal_url: optional("INTERNAL_URL", self.bootstrap_internal_url),
            admin_url: optional("ADMIN_URL", self.bootstrap_admin_url),
            immutable_roles: !self.no_immutable_roles,
        }
    }
}

/// An environment variable that is set and not empty.
fn variable(variables: &HashMap<String, String>, name: &str) -> Option<String> {
    let value = variables.get(&format!("OS_BOOTSTRAP_{name}"))?;
    (!value.is_empty()).then(|| value.clone())
}

pub(super) async fn run(mut arguments: Arguments, configuration: &Configuration) -> Result<()> {
    let variables = environment::variables();
    let given = arguments.bootstrap_password.take();
    let given = given.filter(|password| !password.is_empty());
    if given.is_some() {
        tracing::warn!(
            "every user of this machine could read the password on the command line: use OS_BOOTSTRAP_PASSWORD instead"
        );
    }
    let password = match variable(&variables, "PASSWORD").or(given) {
        Some(password) => Some(password.into()),
        None => ask_for_new_password("Password of the administrator")?,
    };
    let Some(password) = password else {
        // Keystone's text, which it prints on standard output (`keystone.cmd.cli`).
        let text =
            "ERROR: Either --bootstrap-password argument or OS_BOOTSTRAP_PASSWORD must be set.";
        print(text);
        return Err(CommandError::new("no password was given"));
    };
    let keystone = serve::open(&configuration.settings).await?;
    let wanted = arguments.wanted(password, &variables);
    let done = keystone.bootstrap(&wanted).await;
    // Sends what was announced.
    keystone.shutdown().await;
    done?;
    Ok(())
}
