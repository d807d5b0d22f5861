//! Services behind the guard that tell which headers came through to them: `tests/middleware/run` compares them with
//! services behind Python's middleware.
//!
//! The variable `SETTINGS` has a JSON text: the Keystone, the service user, and for each service its port and the options that
//! differ from their defaults, as `[keystone_authtoken]` names them. With a `keystone_conf` the Keystone that is asked is
//! one in this process, on the database and with the keys of that file.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderMap;
use keystone::Keystone;
use keystone_config::{Config, ConfigSource, Sources};
use keystone_middleware::{Remote, RemoteError, ServiceUser, TokenLayer, Tokens, Validate};
use serde::Deserialize;
use tokio::net::TcpListener;

#[derive(Deserialize)]
struct Settings {
    auth_url: String,
    username: String,
    password: String,
    project_name: String,
    #[serde(default)]
    keystone_conf: Option<PathBuf>,
    services: Vec<Options>,
}

#[derive(Deserialize)]
struct Options {
    port: u16,
    #[serde(default)]
    delay_auth_decision: bool,
    #[serde(default)]
    service_type: Option<String>,
    #[serde(default = "yes")]
    service_token_roles_required: bool,
    #[serde(default)]
    token_cache_time: Option<i64>,
    #[serde(default)]
    http_connect_timeout: Option<u64>,
    #[serde(default)]
    http_request_max_retries: Option<u32>,
}

fn yes() -> bool {
    true
}

#[tokio::main]
#[expect(
    clippy::disallowed_methods,
    reason = "everybody on the machine sees the arguments of a program, but not its variables"
)]
async fn main() -> Result<(), Box<dyn Error>> {
    let settings: Settings = serde_json::from_str(&std::env::var("SETTINGS")?)?;
    let inside = match &settings.keystone_conf {
        Some(file) => Some(inside(file).await?),
        None => None,
    };
    let mut servers = Vec::new();
    for options in &settings.services {
        let service = Router::new().fallback(tell);
        let service = if let Some(keystone) = &inside {
            let guard = guard(Tokens::new(keystone.validator()), options);
            service.layer(guard.www_authenticate_uri(&settings.auth_url))
        } else {
            service.layer(guard(Tokens::new(remote(&settings, options)?), options))
        };
        let listener = TcpListener::bind(("127.0.0.1", options.port)).await?;
        servers.push(tokio::spawn(
            async move { axum::serve(listener, service).await },
        ));
    }
    for server in servers {
        server.await??;
    }
    Ok(())
}

/// A Keystone in this process.
async fn inside(file: &Path) -> Result<Keystone, Box<dyn Error>> {
    let sources = Sources::new().with(ConfigSource::File(file.into()));
    let (config, _) = Config::load(&sources)?;
    let (settings, _) = config.settings(&sources)?;
    Ok(Keystone::builder().settings(settings).build().await?)
}

/// A Keystone that is asked over HTTP.
fn remote(settings: &Settings, options: &Options) -> Result<Remote, RemoteError> {
    let user = ServiceUser::password(&settings.username, &settings.password);
    let user = user.project_name(&settings.project_name);
    let mut remote = Remote::builder(&settings.auth_url, user);
    if let Some(seconds) = options.http_connect_timeout {
        remote = remote.timeout(Duration::from_secs(seconds));
    }
    if let Some(retries) = options.http_request_max_retries {
        remote = remote.retries(retries);
    }
    remote.build()
}

fn guard<V: Validate>(mut tokens: Tokens<V>, options: &Options) -> TokenLayer<V> {
    if let Some(seconds) = options.token_cache_time {
        let lifetime = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        tokens = tokens.keep_valid(lifetime).keep_invalid(lifetime);
    }
    let mut guard = TokenLayer::over(Arc::new(tokens))
        .delay_auth_decision(options.delay_auth_decision)
        .service_token_roles_required(options.service_token_roles_required);
    if let Some(service_type) = &options.service_type {
        guard = guard.service_type(service_type);
    }
    guard
}

/// The headers that came through, but for tokens.
async fn tell(headers: HeaderMap) -> String {
    let told = headers.iter().filter(|(name, _)| {
        let name = name.as_str();
        (name.starts_with('x') || name.starts_with("openstack")) && !name.ends_with("-token")
    });
    let told = told.map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.to_string(), value)
    });
    serde_json::json!(told.collect::<BTreeMap<_, _>>()).to_string()
}
