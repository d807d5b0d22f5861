//! `policy explain`: why a token is allowed or denied what a rule is about.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use chrono::TimeDelta;
use clap::Args;
use keystone::auth::{AccessRule, AuthToken, Scope};

use super::{check_name, target};
use crate::configuration::Configuration;
use crate::error::{CommandError, Result};
use crate::terminal::print;
use crate::{environment, serve};

#[derive(Clone, Args)]
pub(crate) struct Explain {
    /// The token, or - for the first line of standard input; without it the one in `OS_TOKEN`. Every user of this machine can
    /// read the command line.
    #[arg(long)]
    token: Option<String>,
    /// The rule's name.
    #[arg(long, value_name = "NAME")]
    rule: String,
    /// JSON object: the target, nested or with dots in its names; without one it is empty.
    #[arg(long, value_name = "FILE")]
    target: Option<PathBuf>,
}

impl std::fmt::Debug for Explain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Explain").finish_non_exhaustive()
    }
}

pub(super) async fn run(asked: Explain, configuration: &Configuration) -> Result<ExitCode> {
    let token = match asked.token.as_deref() {
        Some("-") => from_stdin()?,
        Some(token) => token.to_owned(),
        None => environment::variables().remove("OS_TOKEN").ok_or_else(|| {
            CommandError::new("no token was given: set OS_TOKEN, or write it to `--token -`")
        })?,
    };
    if token.is_empty() {
        return Err(CommandError::new(
            "the token is empty: set OS_TOKEN, or write it to `--token -`",
        ));
    }
    let target = target(asked.target.as_deref())?;
    let keystone = serve::open(&configuration.settings).await?;
    let (auth, rules) = (keystone.auth(), keystone.policy().rules());
    check_name(&rules, &asked.rule)?;
    let pass = auth.pass().await?;
    let found = auth.validate_with(pass, &token, TimeDelta::zero()).await;
    let token = found.map_err(|error| {
        let CommandError { text, .. } = error.into_error().into();
        // Keystone's text names the token.
        let text = text.replace(&token, "[redacted]");
        let text = text.trim_end_matches('.');
        CommandError::new(format!(
            "the token is not valid ({text}): it has expired or was revoked, its user, scope or roles are gone or disabled, or it is \
             from elsewhere"
        ))
    })?;
    print(&described(&token));
    // Before any rule, as for a request.
    if let Err(refused) = token.check_caller() {
        let CommandError { text, .. } = refused.into();
        print(&format!("{}: denied, {text}", asked.rule));
        return Ok(ExitCode::FAILURE);
    }
    let may_read = |path: &[&str]| rules.may_read(&asked.rule, path);
    let credentials = auth.policy_credentials(pass, &token, may_read).await?;
    let explanation = rules.explain(&asked.rule, &target, &credentials);
    print(explanation.to_string().trim_end());
    if let Some(rules) = token.access_rules() {
        let of = |it: &AccessRule| format!("  {} {} of {}", it.method, it.path, it.service);
        let lines: Vec<String> = rules.iter().map(of).collect();
        let lines = lines.join("\n");
        print(&format!(
            "Whatever the rule says, the access rules of the application credential let the token be used for nothing but:\n{lines}"
        ));
    }
    keystone.db().close().await;
    Ok(ExitCode::from(u8::from(explanation.answer.is_err())))
}

fn from_stdin() -> Result<String> {
    let mut line = String::new();
    io::stdin()
        .read_line(&mut line)
        .map_err(|error| CommandError::new(format!("no token could be read: {error}")))?;
    Ok(line.trim().to_owned())
}

/// Whose the token is, and what it is for.
fn described(token: &AuthToken) -> String {
    let user = &token.subject.user;
    let scope = match &token.scope {
        Scope::Unscoped => "none".to_owned(),
        Scope::System => "the system".to_owned(),
        Scope::Domain(domain) => format!("domain {} ({})", domain.name, domain.id),
        Scope::Project(project) => format!("project {} ({})", project.name, project.id),
    };
    let roles: Vec<&str> = token.roles.iter().map(|role| role.name.as_str()).collect();
    let roles = match roles.as_slice() {
        [] => "none".to_owned(),
        roles => roles.join(", "),
    };
    format!(
        "user: {} ({}) of domain {} ({})\nscope: {scope}\nroles: {roles}\nmethods: {}",
        user.name(),
        user.id,
        token.subject.domain.name,
        token.subject.domain.id,
        token.token.methods.join(", ")
    )
}
