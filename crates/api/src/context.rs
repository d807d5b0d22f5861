//! The context of a handler: the caller, the request, and the services behind the policy.

mod announcement;
mod collection;
mod question;
mod target;
mod unchecked;

use std::sync::Arc;

pub use question::RemoteChecks;
pub(crate) use question::filters;

use axum::extract::{FromRequestParts, MatchedPath, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use keystone_auth::oauth1::SignedRequest;
use keystone_auth::{AuthToken, Delegation, Environment, Login, Pass, Scope};
use keystone_identity::password::Claimant;
use keystone_policy::{Denied, Rules};
use keystone_types::{Error, Extra, Resource, Result};
use serde_json::{Map, Value, json};

use crate::error::{ApiError, json_line};
use crate::forwarded::Forwarded;
use crate::middleware::{BaseUrl, Caller, Connection, RequestId, header_text, latin1};
use crate::{App, Live, Settings, body, query, schema};

pub(crate) use collection::{JsonList, PIECE, Pieces, in_pieces};
pub(crate) use target::PolicyTarget;
pub(crate) use unchecked::Unchecked;

/// The context of a request. Services are reached through [`Context::allow`] and its like, which ask the policy;
/// [`Context::unchecked`] only reads.
#[derive(Debug)]
pub(crate) struct Context {
    app: Arc<App>,
    /// The rules in force when the request came: all its decisions are made by the same ones.
    rules: Arc<Rules>,
    caller: Caller,
    /// Leave to answer from memory, where the caller's token needed it.
    pass: Option<Pass>,
    base: BaseUrl,
    connection: Option<Connection>,
    /// Only where somebody is told of what requests do.
    request_id: Option<RequestId>,
    environment: Environment,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    uri: Uri,
    query: Vec<(String, String)>,
    path: Map<String, Value>,
    body: Arc<Value>,
}

impl FromRequestParts<Live> for Context {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, live: &Live) -> Result<Self, ApiError> {
        let params = RawPathParams::from_request_parts(parts, live).await;
        let params = params.map_err(|rejection| Error::Validation(rejection.body_text()))?;
        let matched = parts
            .extensions
            .get::<MatchedPath>()
            .map(MatchedPath::as_str)
            .unwrap_or_default();
        // Not those of a path below which this router is nested, which would get into the targets of rules.
        let route = template(matched);
        let own = |(name, _): &(&str, &str)| route.contains(&format!("{{{name}}}"));
        let path = params
            .iter()
            .filter(own)
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        let query = query::parse(parts.uri.query().unwrap_or_default());
        schema::query(&route_key(&parts.method, matched), &query).map_err(Error::Validation)?;
        let app: Arc<App> = extension(parts, "the services")?;
        let pass: Option<Pass> = parts.extensions.get().copied();
        Ok(Self {
            rules: match pass {
                Some(pass) => app.policy.rules_since(pass.since),
                None => app.policy.rules(),
            },
            app,
            caller: extension(parts, "the caller")?,
            pass,
            base: extension(parts, "the base URL")?,
            connection: parts.extensions.get().copied(),
            request_id: parts.extensions.get().cloned(),
            environment: extension(parts, "the environment")?,
            method: parts.method.clone(),
            headers: parts.headers.clone(),
            uri: parts.uri.clone(),
            query,
            path,
            body: body::of(parts),
        })
    }
}

/// The extensions that the middleware has added to a request.
pub(crate) fn extension<T: Clone + Send + Sync + 'static>(parts: &Parts, what: &str) -> Result<T> {
    let found = parts.extensions.get::<T>().cloned();
    found.ok_or_else(|| Error::internal(format!("the middleware did not add {what}")))
}

/// The key of a route among the request schemas: `POST /v3/users`.
pub(crate) fn route_key(method: &Method, matched: &str) -> String {
    format!("{method} {}", template(matched))
}

/// The route of this API: a router that is nested elsewhere has a longer path.
fn template(matched: &str) -> &str {
    matched
        .rfind("/v3/")
        .map_or(matched, |start| &matched[start..])
}

impl Context {
    /// Lets the caller through to the services if the rule, which is about no target, allows it.
    pub(crate) async fn allow(&self, rule: &'static str) -> Result<&App> {
        self.allow_on(rule, PolicyTarget::new()).await
    }

    /// Lets the caller through to the services if the rule allows it on the target.
    pub(crate) async fn allow_on(&self, rule: &'static str, target: PolicyTarget) -> Result<&App> {
        let Some(question) = self.question(rule).await? else {
            return Ok(&self.app);
        };
        match self.ask(question, vec![target]).await?.pop() {
            Some(Ok(())) => Ok(&self.app),
            Some(Err(Denied::Unknown { .. })) => {
                Err(Error::internal(format!("the policy has no rule {rule}")))
            }
            Some(Err(_)) | None => Err(Error::forbidden_action(rule)),
        }
    }

    /// The same for a resource that Keystone looks up before it asks: where it is missing, every caller with a token
    /// gets 404.
    pub(crate) async fn allow_found<R: Resource>(
        &self,
        rule: &'static str,
        found: impl Future<Output = Result<R>>,
    ) -> Result<&App> {
        self.authenticated()?;
        let target = PolicyTarget::new().with(R::MEMBER, &found.await?)?;
        self.allow_on(rule, target).await
    }

