//! A small image store, which the `openstack image` commands can use: `README.md` tells how to start it.
//!
//! Its routes are behind the guard. Its rules say who may do what, and `image_store.yaml` beside this file is an operator's
//! policy, which changes one of them.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path as Segment, RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use keystone_middleware::policy::{DefaultRule, Enforcer, Settings};
use keystone_middleware::{Clock, PolicyError, Remote, ServiceUser, Token, TokenLayer};
use keystone_types::{new_id, render_time};
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[tokio::main]
#[expect(
    clippy::disallowed_methods,
    reason = "everybody on the machine sees the arguments of a program, but not its variables"
)]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args()
        .nth(1)
        .ok_or("usage: image_store ADDRESS")?;
    let given = |name| std::env::var(name).map_err(|_| format!("{name} is not set"));
    let user = ServiceUser::password(given("OS_USERNAME")?, given("OS_PASSWORD")?);
    let user = user.project_name(given("OS_PROJECT_NAME")?);
    let settings = Settings {
        file: Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/image_store.yaml")),
        ..Settings::default()
    };
    let policy = Enforcer::with_defaults(rules(), settings)?;
    let guard = TokenLayer::new(Remote::new(&given("OS_AUTH_URL")?, user)?)
        .service_type("image")
        .policy(Arc::new(policy));
    let guarded = Router::new()
        .route("/v2/images", get(list).post(create))
        .route("/v2/images/{id}", get(show).delete(delete))
        .route("/v2/images/{id}/file", get(download).put(upload))
        .layer(guard)
        .with_state(Images::default());
    let base = format!("http://{address}");
    // Clients look for the versions before they have a token.
    let app = guarded.route("/", get(move || async move { versions(&base) }));
    let listener = TcpListener::bind(address).await?;
    let stopped = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    axum::serve(listener, app)
        .with_graceful_shutdown(stopped)
        .await?;
    Ok(())
}

/// Who may do what as long as no operator decides otherwise. The target is the image.
fn rules() -> Vec<DefaultRule> {
    vec![
        DefaultRule::new("admin", "role:admin"),
        DefaultRule::new("owner", "project_id:%(owner)s"),
        DefaultRule::new("image:list", "role:reader or role:member or rule:admin")
            .description("List images.")
            .operation("GET", "/v2/images"),
        DefaultRule::new(
            "image:show",
            "rule:admin or rule:owner or 'public':%(visibility)s",
        )
        .description("Show an image.")
        .operation("GET", "/v2/images/{id}")
        .operation("GET", "/v2/images/{id}/file"),
        DefaultRule::new("image:create", "(role:member or rule:admin) and rule:owner")
            .description("Create an image.")
            .operation("POST", "/v2/images"),
        DefaultRule::new("image:upload", "rule:image:create")
            .description("Store the data of an image.")
            .operation("PUT", "/v2/images/{id}/file"),
        DefaultRule::new("image:publish", "!")
            .description("Create an image that everybody sees.")
            .operation("POST", "/v2/images"),
        DefaultRule::new("image:delete", "rule:admin or (role:member and rule:owner)")
            .description("Delete an image.")
            .operation("DELETE", "/v2/images/{id}"),
    ]
}

/// The images by id; clones share them.
#[derive(Clone, Default)]
struct Images(Arc<Mutex<BTreeMap<String, Image>>>);

#[derive(Clone)]
struct Image {
    /// What clients see, and what rules are about.
    shown: Value,
    data: Bytes,
}

impl Images {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Image>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The image if the caller may see it: others must not learn of it.
    fn visible(&self, id: &str, token: &Token) -> Result<Image, Failure> {
        let image = self.all().get(id).cloned().ok_or(Failure::Missing)?;
        let seen = token.enforce("image:show", &image.shown);
        seen.map_err(|_| Failure::Missing)?;
        Ok(image)
    }
}

