//! A validated token with its current user, scope and roles.

use std::sync::{Arc, OnceLock};

use keystone_identity::{DomainRef, Holder, ProjectRef, RoleRef, Subject};
use keystone_token::Token;
use keystone_types::{
    Error, Result, TokenBody, new_id, render_time, render_zoneless_time, to_python_json,
};
use serde_json::{Map, Value, json};

use crate::application_credential::access_rule::AccessRule;
use crate::delegation::{self, Backing, Delegation};
use crate::scope::Scope;
use crate::settings::Settings;
use crate::shared::SharedParts;

/// What the catalog begins with where it stands in the body of a token.
pub(crate) const CATALOG: &str = ", \"catalog\": ";

/// The version of access rules.
const ACCESS_RULES_VERSION: f64 = 1.0;

/// A token with its user, scope and roles as they are now.
#[derive(Clone, Debug)]
pub struct AuthToken {
    /// The token as the client holds it.
    pub id: String,
    /// The decoded token.
    pub token: Token,
    pub(crate) backing: Backing,
    /// Whose it is: for a trust with impersonation, the trustor.
    pub subject: Subject,
    /// The user who authenticated, if that is somebody else.
    bearer: Option<Box<Subject>>,
    /// Where it holds.
    pub scope: Scope,
    /// The roles there; none without a scope.
    pub roles: Vec<RoleRef>,
    /// The roles with all their attributes, where the body has them.
    shown_roles: Option<Value>,
    policy_credentials: OnceLock<Arc<Value>>,
    rendered: OnceLock<Rendered>,
}

/// What stands before the catalog in the body of a token, and what after it.
#[derive(Clone, Debug)]
struct Rendered {
    head: Arc<[u8]>,
    tail: Arc<[u8]>,
}

impl AuthToken {
    pub(crate) fn new(
        id: String,
        token: Token,
        backing: Backing,
        subject: Subject,
        scope: Scope,
        roles: Vec<RoleRef>,
    ) -> Self {
        let (subject, bearer) = match backing.impersonated() {
            Some(user) => (user.clone(), Some(Box::new(subject))),
            None => (subject, None),
        };
        Self {
            id,
            token,
            backing,
            subject,
            bearer,
            scope,
            roles,
            shown_roles: None,
            policy_credentials: OnceLock::new(),
            rendered: OnceLock::new(),
        }
    }

    /// The same with roles that its body shows with all their attributes.
    pub(crate) fn showing(mut self, roles: Option<Value>) -> Self {
        self.shown_roles = roles;
        self
    }

    /// The user who authenticated, who is somebody else than [`Self::subject`] if that is impersonated.
    pub fn bearer(&self) -> &Subject {
        self.bearer.as_deref().unwrap_or(&self.subject)
    }

