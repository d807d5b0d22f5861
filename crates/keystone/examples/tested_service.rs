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
use axum::http::StatusCode;
use axum::routing::get;
use keystone::Keystone;
use keystone::types::Validate;
use keystone_middleware::{Token, TokenLayer};
use serde_json::Value;
use tokio::net::TcpListener;

/// The notes by project; clones share them.
#[derive(Clone, Debug, Default)]
struct Notes(Arc<Mutex<HashMap<String, Vec<String>>>>);

/// The service. `validator` says which tokens are valid: a Keystone in this process, or one that is asked over HTTP.
fn app<V: Validate + 'static>(validator: V) -> Router {
    Router::new()
        .route("/notes", get(read).post(write))
        .layer(TokenLayer::new(validator))
        .with_state(Notes::default())
}

async fn read(token: Token, State(notes): State<Notes>) -> Result<String, StatusCode> {
    let notes = notes.0.lock().unwrap_or_else(PoisonError::into_inner);
    let notes = notes.get(project(&token)?).cloned();
    Ok(Value::from(notes.unwrap_or_default()).to_string())
}

async fn write(
    token: Token,
    State(notes): State<Notes>,
    note: String,
) -> Result<StatusCode, StatusCode> {
    let project = project(&token)?;
    if !token.has_role("member") {
        return Err(StatusCode::FORBIDDEN);
    }
    let mut notes = notes.0.lock().unwrap_or_else(PoisonError::into_inner);
    notes.entry(project.to_owned()).or_default().push(note);
    Ok(StatusCode::CREATED)
}

/// The project of the token, which has to have one.
fn project(token: &Token) -> Result<&str, StatusCode> {
    let project = token.project.as_ref().ok_or(StatusCode::FORBIDDEN)?;
    Ok(&project.id)
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
    use keystone::identity::{Actor, Grant, GrantTarget, Inheritance};
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
        let project = cloud.project("laboratory").await?;
        let grant = Grant {
            actor: Actor::User(alice.id.clone()),
            target: GrantTarget::Project(project.id, Inheritance::Direct),
        };
        let member = cloud.role("member").await?;
        identity.delete_grant(&grant, &member.id).await?;
        assert_eq!(world.read(&token).await.0, 401);

        cloud.grant("alice", "laboratory", "member").await?;
        let token = cloud.token("alice", "laboratory").await?;
        assert_eq!(world.read(&token).await.0, 200);
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
