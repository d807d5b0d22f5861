//! A token that was found valid, with everything it stands for at this moment.

use keystone_identity::{DomainRef, ProjectRef, RoleRef, Subject};
use keystone_token::{Payload, Token};
use keystone_types::{render_time, render_zoneless_time};
use serde_json::{Map, Value, json};

use crate::Settings;

/// A token with its user, scope and roles as they are now.
#[derive(Clone, Debug)]
pub struct AuthToken {
    /// The token as the client holds it.
    pub id: String,
    /// What it carries.
    pub token: Token,
    /// Whose it is.
    pub subject: Subject,
    /// Where it holds.
    pub scope: Scope,
    /// The roles there; none without a scope.
    pub roles: Vec<RoleRef>,
}

/// Where a token holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Nowhere yet.
    Unscoped,
    /// On a project.
    Project(ProjectRef),
    /// On a domain.
    Domain(DomainRef),
    /// On the deployment as a whole.
    System,
}

/// On whose authority a token was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority<'a> {
    /// Its user's own.
    Own,
    /// Lent by a trust.
    Trust(&'a str),
    /// Lent by an application credential.
    ApplicationCredential(&'a str),
    /// Lent by an `OAuth1` access token.
    AccessToken(&'a str),
    /// Lent in a way that the token does not tell.
    Unknown,
}

impl<'a> Authority<'a> {
    /// On whose authority a token was made: a method that nobody knows to be a user's own lends.
    ///
    /// A match without a wildcard: a new kind of token must be decided upon.
    pub fn of(token: &'a Token, settings: &Settings) -> Self {
        match &token.payload {
            Payload::Trust { trust_id, .. } => Self::Trust(trust_id),
            Payload::ApplicationCredential { app_cred_id, .. } => {
                Self::ApplicationCredential(app_cred_id)
            }
            Payload::OAuth1 {
                access_token_id, ..
            } => Self::AccessToken(access_token_id),
            Payload::OAuth2Mtls { .. } => Self::Unknown,
            Payload::Unscoped
            | Payload::Domain { .. }
            | Payload::Project { .. }
            | Payload::FederatedUnscoped(_)
            | Payload::FederatedProject { .. }
            | Payload::FederatedDomain { .. }
            | Payload::System => {
                if are_primary(&token.methods, settings) {
                    Self::Own
                } else {
                    Self::Unknown
                }
            }
        }
    }
}

/// Whether each of the methods is known to be a user's own.
fn are_primary(methods: &[String], settings: &Settings) -> bool {
    const PRIMARY: [&str; 9] = [
        "external", "kerberos", "mapped", "openid", "password", "saml2", "token", "totp", "x509",
    ];
    let is_primary = |method: &String| {
        method != "ec2credential"
            && (PRIMARY.contains(&method.as_str())
                || settings.additional_primary_methods.contains(method))
    };
    // A method that is not configured leaves no bit: no method at all is one of those.
    !methods.is_empty() && methods.iter().all(is_primary)
}

impl AuthToken {
    /// The project in scope.
    pub fn project(&self) -> Option<&ProjectRef> {
        match &self.scope {
            Scope::Project(project) => Some(project),
            Scope::Unscoped | Scope::Domain(_) | Scope::System => None,
        }
    }

    /// Whether somebody other than its user may have it for limited use.
    ///
    /// A match without a wildcard: a new kind of token must be decided upon.
    pub fn is_delegated(&self) -> bool {
        match &self.token.payload {
            Payload::Trust { .. }
            | Payload::OAuth1 { .. }
            | Payload::ApplicationCredential { .. }
            | Payload::OAuth2Mtls { .. } => true,
            Payload::Unscoped
            | Payload::Domain { .. }
            | Payload::Project { .. }
            | Payload::FederatedUnscoped(_)
            | Payload::FederatedProject { .. }
            | Payload::FederatedDomain { .. }
            | Payload::System => self.was_made_by_delegation(),
        }
    }

    /// On whose authority it was made.
    pub fn authority(&self, settings: &Settings) -> Authority<'_> {
        Authority::of(&self.token, settings)
    }

    /// What the payload no longer tells, its methods do.
    fn was_made_by_delegation(&self) -> bool {
        const DELEGATED: [&str; 4] = [
            "application_credential",
            "oauth1",
            "ec2credential",
            "oauth2_credential",
        ];
        // A method that is not configured leaves no bit: no method at all is one of those.
        self.token.methods.is_empty()
            || self
                .token
                .methods
                .iter()
                .any(|method| DELEGATED.contains(&method.as_str()))
    }

    /// The dictionary that policy rules call credentials: what oslo.context's `to_policy_values` has, and the token as
    /// it is served.
    ///
    /// The reference takes what begins with `service_` from headers that any client can send; here it is always empty.
    pub fn credentials(&self, settings: &Settings, catalog: Option<Value>) -> Value {
        let user = &self.subject.user;
        let roles: Vec<&str> = self.roles.iter().map(|role| role.name.as_str()).collect();
        let project = self.project();
        let domain_id = match &self.scope {
            Scope::Domain(domain) => Some(&domain.id),
            Scope::Unscoped | Scope::Project(_) | Scope::System => None,
        };
        json!({
            "token": self.body(settings, catalog)["token"].take(),
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

    /// Whether rules take the project in scope for the administrators': any, and none, where the operator named none. A
    /// domain is never taken for it, as `keystone/server/flask/request_processing/middleware/auth_context.py` has it.
    fn is_admin_project(&self, settings: &Settings) -> bool {
        match &self.scope {
            Scope::Unscoped | Scope::System => true,
            Scope::Domain(_) => false,
            Scope::Project(project) => settings.names_admin_project(project).unwrap_or(true),
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
            Scope::Unscoped => return json!({ "token": token }),
            Scope::System => {
                token.insert("roles".to_owned(), json!(self.roles));
                token.insert("system".to_owned(), json!({ "all": true }));
            }
            Scope::Domain(domain) => {
                token.insert("domain".to_owned(), named(domain));
                token.insert("roles".to_owned(), json!(self.roles));
            }
            Scope::Project(project) => {
                let id_and_domain = json!({ "domain": named(&project.domain), "id": project.id, "name": project.name });
                token.insert("project".to_owned(), id_and_domain);
                token.insert("is_domain".to_owned(), json!(project.is_domain));
                token.insert("roles".to_owned(), json!(self.roles));
                if let Some(is_admin_project) = settings.names_admin_project(project) {
                    token.insert("is_admin_project".to_owned(), json!(is_admin_project));
                }
            }
        }
        if let Some(catalog) = catalog {
            token.insert("catalog".to_owned(), catalog);
        }
        json!({ "token": token })
    }
}

fn named(domain: &DomainRef) -> Value {
    json!({ "id": domain.id, "name": domain.name })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(methods: &[&str], payload: Payload) -> Token {
        Token {
            user_id: "u".to_owned(),
            methods: methods.iter().map(ToString::to_string).collect(),
            issued_at: chrono::NaiveDateTime::default(),
            expires_at: chrono::NaiveDateTime::default(),
            audit_ids: Vec::new(),
            payload,
        }
    }

    #[test]
    fn what_is_not_known_to_be_a_users_own_is_lent() {
        let settings = Settings {
            additional_primary_methods: vec!["sso".to_owned(), "ec2credential".to_owned()],
            ..Settings::default()
        };
        for (methods, expected) in [
            (["password"].as_slice(), Authority::Own),
            (&["password", "token", "totp"], Authority::Own),
            (&["sso"], Authority::Own),
            (&["mapped"], Authority::Own),
            (&[], Authority::Unknown),
            (&["other"], Authority::Unknown),
            (&["password", "application_credential"], Authority::Unknown),
            (&["oauth1", "token"], Authority::Unknown),
            (&["ec2credential"], Authority::Unknown),
            (&["oauth2_credential"], Authority::Unknown),
        ] {
            for payload in [
                Payload::Unscoped,
                Payload::System,
                Payload::Project {
                    project_id: "p".to_owned(),
                },
            ] {
                let token = token(methods, payload);
                assert_eq!(Authority::of(&token, &settings), expected, "{methods:?}");
            }
        }
        // Whatever the methods say.
        let trust = Payload::Trust {
            project_id: None,
            trust_id: "t".to_owned(),
        };
        let token = token(&["password"], trust);
        assert_eq!(Authority::of(&token, &settings), Authority::Trust("t"));
    }
}