    /// Whose assignments its user has.
    pub fn holder(&self) -> Holder<'_> {
        delegation::holder(&self.backing, &self.subject.user.id)
    }

    /// The project in scope.
    pub fn project(&self) -> Option<&ProjectRef> {
        match &self.scope {
            Scope::Project(project) => Some(project),
            Scope::Unscoped | Scope::Domain(_) | Scope::System => None,
        }
    }

    /// The delegation by which its bearer acts.
    pub fn delegation(&self, settings: &Settings) -> Delegation<'_> {
        Delegation::of(&self.token, settings)
    }

    /// 403 for a token that must not be used to read or manage trusts.
    pub fn check_trust_manager(&self, settings: &Settings) -> Result<()> {
        delegation::check_trust_manager(&self.token, settings)
    }

    /// 403 for a token that a caller must not use for requests.
    pub fn check_caller(&self) -> Result<()> {
        delegation::check_caller(&self.token)
    }

    /// 403 for the token of an application credential that may not manage others.
    pub fn check_unrestricted(&self) -> Result<()> {
        if self.backing.manages_credentials() {
            return Ok(());
        }
        Err(Error::forbidden_action(
            "Using method 'application_credential' is not allowed for managing additional application credentials.",
        ))
    }

    /// The requests that it may be used for, where these are limited.
    pub fn access_rules(&self) -> Option<&[AccessRule]> {
        self.backing.access_rules()
    }

    /// 404 for a token with access rules, unless its reader names a version of them that it can enforce
    /// (`_validate_token_access_rules` in `keystone/token/provider.py`).
    pub fn check_reader(&self, version: Option<&str>) -> Result<()> {
        let version: Option<f64> = version.and_then(|version| version.trim().parse().ok());
        let too_old = version.is_none_or(|version| version < ACCESS_RULES_VERSION);
        if too_old && self.access_rules().is_some() {
            return Err(Error::Missing("Failed to validate token".to_owned()));
        }
        Ok(())
    }

    /// The dictionary that policy rules call credentials: what oslo.context's `to_policy_values` has, and the token as
    /// it is served.
    ///
    /// It is made once, and without the catalog, which takes a statement. As in `keystone/common/context.py`, neither
    /// `is_delegated_auth` nor the ids of a trust are in it, but for those in the token.
    ///
    /// Keystone takes what begins with `service_` from headers that any client can send; here it is always empty.
    pub fn policy_credentials(&self, settings: &Settings) -> Arc<Value> {
        let made = self
            .policy_credentials
            .get_or_init(|| Arc::new(self.make_policy_credentials(settings)));
        Arc::clone(made)
    }

    fn make_policy_credentials(&self, settings: &Settings) -> Value {
        let user = &self.subject.user;
        let roles: Vec<&str> = self.roles.iter().map(|role| role.name.as_str()).collect();
        let project = self.project();
        let domain_id = match &self.scope {
            Scope::Domain(domain) => Some(&domain.id),
            Scope::Unscoped | Scope::Project(_) | Scope::System => None,
        };
        json!({
            "token": self.body(settings, None)["token"].take(),
            "domain_id": domain_id,
            "user_id": user.id,
            "user_domain_id": user.domain_id,
            "system_scope": (self.scope == Scope::System).then_some("all"),
            "project_id": project.map(|project| &project.id),
            "project_domain_id": project.map(|project| &project.domain.id),
            "roles": roles,
            "is_admin_project": self.is_admin_project(settings),
            "service_user_id": null,
            "service_user_domain_id": null,
            "service_project_id": null,
            "service_project_domain_id": null,
            "service_roles": [],
        })
    }

    /// Whether rules take the project in scope for the administrators' project: any project, and none, where the
    /// operator named none. A domain never counts as one, as in
    /// `keystone/server/flask/request_processing/middleware/auth_context.py`.
    fn is_admin_project(&self, settings: &Settings) -> bool {
        match &self.scope {
            Scope::Unscoped | Scope::System => true,
            Scope::Domain(_) => false,
            Scope::Project(project) => settings.names_admin_project(project).unwrap_or(true),
        }
    }

    fn roles_in_body(&self) -> Value {
        let shown = self.shown_roles.clone();
        shown.unwrap_or_else(|| json!(self.roles))
    }

    /// The same body as JSON, around what it shares with others. The rest is rendered once, and nothing is copied.
    pub fn render(&self, settings: &Settings, shared: SharedParts) -> TokenBody {
        let Rendered { head, tail } = self.rendered.get_or_init(|| self.rendered(settings));
        TokenBody::new([
            Arc::clone(head),
            shared.catalog.unwrap_or_default(),
            Arc::clone(&shared.service_providers.text),
            Arc::clone(tail),
        ])
    }

    fn rendered(&self, settings: &Settings) -> Rendered {
        // Nobody knows it, so that it is nowhere else in the body.
        let mark = new_id();
        let body = to_python_json(&self.body(settings, Some(mark.as_str().into())));
        let catalog = format!("{CATALOG}\"{mark}\"");
        let (head, tail) = body.split_once(&catalog).unwrap_or((&body, ""));
        Rendered {
            head: head.as_bytes().into(),
            tail: tail.as_bytes().into(),
        }
    }

    /// The body of `GET /v3/auth/tokens`, with the catalog where there is one.
    pub fn body(&self, settings: &Settings, catalog: Option<Value>) -> Value {
        let user = &self.subject.user;
        let mut token = Map::new();
        token.insert("methods".to_owned(), json!(self.token.methods));
        token.insert(
            "user".to_owned(),
            json!({
                "domain": named(&self.subject.domain),
                "id": user.id,
                "name": user.name(),
                "password_expires_at": user.password_expires_at.map(render_zoneless_time),
            }),
        );
        token.insert("audit_ids".to_owned(), json!(self.token.audit_ids));
        token.insert(
            "expires_at".to_owned(),
            json!(render_time(self.token.expires_at)),
        );
        token.insert(
            "issued_at".to_owned(),
            json!(render_time(self.token.issued_at)),
        );
        match &self.scope {
            Scope::Unscoped => {}
            Scope::System => {
                token.insert("roles".to_owned(), self.roles_in_body());
                token.insert("system".to_owned(), json!({ "all": true }));
            }
            Scope::Domain(domain) => {
                token.insert("domain".to_owned(), named(domain));
                token.insert("roles".to_owned(), self.roles_in_body());
            }
            Scope::Project(project) => {
                let id_and_domain = json!({ "domain": named(&project.domain), "id": project.id, "name": project.name });
                token.insert("project".to_owned(), id_and_domain);
                token.insert("roles".to_owned(), self.roles_in_body());
                if delegation::tells_kind_of_project(&self.backing) {
                    token.insert("is_domain".to_owned(), json!(project.is_domain));
                    if let Some(is_admin_project) = settings.names_admin_project(project) {
                        token.insert("is_admin_project".to_owned(), json!(is_admin_project));
                    }
                }
            }
        }
        if let Some(catalog) = catalog {
            token.insert("catalog".to_owned(), catalog);
        }
        delegation::describe(&self.backing, &mut token);
        json!({ "token": token })
    }
}

fn named(domain: &DomainRef) -> Value {
    json!({ "id": domain.id, "name": domain.name })
}
