#![doc = include_str!("../README.md")]

mod body;
mod context;
mod cors;
mod discovery;
mod error;
mod forwarded;
mod health;
mod html;
mod listing;
mod metrics;
mod middleware;
mod path;
mod query;
mod routes;
mod schema;
mod settings;
mod trusted_proxy;
mod v3;

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{any, get};
use keystone_auth::Auth;
use keystone_catalog::Catalog;
use keystone_federation::Federation;
use keystone_identity::Identity;
use keystone_notify::Notifier;
use keystone_policy::Enforcer;
use tokio::sync::watch;
use tower::ServiceBuilder;

pub use axum::Router;
pub use context::RemoteChecks;
pub use cors::Cors;
pub use health::{Check, Health, Network};
pub use keystone_auth::Environment;
pub use listing::ListLimits;
pub use metrics::{Exposition, Requests};
pub use middleware::{Connection, Scheme, with_environment};
pub use routes::Route;
pub use settings::Settings;
pub use trusted_proxy::TrustedProxy;
pub use v3::{Page, RedirectPath, ServiceProvider, WebSso, redirect_path};

/// How many requests at a time go on where their clients leave. Clients can begin and leave more than they may have at a time.
const MOST_UNFINISHED: usize = 1000;

/// The services behind the routes.
#[derive(Clone, Debug)]
pub struct App {
    /// Users, projects, roles …
    pub identity: Identity,
    /// Services and endpoints.
    pub catalog: Catalog,
    /// Identity providers, mappings and service providers.
    pub federation: Federation,
    /// Tokens.
    pub auth: Auth,
    /// The rules that decide what a caller may do.
    pub policy: Arc<Enforcer>,
    /// Where rules ask other servers.
    pub remote_checks: RemoteChecks,
    /// The identity providers that this server asks itself, by their ids.
    pub oidc: BTreeMap<String, Oidc>,
    /// This cloud as the service provider of others, by SAML.
    pub saml: Option<Arc<ServiceProvider>>,
    /// Announces changes and logins; none where no sink is configured.
    pub notifier: Option<Notifier>,
    /// The operator's settings for HTTP.
    pub settings: Arc<Settings>,
}

impl App {
    /// Whether messages of identity providers come to this server, which count once: see [`Identity::use_message`].
    pub fn uses_messages(&self) -> bool {
        self.saml.is_some() || !self.oidc.is_empty()
    }
}

/// An identity provider that this server asks itself by OpenID Connect.
#[derive(Clone, Debug)]
pub struct Oidc {
    /// The provider.
    pub provider: keystone_oidc::Provider,
    /// The protocol by which it logs users in; the provider's other protocols are those of a web server in front.
    pub protocol: String,
    /// Where the provider sends browsers back to, if that is not [`redirect_path`].
    pub redirect_path: Option<RedirectPath>,
}

/// The services in force: a request keeps those that it began with when they are replaced.
#[derive(Clone, Debug)]
pub struct Live(Arc<Services>);

#[derive(Debug)]
struct Services {
    app: ArcSwap<App>,
    requests: Requests,
    /// Each request that goes on without its client holds a receiver, whose drop signals its end.
    unfinished: watch::Sender<()>,
}

impl Live {
    /// Puts services into force.
    pub fn new(app: App) -> Self {
        Self(Arc::new(Services {
            app: ArcSwap::from_pointee(app),
            requests: Requests::new(),
            unfinished: watch::Sender::new(()),
        }))
    }

    /// Replaces them.
    pub fn replace(&self, app: App) {
        self.0.app.store(Arc::new(app));
    }

    /// The services in force now.
    pub fn app(&self) -> Arc<App> {
        self.0.app.load_full()
    }

    /// The requests answered so far.
    pub fn requests(&self) -> &Requests {
        &self.0.requests
    }

    /// Returns once the requests are answered that go on where their clients leave: those that may change something, where that
    /// is announced.
    pub async fn finished(&self) {
        self.0.unfinished.closed().await;
    }

    /// A place among those; none where there are too many.
    pub(crate) fn unfinished(&self) -> Option<watch::Receiver<()>> {
        let unfinished = &self.0.unfinished;
        (unfinished.receiver_count() < MOST_UNFINISHED).then(|| unfinished.subscribe())
    }

    /// The same without keeping them: for work that is to end once no router is left.
    pub fn downgrade(&self) -> WeakLive {
        WeakLive(Arc::downgrade(&self.0))
    }
}

/// The services in force, while anybody else needs them.
#[derive(Clone, Debug)]
pub struct WeakLive(Weak<Services>);

impl WeakLive {
    /// The services in force now; none once nobody needs them any more.
    pub fn app(&self) -> Option<Arc<App>> {
        Some(self.0.upgrade()?.app.load_full())
    }
}

/// The table of Keystone's routes below `/v3`.
pub fn routes() -> Vec<Route> {
    v3::routes().table
}

/// Whether a path is one of Keystone's, or one of this server's own.
pub fn is_route(path: &str) -> bool {
    let table = v3::routes().merge(v3::own_routes()).table;
    table.iter().any(|route| route.fits(path))
}

/// The whole API; it can be nested below a prefix.
pub fn router(live: Live) -> Router {
    let routes = Router::new()
        .route("/", get(versions))
        .route("/v3", get(version))
        .route("/healthcheck", any(health::show))
        .route("/healthcheck/{*below}", any(health::show))
        .route("/static/{*file}", get(middleware::no_route))
        .merge(v3::routes().merge(v3::own_routes()).into_router())
        .fallback(middleware::no_route)
        .with_state(live.clone());
    // Around the router rather than in it: before routing, and after it has said what it allows.
    let service = ServiceBuilder::new()
        .map_request(path::normalize)
        .layer(from_fn_with_state(live, middleware::handle))
        .layer(from_fn_with_state(routes.clone(), path::redirect))
        .service(routes);
    Router::new().fallback_service(service)
}

async fn versions(request: Request) -> Response {
    discover(&request, discovery::versions)
}

async fn version(request: Request) -> Response {
    discover(&request, discovery::v3)
}

fn discover(request: &Request, answer: fn(Option<&str>, &str) -> Response) -> Response {
    let base = request
        .extensions()
        .get::<middleware::BaseUrl>()
        .map(|base| base.public.as_str());
    answer(
        middleware::header_text(request.headers(), "accept"),
        base.unwrap_or_default(),
    )
}
