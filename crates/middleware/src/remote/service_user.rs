//! As whom a service asks Keystone.

use keystone_types::Secret;
use serde_json::{Map, Value, json};

/// The account of a service: a user with a password, or an application credential.
///
/// The names are those of the options in `[keystone_authtoken]`.
#[derive(Clone, Debug)]
pub struct ServiceUser {
    proof: Proof,
    scope: Scope,
}

#[derive(Clone, Debug)]
enum Proof {
    Password { user: User, password: Secret },
    ApplicationCredential { id: String, secret: Secret },
}

#[derive(Clone, Debug)]
enum User {
    Id(String),
    Name { name: String, domain: Reference },
}

/// A domain or a project.
#[derive(Clone, Debug)]
enum Reference {
    Id(String),
    Name(String),
}

#[derive(Clone, Debug)]
enum Scope {
    /// That of the application credential, or the user's default project.
    Own,
    ProjectId(String),
    ProjectName {
        name: String,
        domain: Reference,
    },
    System,
}

impl ServiceUser {
    /// A user by name, of the domain with the id `default` unless [`Self::user_domain_id`] or
    /// [`Self::user_domain_name`] names another.
    pub fn password(username: impl Into<String>, password: impl Into<String>) -> Self {
        let user = User::Name {
            name: username.into(),
            domain: Reference::Id("default".to_owned()),
        };
        Self::with_password(user, password.into())
    }

    /// A user by id.
    pub fn password_of_id(user_id: impl Into<String>, password: impl Into<String>) -> Self {
        Self::with_password(User::Id(user_id.into()), password.into())
    }

    fn with_password(user: User, password: String) -> Self {
        Self {
            proof: Proof::Password {
                user,
                password: password.into(),
            },
            scope: Scope::Own,
        }
    }

    /// An application credential, which has its scope with it.
    pub fn application_credential(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            proof: Proof::ApplicationCredential {
                id: id.into(),
                secret: Secret::from(secret.into()),
            },
            scope: Scope::Own,
        }
    }

    /// The domain of a user by name.
    #[must_use]
    pub fn user_domain_id(self, id: impl Into<String>) -> Self {
        self.in_domain(Reference::Id(id.into()))
    }

    /// The domain of a user by name.
    #[must_use]
    pub fn user_domain_name(self, name: impl Into<String>) -> Self {
        self.in_domain(Reference::Name(name.into()))
    }

    fn in_domain(mut self, of: Reference) -> Self {
        if let Proof::Password {
            user: User::Name { domain, .. },
            ..
        } = &mut self.proof
        {
            *domain = of;
        }
        self
    }

    /// The project where the user has the role that lets it validate tokens.
    #[must_use]
    pub fn project_id(mut self, id: impl Into<String>) -> Self {
        self.scope = Scope::ProjectId(id.into());
        self
    }

    /// The same by name, of the domain with the id `default` unless [`Self::project_domain_id`] or
    /// [`Self::project_domain_name`] names another.
    #[must_use]
    pub fn project_name(mut self, name: impl Into<String>) -> Self {
        self.scope = Scope::ProjectName {
            name: name.into(),
            domain: Reference::Id("default".to_owned()),
        };
        self
    }

    /// The domain of a project by name.
    #[must_use]
    pub fn project_domain_id(self, id: impl Into<String>) -> Self {
        self.project_in_domain(Reference::Id(id.into()))
    }

    /// The domain of a project by name.
    #[must_use]
    pub fn project_domain_name(self, name: impl Into<String>) -> Self {
        self.project_in_domain(Reference::Name(name.into()))
    }

    fn project_in_domain(mut self, of: Reference) -> Self {
        if let Scope::ProjectName { domain, .. } = &mut self.scope {
            *domain = of;
        }
        self
    }

    /// The user's roles on the whole system (`system_scope = all`).
    #[must_use]
    pub fn system_scope(mut self) -> Self {
        self.scope = Scope::System;
        self
    }

    /// The body of `POST /v3/auth/tokens`, which has the secret in it.
    pub(super) fn request_body(&self) -> String {
        let (method, proof) = match &self.proof {
            Proof::Password { user, password } => {
                let mut user = user.to_json();
                user["password"] = json!(password.reveal());
                ("password", json!({ "user": user }))
            }
            Proof::ApplicationCredential { id, secret } => {
                let proof = json!({ "id": id, "secret": secret.reveal() });
                ("application_credential", proof)
            }
        };
        let identity = json!({ "methods": [method], method: proof });
        let mut auth = Map::from_iter([("identity".to_owned(), identity)]);
        if let Some(scope) = self.scope.to_json() {
            auth.insert("scope".to_owned(), scope);
        }
        json!({ "auth": auth }).to_string()
    }
}

impl User {
    fn to_json(&self) -> Value {
        match self {
            Self::Id(id) => json!({ "id": id }),
            Self::Name { name, domain } => json!({ "name": name, "domain": domain.to_json() }),
        }
    }
}

impl Reference {
    fn to_json(&self) -> Value {
        match self {
            Self::Id(id) => json!({ "id": id }),
            Self::Name(name) => json!({ "name": name }),
        }
    }
}

impl Scope {
    fn to_json(&self) -> Option<Value> {
        Some(match self {
            Self::Own => return None,
            Self::ProjectId(id) => json!({ "project": { "id": id } }),
            Self::ProjectName { name, domain } => {
                json!({ "project": { "name": name, "domain": domain.to_json() } })
            }
            Self::System => json!({ "system": { "all": true } }),
        })
    }
}