async fn list(
    token: Token,
    State(images): State<Images>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    token.enforce("image:list", &json!({}))?;
    let query = query.unwrap_or_default();
    let name = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "name");
    let mut shown: Vec<_> = images
        .all()
        .values()
        .map(|image| image.shown.clone())
        .collect();
    shown.retain(|image| {
        let wanted = name
            .as_ref()
            .is_none_or(|(_, name)| image["name"] == **name);
        wanted && token.enforce("image:show", image).is_ok()
    });
    Ok(answer(StatusCode::OK, &json!({ "images": shown })))
}

async fn create(
    token: Token,
    State(images): State<Images>,
    body: Bytes,
) -> Result<Response, Failure> {
    let owner = token.project.as_ref().map(|project| project.id.clone());
    let asked: Value = serde_json::from_slice(&body).map_err(|_| Failure::Malformed)?;
    let visibility = asked["visibility"].as_str().unwrap_or("private");
    let now = render_time(Clock::system().now());
    let image = json!({
        "id": new_id(),
        "name": asked["name"],
        "status": "queued",
        "visibility": visibility,
        "owner": owner,
        "container_format": asked["container_format"],
        "disk_format": asked["disk_format"],
        "protected": false,
        "tags": [],
        "created_at": now,
        "updated_at": now,
    });
    token.enforce("image:create", &image)?;
    if visibility == "public" {
        token.enforce("image:publish", &image)?;
    }
    let id = image["id"].as_str().unwrap_or_default().to_owned();
    let answer = answer(StatusCode::CREATED, &image);
    let (shown, data) = (image, Bytes::new());
    images.all().insert(id, Image { shown, data });
    Ok(answer)
}

async fn show(
    token: Token,
    State(images): State<Images>,
    Segment(id): Segment<String>,
) -> Result<Response, Failure> {
    let image = images.visible(&id, &token)?;
    Ok(answer(StatusCode::OK, &image.shown))
}

async fn download(
    token: Token,
    State(images): State<Images>,
    Segment(id): Segment<String>,
) -> Result<Bytes, Failure> {
    Ok(images.visible(&id, &token)?.data)
}

async fn upload(
    token: Token,
    State(images): State<Images>,
    Segment(id): Segment<String>,
    data: Bytes,
) -> Result<StatusCode, Failure> {
    let mut image = images.visible(&id, &token)?;
    token.enforce("image:upload", &image.shown)?;
    image.shown["status"] = json!("active");
    image.shown["size"] = json!(data.len());
    image.data = data;
    images.all().insert(id, image);
    Ok(StatusCode::NO_CONTENT)
}

async fn delete(
    token: Token,
    State(images): State<Images>,
    Segment(id): Segment<String>,
) -> Result<StatusCode, Failure> {
    let image = images.visible(&id, &token)?;
    token.enforce("image:delete", &image.shown)?;
    images.all().remove(&id);
    Ok(StatusCode::NO_CONTENT)
}

/// The answer of an image service to clients that look for its versions.
fn versions(base: &str) -> Response {
    let links = json!([{ "rel": "self", "href": format!("{base}/v2/") }]);
    let version = json!({ "id": "v2.0", "status": "CURRENT", "links": links });
    answer(
        StatusCode::MULTIPLE_CHOICES,
        &json!({ "versions": [version] }),
    )
}

fn answer(status: StatusCode, body: &Value) -> Response {
    let json = [(CONTENT_TYPE, "application/json")];
    (status, json, body.to_string()).into_response()
}

/// Why a request fails.
enum Failure {
    Policy(PolicyError),
    Missing,
    Malformed,
}

impl From<PolicyError> for Failure {
    fn from(error: PolicyError) -> Self {
        Self::Policy(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Policy(error) => error.into_response(),
            Self::Missing => (StatusCode::NOT_FOUND, "There is no such image.").into_response(),
            Self::Malformed => (StatusCode::BAD_REQUEST, "That is no JSON.").into_response(),
        }
    }
}
