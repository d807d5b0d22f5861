//! Routes as data: what builds the router also tells which methods each path has.

use std::collections::HashSet;
use std::fmt;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter};
use keystone_types::Error;

use crate::context::route_key;
use crate::error::ApiError;
use crate::{Live, body};

/// The routes of one family or of the whole API.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    pub(crate) table: Vec<Route>,
    /// The keys of the routes that rename attributes.
    renaming: HashSet<String>,
    router: Router<Live>,
}

/// A path below `/v3` that is served.
#[derive(Clone, Debug)]
pub struct Route {
    /// With parameters in braces, as `/v3/users/{user_id}`.
    pub path: &'static str,
    /// Its methods; `HEAD` comes with `GET`.
    pub methods: Vec<Method>,
}

impl Route {
    /// Whether a path is one of this route's.
    pub(crate) fn fits(&self, path: &str) -> bool {
        let (own, other) = (self.path.split('/'), path.split('/'));
        own.clone().count() == other.clone().count()
            && own
                .zip(other)
                .all(|(own, other)| own.starts_with('{') || own == other)
    }
}

/// The handlers of a path.
#[derive(Debug, Default)]
pub(crate) struct Handlers {
    methods: Vec<Method>,
    renaming: Vec<Method>,
    router: MethodRouter<Live>,
}

/// What axum's functions as handlers return.
type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

/// A handler behind one type, so that axum's machinery is compiled once instead of for each of some hundred handlers.
#[derive(Clone)]
struct AnyHandler(Arc<dyn Fn(Request, Live) -> Answering + Send + Sync>);

impl fmt::Debug for AnyHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyHandler")
    }
}

impl Handler<(), Live> for AnyHandler {
    type Future = Answering;

    fn call(self, request: Request, live: Live) -> Answering {
        (self.0)(request, live)
    }
}

impl Routes {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Serves a path.
    pub(crate) fn route(mut self, path: &'static str, at: Handlers) -> Self {
        let renaming = at.renaming.iter().map(|method| route_key(method, path));
        self.renaming.extend(renaming);
        self.router = self.router.route(path, at.router);
        let methods = at.methods;
        self.table.push(Route { path, methods });
        self
    }

    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.table.extend(other.table);
        self.renaming.extend(other.renaming);
        self.router = self.router.merge(other.router);
        self
    }

    /// The router, which reads the body of each request before its handler runs.
    pub(crate) fn into_router(self) -> Router<Live> {
        let read = from_fn_with_state(Arc::new(self.renaming), body::read);
        self.router.route_layer(read)
    }
}

impl Handlers {
    fn on<T: 'static>(
        self,
        method: Method,
        handler: impl Handler<T, Live, Future = Answering>,
    ) -> Self {
        let call = move |request, live| handler.clone().call(request, live);
        self.add(method, AnyHandler(Arc::new(call)))
    }

    fn add(mut self, method: Method, handler: AnyHandler) -> Self {
        let filter = MethodFilter::try_from(method.clone());
        let filter = filter.expect("axum has a filter for each of HTTP's own methods");
        self.methods.push(method);
        self.router = self.router.on(filter, handler);
        self
    }

    pub(crate) fn head<T: 'static>(
        self,
        handler: impl Handler<T, Live, Future = Answering>,
    ) -> Self {
        self.on(Method::HEAD, handler)
    }

    pub(crate) fn post<T: 'static>(
        self,
        handler: impl Handler<T, Live, Future = Answering>,
    ) -> Self {
        self.on(Method::POST, handler)
    }

    pub(crate) fn put<T: 'static>(
        self,
        handler: impl Handler<T, Live, Future = Answering>,
    ) -> Self {
        self.on(Method::PUT, handler)
    }

    pub(crate) fn patch<T: 'static>(
        self,
        handler: impl Handler<T, Live, Future = Answering>,
    ) -> Self {
        self.on(Method::PATCH, handler)
    }

    pub(crate) fn delete<T: 'static>(
        self,
        handler: impl Handler<T, Live, Future = Answering>,
    ) -> Self {
        self.on(Method::DELETE, handler)
    }

    /// Lets the method that was added last rename the attributes of its resource: `-` and `:` become `_`
    /// (`_normalize_dict` in `keystone/server/flask/common.py`).
    pub(crate) fn renaming(mut self) -> Self {
        self.renaming.extend(self.methods.last().cloned());
        self
    }
}

/// A path with `GET`.
pub(crate) fn get<T: 'static>(handler: impl Handler<T, Live, Future = Answering>) -> Handlers {
    Handlers::default().on(Method::GET, handler)
}

/// A path with `POST`.
pub(crate) fn post<T: 'static>(handler: impl Handler<T, Live, Future = Answering>) -> Handlers {
    Handlers::default().post(handler)
}

/// A path with `DELETE`.
pub(crate) fn delete<T: 'static>(handler: impl Handler<T, Live, Future = Answering>) -> Handlers {
    Handlers::default().delete(handler)
}

/// Answers 400 with Python's error about the arguments, before the token is looked at: where one class of Keystone serves two
/// paths, such as `keystone/api/policy.py`, each path also has the methods of the other.
pub(crate) fn mismatch(text: &'static str) -> impl Fn() -> Ready<ApiError> + Clone {
    move || ready(Error::Validation(text.to_owned()).into())
}
