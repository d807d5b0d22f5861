//! Services behind the guard that tell which headers came through to them: `tests/middleware/run` compares them with
//! services behind Python's middleware.
//!
//! It takes a JSON text: the Keystone, the service user, and for each service its port and the options that differ
//! from their defaults, as `[keystone_authtoken]` names them.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderMap;
use keystone_middleware::{Remote, ServiceUser, TokenLayer, Tokens};
use serde::Deserialize;
use tokio::net::TcpListener;

#[derive(Deserialize)]
struct Settings {
    auth_url: String,
    username: String,
    password: String,
    project_name: String,
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
async fn main() -> Result<(), Box<dyn Error>> {
    let text = std::env::args().nth(1).ok_or("usage: guarded SETTINGS")?;
    let settings: Settings = serde_json::from_str(&text)?;
    let mut servers = Vec::new();
    for options in &settings.services {
        let service = Router::new()
            .fallback(tell)
            .layer(guard(&settings, options)?);
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

fn guard(settings: &Settings, options: &Options) -> Result<TokenLayer<Remote>, Box<dyn Error>> {
    let user = ServiceUser::password(&settings.username, &settings.password);
    let user = user.project_name(&settings.project_name);
    let mut remote = Remote::builder(&settings.auth_url, user);
    if let Some(seconds) = options.http_connect_timeout {
        remote = remote.timeout(Duration::from_secs(seconds));
    }
    if let Some(retries) = options.http_request_max_retries {
        remote = remote.retries(retries);
    }
    let mut tokens = Tokens::new(remote.build()?);
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
    Ok(guard)
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
