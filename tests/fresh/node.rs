//! A node of the server that takes another way to memory than users can choose: what the long run compares with.

use std::env;
use std::error::Error;

use axum::serve::ListenerExt;
use keystone::Keystone;
use keystone::cache::Mode;
use keystone_config::{Config, ConfigSource, Sources};
use tokio::net::TcpListener;

/// `fresh_node database|ungated ADDRESS FILE`, the last of them a keystone.conf.
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [mode, address, file] = &arguments[..] else {
        return Err("usage: fresh_node MODE ADDRESS FILE".into());
    };
    let sources = Sources::new().with(ConfigSource::File(file.into()));
    let (config, _) = Config::load(&sources)?;
    let (mut settings, _) = config.settings(&sources)?;
    settings.cache.mode = match mode.as_str() {
        "database" => Mode::Database,
        "ungated" => Mode::Ungated,
        _ => return Err("the mode is database or ungated".into()),
    };
    let keystone = Keystone::builder().settings(settings).build().await?;
    // As the server does.
    let listener = TcpListener::bind(address).await?.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            eprintln!("TCP_NODELAY: {error}");
        }
    });
    axum::serve(listener, keystone.router()).await?;
    Ok(())
}