    /// Reads without a rule, to build the target of one.
    pub(crate) fn unchecked(&self) -> Unchecked<'_> {
        Unchecked(&self.app, self.pass)
    }

    /// Leave to answer from memory.
    pub(crate) async fn pass(&self) -> Result<Pass> {
        match self.pass {
            Some(pass) => Ok(pass),
            None => self.app.auth.pass().await,
        }
    }

    /// The services without a rule, for requests that no rule is about: those that prove themselves by the secrets in
    /// their body or by a signature: a login, a user's own change of password, and what a consumer of `OAuth1` signs.
    pub(crate) fn without_policy(&self) -> &App {
        &self.app
    }

    /// 401 for nobody, before anything is looked up for a target.
    pub(crate) fn authenticated(&self) -> Result<()> {
        self.caller.authenticated()
    }

    /// The caller's token, where one was used.
    pub(crate) fn token(&self) -> Option<&Arc<AuthToken>> {
        self.caller.token()
    }

    /// Whether the caller has `[DEFAULT] admin_token`.
    pub(crate) fn is_admin_token(&self) -> bool {
        matches!(self.caller, Caller::AdminToken)
    }

    /// 403 for a caller by certificate alone, who could otherwise make keys that outlive it. In Keystone these calls fail for
    /// such a caller, because there is no token to look into.
    pub(crate) fn refuse_tokenless(&self) -> Result<()> {
        match self.caller {
            Caller::Tokenless(_) => Err(Error::forbidden_action(
                "Callers by certificate cannot manage credentials",
            )),
            Caller::Nobody | Caller::AdminToken | Caller::Token(_) => Ok(()),
        }
    }

    /// The delegation by which the caller acts. Fails for a caller by certificate alone.
    pub(crate) fn delegation(&self) -> Result<Delegation<'_>> {
        self.refuse_tokenless()?;
        let settings = self.unchecked().auth_settings();
        let delegation = self.token().map(|token| token.delegation(settings));
        Ok(delegation.unwrap_or(Delegation::None))
    }

    /// Fails for a delegated token, whose keys would outlive the delegation, and for a caller by certificate alone.
    pub(crate) fn refuse_delegated(&self, refusal: impl FnOnce() -> Error) -> Result<()> {
        match self.delegation()? {
            Delegation::None => Ok(()),
            Delegation::Trust(_)
            | Delegation::ApplicationCredential(_)
            | Delegation::AccessToken(_)
            | Delegation::Unnamed => Err(refusal()),
        }
    }

    /// Who the caller is, and with which scope and roles.
    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The domain that the caller's token is scoped to.
    pub(crate) fn domain_scope(&self) -> Option<&str> {
        match self.caller.scope()? {
            Scope::Domain(domain) => Some(&domain.id),
            Scope::Unscoped | Scope::Project(_) | Scope::System => None,
        }
    }

    /// The domain of something that is created without naming one.
    fn default_domain(&self) -> Result<&str> {
        match self.caller {
            Caller::AdminToken => Err(Error::Validation(
                "You have tried to create a resource using the admin token. As this token is not within a domain you must \
                 explicitly include a domain for this resource to belong to."
                    .to_owned(),
            )),
            _ => Ok(self.domain_scope().unwrap_or(&self.app.settings.default_domain_id)),
        }
    }

    /// Puts something that is created into the default domain where it names none.
    pub(crate) fn add_default_domain(&self, attributes: &mut Map<String, Value>) -> Result<()> {
        let named = attributes.get("domain_id").and_then(Value::as_str);
        if named.is_none_or(str::is_empty) {
            attributes.insert("domain_id".to_owned(), self.default_domain()?.into());
        }
        Ok(())
    }

    /// The same for a path that only looks as if it had a parameter.
    pub(crate) fn without_path(mut self) -> Self {
        self.path.clear();
        self
    }

    /// The same for a path with another value of a parameter.
    pub(crate) fn with_path(mut self, name: &str, value: &str) -> Self {
        self.path.insert(name.to_owned(), value.into());
        self
    }

    /// The addresses that tell this client from others at a login. A client can make up the one in a proxy's header, but
    /// not the one that its connection comes from.
    pub(crate) fn claimant(&self) -> Claimant {
        let peer = self.connection.map(|connection| connection.remote.ip());
        let forwarded = Forwarded::read(&self.headers, self.app.settings.proxy_headers);
        let addresses = [("peer", peer), ("client", forwarded.client(peer))];
        addresses
            .into_iter()
            .filter(|(_, address)| address.is_some())
            .fold(Claimant::default(), Claimant::marked)
    }

    /// The variables that the server of this connection, or a trusted proxy, vouches for.
    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// A parameter in the path.
    pub(crate) fn path(&self, name: &str) -> &str {
        self.path
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Whether the path lies below `/v3/{extension}`.
    pub(crate) fn is_below(&self, extension: &str) -> bool {
        self.uri
            .path()
            .strip_prefix("/v3/")
            .is_some_and(|path| path.starts_with(extension))
    }

    /// Whether a parameter is in the query, with any value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.query.iter().any(|(key, _)| key == name)
    }

    /// The first value of a query parameter.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether a flag such as `?parents_as_list` is set.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.query(name).is_some_and(|value| value != "0")
    }

    /// The query as it was sent.
    pub(crate) fn raw_query(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }

    /// The decoded pairs of the query.
    pub(crate) fn query_pairs(&self) -> &[(String, String)] {
        &self.query
    }

    /// The operator's settings for HTTP.
    pub(crate) fn settings(&self) -> &Settings {
        &self.app.settings
    }

    /// `{"user": {…}}`
    pub(crate) fn member<R: Resource>(&self, resource: &R) -> Result<Response, ApiError> {
        self.wrapped(StatusCode::OK, resource)
    }

    /// The same, as 201.
    pub(crate) fn created<R: Resource>(&self, resource: &R) -> Result<Response, ApiError> {
        self.wrapped(StatusCode::CREATED, resource)
    }

    /// The same for several that one request created.
    pub(crate) fn all_created<R: Resource>(&self, resources: &[R]) -> Result<Response, ApiError> {
        let linked = resources.iter().map(|resource| self.linked(resource));
        let linked: Vec<_> = linked.collect::<Result<_>>()?;
        let body = json!({ R::COLLECTION: linked });
        Ok(json_line(StatusCode::CREATED, &body))
    }

    fn wrapped<R: Resource>(&self, status: StatusCode, resource: &R) -> Result<Response, ApiError> {
        Ok(json_line(
            status,
            &json!({ R::MEMBER: self.linked(resource)? }),
        ))
    }

    /// A resource with its own URL in `links`.
    pub(crate) fn linked<R: Resource>(&self, resource: &R) -> Result<Value> {
        linked(resource, &self.url(""))
    }

    /// The `links` of a resource.
    pub(crate) fn links<R: Resource>(&self, id: &str) -> Value {
        links::<R>(id, &self.url(""))
    }

    /// A URL below `/v3`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/v3/{path}", self.base.public)
    }

    /// The URL of a path of this server.
    pub(crate) fn public_url(&self, path: &str) -> String {
        format!("{}{path}", self.base.public)
    }

    /// The URL that was asked for.
    pub(crate) fn self_url(&self) -> String {
        format!(
            "{}{}{}",
            self.base.public,
            self.uri.path(),
            self.query_text()
        )
    }

    /// The URL of `/v3` with the query that was asked, which tags have as theirs.
    pub(crate) fn root_url(&self) -> String {
        format!("{}/v3{}", self.base.public, self.query_text())
    }

    /// The URL that the request was sent to, without its query, and with the scheme that clients are told.
    pub(crate) fn request_url(&self) -> String {
        let scheme = self.base.public.split("://").next().unwrap_or_default();
        let sent_to = self.base.sent_to.split_once("://");
        let (_, place) = sent_to.unwrap_or_default();
        format!("{scheme}://{place}{}", self.uri.path())
    }

    /// What the client has signed, with the URL that it should have signed.
    pub(crate) fn signed(&self, url: String) -> SignedRequest {
        let kind = header_text(&self.headers, "content-type").unwrap_or_default();
        SignedRequest {
            authorization: self.headers.get("authorization").map(latin1),
            url,
            query: self.query.clone(),
            is_form: kind.contains("application/x-www-form-urlencoded"),
        }
    }

    /// What a login has beside its body.
    pub(crate) fn login(&self, pass: Option<Pass>) -> Login<'_> {
        Login {
            receipt: header_text(&self.headers, "openstack-auth-receipt"),
            client: self.claimant(),
            // Without the query, in `keystone/auth/plugins/oauth1.py`.
            signed: SignedRequest {
                query: Vec::new(),
                ..self.signed(self.url("auth/tokens"))
            },
            environment: &self.environment,
            pass,
            announcer: self.announcer(),
            ..Login::default()
        }
    }

    fn query_text(&self) -> String {
        let query = self.uri.query().filter(|query| !query.is_empty());
        query.map(|query| format!("?{query}")).unwrap_or_default()
    }
}

/// A resource with its own URL, which begins with `base`, in `links`.
pub(crate) fn linked<R: Resource>(resource: &R, base: &str) -> Result<Value> {
    let mut body = serde_json::to_value(resource).map_err(Error::internal)?;
    if body.as_object_mut().is_some_and(Extra::was_unreadable) {
        let table = if R::MEMBER == "domain" {
            "project"
        } else {
            R::MEMBER
        };
        tracing::error!(
            error = format!(
                "corrupt row: table {table}, row {}, column extra",
                resource.id()
            ),
            "attributes are not shown, and kept as they are stored: correct them in the database"
        );
    }
    body["links"] = links::<R>(resource.id(), base);
    Ok(body)
}

fn links<R: Resource>(id: &str, base: &str) -> Value {
    json!({ "self": format!("{base}{}/{id}", R::PATH) })
}

/// 204.
pub(crate) fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
