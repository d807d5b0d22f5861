//! An application of its own with a whole Keystone below `/identity`.
//!
//! ```text
//! cargo run -p keystone --example nested -- 127.0.0.1:8080
//! ```
//!
//! It prints the `OS_*` variables with which the `openstack` client uses it. Its data is in memory; for a Keystone that
//! stays, give the builder a database, a key directory, `migrate(true)`, `set_up_keys(true)` and `housekeeping(true)`.

use std::error::Error;

use axum::Router;
use axum::routing::get;
use keystone::{Bootstrap, Keystone};
use tokio::net::TcpListener;

const PASSWORD: &str = "secret";

#[tokio::main]
#[expect(clippy::print_stdout, reason = "it is how this program is used")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    let url = format!("http://{}/identity/v3", listener.local_addr()?);

    let keystone = Keystone::builder()
        .bootstrap(Bootstrap::new(PASSWORD).region("RegionOne").url(&url))
        .build()
        .await?;
    let app = Router::new()
        .route(
            "/",
            get(async || "An application. Its identities are below /identity."),
        )
        .nest_service("/identity", keystone.router());

    println!(
        "export OS_AUTH_URL={url} OS_IDENTITY_API_VERSION=3\n\
         export OS_USERNAME=admin OS_PASSWORD={PASSWORD} OS_USER_DOMAIN_ID=default\n\
         export OS_PROJECT_NAME=admin OS_PROJECT_DOMAIN_ID=default OS_REGION_NAME=RegionOne"
    );
    axum::serve(listener, app)
        .with_graceful_shutdown(interrupted())
        .await?;
    keystone.shutdown().await;
    Ok(())
}

async fn interrupted() {
    // Without a handler for the signal the process ends at once, which is fine for an example.
    tokio::signal::ctrl_c().await.ok();
}
