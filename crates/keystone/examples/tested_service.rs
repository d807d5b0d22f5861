//! A service of its own, and its tests against a real Keystone in place of a fake.
//!
//! ```text
//! cargo test -p keystone --example tested_service
//! ```
//!
//! The service keeps notes: everybody with a role on a project may read the notes of the project, and members may write. Each
//! test below has a cloud of its own, which is ready in less than a tenth of a second. `cargo run -p keystone --example
//! tested_service` serves it with such a cloud, and prints how to use it.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use keystone::Keystone;
use keystone::types::{NotValidated, Validate, Wanted};
use serde_json::Value;
use tokio::net::TcpListener;

/// The service: `validator` says which tokens are valid, a Keystone in this process or one that is asked over HTTP.
#[derive(Debug)]
struct Notes<V> {
    validator: V,
    /// By project.
    notes: Mutex<HashMap<String, Vec<String>>>,
}

/// A caller on a project.
#[derive(Debug)]
struct Caller {
    project_id: String,
    roles: Vec<String>,
}

fn app<V: Validate + 'static>(validator: V) -> Router {
    let notes = Mutex::default();
    Router::new()
        .route("/notes", get(read::<V>).post(write::<V>))
        .with_state(Arc::new(Notes { validator, notes }))
}

async fn read<V: Validate>(
    State(service): State<Arc<Notes<V>>>,
    headers: HeaderMap,
) -> Result<String, StatusCode> {
    let caller = service.caller(&headers).await?;
    let notes = service.notes.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Value::from(notes.get(&caller.project_id).cloned().unwrap_or_default()).to_string())
}

async fn write<V: Validate>(
    State(service): State<Arc<Notes<V>>>,
    headers: HeaderMap,
    note: String,
) -> Result<StatusCode, StatusCode> {
    let caller = service.caller(&headers).await?;
    if !caller.roles.iter().any(|role| role == "member") {
        return Err(StatusCode::FORBIDDEN);
    }
    let mut notes = service.notes.lock().unwrap_or_else(PoisonError::into_inner);
    notes.entry(caller.project_id).or_default().push(note);
    Ok(StatusCode::CREATED)
}

impl<V: Validate> Notes<V> {
    /// The holder of the token in the request, which must be for a project.
    async fn caller(&self, headers: &HeaderMap) -> Result<Caller, StatusCode> {
        let token = headers.get("x-auth-token").and_then(|it| it.to_str().ok());
        let token = token.ok_or(StatusCode::UNAUTHORIZED)?;
        let body = match self.validator.validate(token, Wanted::default()).await {
            Ok(body) => body,
            Err(NotValidated::Invalid) => return Err(StatusCode::UNAUTHORIZED),
            Err(_) => return Err(StatusCode::SERVICE_UNAVAILABLE),
        };
        let body: Value = serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_GATEWAY)?;
        let token = &body["token"];
        let project_id = token["project"]["id"].as_str();
        let roles = token["roles"].as_array().into_iter().flatten();
        Ok(Caller {
            project_id: project_id.ok_or(StatusCode::FORBIDDEN)?.to_owned(),
            roles: roles
                .filter_map(|role| role["name"].as_str().map(str::to_owned))
                .collect(),
        })
    }
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "it is how this program is used")]
async fn main() -> Result<(), Box<dyn Error>> {
    let cloud = Keystone::ephemeral().await?;
    cloud.grant("alice", "laboratory", "member").await?;
    let token = cloud.token("alice", "laboratory").await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/notes", listener.local_addr()?);
    println!("curl -H 'X-Auth-Token: {token}' -d 'a note' {url}");
    println!("curl -H 'X-Auth-Token: {token}' {url}");
    axum::serve(listener, app(cloud.keystone().validator())).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use chrono::Duration;
    use keystone::Ephemeral;
    use keystone::types::Result;
    use tower::ServiceExt as _;

    use super::*;

    /// The cloud and the service of a test.
    struct World {
        cloud: Ephemeral,
        app: Router,
    }

    impl World {
        async fn new() -> Self {
            let cloud = Keystone::ephemeral().await.expect("a cloud in memory");
            let app = app(cloud.keystone().validator());
            Self { cloud, app }
        }

        async fn write(&self, token: &str, note: &'static str) -> u16 {
            self.send(Request::post("/notes"), token, note).await.0
        }

        async fn read(&self, token: &str) -> (u16, String) {
            self.send(Request::get("/notes"), token, "").await
        }

        async fn send(
            &self,
            request: axum::http::request::Builder,
            token: &str,
            body: &'static str,
        ) -> (u16, String) {
            let request = request.header("x-auth-token", token);
            let request = request.body(Body::from(body)).expect("it is well-formed");
            let answered = self.app.clone().oneshot(request).await;
            let answer = answered.unwrap_or_else(|never| match never {});
            let status = answer.status().as_u16();
            let body = to_bytes(answer.into_body(), 1 << 20).await;
            let body = String::from_utf8(body.expect("it is in memory").into());
            (status, body.expect("it is JSON"))
        }
    }

    #[tokio::test]
    async fn members_write_and_readers_read() -> Result<()> {
        let world = World::new().await;
        let cloud = &world.cloud;
        cloud.grant("alice", "laboratory", "member").await?;
        cloud.grant("bob", "laboratory", "reader").await?;
        let alice = cloud.token("alice", "laboratory").await?;
        let bob = cloud.token("bob", "laboratory").await?;
        assert_eq!(world.write(&alice, "one").await, 201);
        assert_eq!(world.write(&bob, "two").await, 403);
        assert_eq!(world.read(&bob).await, (200, r#"["one"]"#.to_owned()));
        Ok(())
    }

    #[tokio::test]
    async fn projects_see_nothing_of_each_other() -> Result<()> {
        let world = World::new().await;
        let cloud = &world.cloud;
        for project in ["laboratory", "office"] {
            cloud.grant("alice", project, "member").await?;
        }
        let laboratory = cloud.token("alice", "laboratory").await?;
        let office = cloud.token("alice", "office").await?;
        assert_eq!(world.write(&laboratory, "one").await, 201);
        assert_eq!(world.read(&office).await, (200, "[]".to_owned()));
        Ok(())
    }

    #[tokio::test]
    async fn a_token_ends_with_its_time_with_its_role_and_with_its_user() -> Result<()> {
        let world = World::new().await;
        let cloud = &world.cloud;
        cloud.grant("alice", "laboratory", "member").await?;
        let identity = cloud.keystone().identity();

        let token = cloud.token("alice", "laboratory").await?;
        assert_eq!(world.read(&token).await.0, 200);
        cloud.advance(Duration::hours(2));
        assert_eq!(world.read(&token).await.0, 401);

        let token = cloud.token("alice", "laboratory").await?;
        assert_eq!(world.read(&token).await.0, 200);
        let alice = cloud.user("alice").await?;
        identity.delete_user(&alice.id).await?;
        assert_eq!(world.read(&token).await.0, 401);
        assert_eq!(world.read("no token").await.0, 401);
        Ok(())
    }

    #[tokio::test]
    async fn without_keystone_the_service_is_unavailable() -> Result<()> {
        let world = World::new().await;
        let token = world.cloud.admin_token().await?;
        world.cloud.keystone().shutdown().await;
        assert_eq!(world.read(&token).await.0, 503);
        Ok(())
    }
}
