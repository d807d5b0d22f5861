//! New application credentials, of which only a hash of the secret is stored.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::NaiveDateTime;
use keystone_identity::{Holder, RoleRef, UserLimit};
use keystone_python::parse_isotime;
use keystone_storage::{OrConflict, Tx, sql, transaction};
use keystone_token::ScopeIds;
use keystone_types::{Error, Result, Secret, check_length, new_id, render_time};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{ApplicationCredential, DetailedApplicationCredential, access_rule};
use crate::auth::Auth;
use crate::choice::RoleChoice;
use crate::scope::ask_about;

/// The bytes of a generated secret, which has 86 characters.
const SECRET_BYTES: usize = 64;

/// An application credential as a client asks for it, after its schema was checked.
#[derive(Clone, Debug, Deserialize)]
pub struct NewApplicationCredential {
    name: String,
    description: Option<String>,
    secret: Option<Secret>,
    expires_at: Option<String>,
    unrestricted: Option<bool>,
    system: Option<String>,
    #[serde(default)]
    roles: Vec<RoleChoice>,
    #[serde(default)]
    access_rules: Vec<WantedRule>,
}

impl NewApplicationCredential {
    /// A credential with a generated secret and all the roles that its user acts with, which does not expire.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            description: None,
            secret: None,
            expires_at: None,
            unrestricted: None,
            system: None,
            roles: Vec::new(),
            access_rules: Vec::new(),
        }
    }

    /// The same with this secret.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<Secret>) -> Self {
        self.secret = Some(secret.into());
        self
    }

    /// The same until this time, in UTC.
    #[must_use]
    pub fn expires_at(mut self, time: NaiveDateTime) -> Self {
        self.expires_at = Some(render_time(time));
        self
    }

    /// The same with one of the roles that its user acts with; those that are not named are not given.
    #[must_use]
    pub fn role(mut self, role: RoleChoice) -> Self {
        self.roles.push(role);
        self
    }

    /// The same, for requests of this method, path and type of service only; several rules add up.
    #[must_use]
    pub fn access_rule(mut self, service: &str, method: &str, path: &str) -> Self {
        self.access_rules.push(WantedRule {
            id: new_id(),
            service: Some(service.to_owned()),
            path: Some(path.to_owned()),
            method: Some(method.to_owned()),
            others: Map::new(),
        });
        self
    }

    /// The same, able to manage application credentials and trusts itself.
    #[must_use]
    pub fn unrestricted(mut self) -> Self {
        self.unrestricted = Some(true);
        self
    }
}

/// An access rule: one that exists, by id, or a new one.
#[derive(Clone, Debug, Deserialize)]
struct WantedRule {
    #[serde(default = "new_id")]
    id: String,
    service: Option<String>,
    path: Option<String>,
    method: Option<String>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl Auth {
    /// Creates an application credential of a user on a project, with some or all of the roles that the user acts with.
    /// Returns it with its secret, which nothing shows again.
    pub async fn create_application_credential(
        &self,
        new: NewApplicationCredential,
        user_id: &str,
        project_id: Option<&str>,
        held: &[RoleRef],
    ) -> Result<(DetailedApplicationCredential, Secret)> {
        let role_ids = self.roles_to_delegate(&new.roles, held).await?;
        if let Some(project_id) = project_id {
            self.check_own(user_id, project_id, &role_ids).await?;
        }
        let expires_at = self.end(new.expires_at.as_deref())?;
        let limit = UserLimit {
            most: self.settings.application_credential_limit,
            what: "application credentials",
            count: "SELECT COUNT(*) FROM application_credential WHERE user_id = ?",
        };
        // Before the secret is hashed, which takes long.
        if limit.most.is_some() {
            transaction!(self.db, |tx| limit.check(tx, user_id).await).await?;
        }
        let secret = match new.secret {
            Some(secret) if !secret.reveal().is_empty() => secret,
            _ => generated_secret()?,
        };
        let hash = self.identity.hasher().hash_secret(secret.clone()).await?;
        let credential = ApplicationCredential {
            id: new_id(),
            name: new.name,
            description: new.description,
            user_id: user_id.to_owned(),
            project_id: project_id.map(str::to_owned),
            system: new.system,
            expires_at,
            unrestricted: new.unrestricted,
            access_rules: Vec::new(),
            role_ids,
            secret_hash: hash.into(),
        };
        check_length(
            "system",
            credential.system.as_deref().unwrap_or_default(),
            64,
        )?;
        let rules = new.access_rules;
        transaction!(self.db, |tx| {
            limit.check(tx, user_id).await?;
            insert(tx, &credential).await?;
            for rule in &rules {
                add_rule(tx, &credential, rule).await?;
            }
            Ok(())
        })
        .await?;
        let stored = self
            .application_credential_of(user_id, &credential.id)
            .await?;
        Ok((self.with_roles(stored).await?, secret))
    }

    /// The ids of the roles that were asked for, and of those that they imply; without any, all that the user acts with.
    async fn roles_to_delegate(
        &self,
        wanted: &[RoleChoice],
        held: &[RoleRef],
    ) -> Result<Vec<String>> {
        if wanted.is_empty() {
            return Ok(held.iter().map(|role| role.id.clone()).collect());
        }
        let mut chosen = self.chosen_roles(wanted).await?;
        for implied in self.identity.roles_with_implied(&chosen).await? {
            if !chosen.contains(&implied.id) {
                chosen.push(implied.id);
            }
        }
        // No more than the caller's token has, which may be less than the user has.
        if chosen
            .iter()
            .all(|id| held.iter().any(|role| role.id == *id))
        {
            return Ok(chosen);
        }
        Err(Error::Validation(
            "Invalid application credential: Cannot create an application credential with unassigned role".to_owned(),
        ))
    }

    /// Checks that the user has these roles without the groups that a federated token names, which no later token has.
    async fn check_own(&self, user_id: &str, project_id: &str, role_ids: &[String]) -> Result<()> {
        let scope = ScopeIds::Project(project_id.to_owned());
        let facts = self.identity.facts(ask_about(user_id, &scope)).await?;
        let own = facts.roles_on_project(Holder::User(user_id), project_id);
        let is_missing = |id: &&String| !own.iter().any(|role| role.id == **id);
        match role_ids.iter().find(is_missing) {
            None => Ok(()),
            Some(id) => Err(Error::Validation(format!(
                "Invalid application credential: Could not find role assignment with role: {id}, user or group: {user_id}, \
                 project, domain, or system: {project_id}."
            ))),
        }
    }

    fn end(&self, expires_at: Option<&str>) -> Result<Option<NaiveDateTime>> {
        let Some(text) = expires_at else {
            return Ok(None);
        };
        // `keystone/common/utils.py` adds the zone.
        let end = parse_isotime(&format!("{}Z", text.strip_suffix('Z').unwrap_or(text)));
        let refusal = match end {
            Some(end) if end >= self.clock.precise() => return Ok(Some(end)),
            Some(_) => "The 'expires_at' must not be before now.",
            None => "Timestamp not in expected format.",
        };
        Err(Error::Validation(format!(
            "{refusal} The server could not comply with the request since it is either malformed or otherwise incorrect. \
             The client is assumed to be in error."
        )))
    }
}

fn generated_secret() -> Result<Secret> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(Error::internal)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes).into())
}

async fn insert(tx: &mut Tx, credential: &ApplicationCredential) -> Result<()> {
    let micros = credential
        .expires_at
        .map(|end| end.and_utc().timestamp_micros());
    sql(
        "INSERT INTO application_credential \
         (id, name, secret_hash, description, user_id, project_id, `system`, expires_at, unrestricted) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&credential.id)
    .bind(&credential.name)
    .bind(credential.secret_hash.reveal())
    .bind(&credential.description)
    .bind(&credential.user_id)
    .bind(&credential.project_id)
    .bind(&credential.system)
    .bind(micros)
    .bind(credential.unrestricted)
    .execute(&mut *tx)
    .await
    .or_conflict(|| taken(credential))?;
    for role_id in &credential.role_ids {
        sql(
            "INSERT INTO application_credential_role (application_credential_id, role_id) \
             SELECT internal_id, ? FROM application_credential WHERE user_id = ? AND id = ?",
        )
        .bind(role_id)
        .bind(&credential.user_id)
        .bind(&credential.id)
        .execute(&mut *tx)
        .await
        .or_conflict(|| taken(credential))?;
    }
    Ok(())
}

/// Adds an access rule: the one with this id, else one of the user's that is equal, else a new one
/// (`keystone/application_credential/backends/sql.py`).
async fn add_rule(tx: &mut Tx, to: &ApplicationCredential, rule: &WantedRule) -> Result<()> {
    let number = match number_of(tx, to, rule).await? {
        Some(number) => number,
        None => new_rule(tx, to, rule).await?,
    };
    sql("INSERT INTO application_credential_access_rule (application_credential_id, access_rule_id) \
         SELECT internal_id, ? FROM application_credential WHERE user_id = ? AND id = ?")
    .bind(number)
    .bind(&to.user_id)
    .bind(&to.id)
    .execute(tx)
    .await
    .or_conflict(|| taken(to))?;
    Ok(())
}

async fn number_of(
    tx: &mut Tx,
    to: &ApplicationCredential,
    rule: &WantedRule,
) -> Result<Option<i64>> {
    let named = sql("SELECT id, user_id FROM access_rule WHERE external_id = ?").bind(&rule.id);
    // Nobody deletes it meanwhile.
    let named: Option<(i64, Option<String>)> = named.sharing().fetch_optional(&mut *tx).await?;
    match named {
        Some((number, owner)) if owner.as_deref() == Some(to.user_id.as_str()) => {
            return Ok(Some(number));
        }
        Some(_) => return Err(access_rule::not_found(&rule.id)),
        None => {}
    }
    let [service, path, method] = rule.parts()?;
    let equal = sql(
        "SELECT id FROM access_rule WHERE user_id = ? AND service = ? AND path = ? AND method = ?",
    );
    let equal = equal
        .bind(&to.user_id)
        .bind(service)
        .bind(path)
        .bind(method);
    let equal: Option<(i64,)> = equal.sharing().fetch_optional(tx).await?;
    Ok(equal.map(|(number,)| number))
}

async fn new_rule(tx: &mut Tx, to: &ApplicationCredential, rule: &WantedRule) -> Result<i64> {
    let [service, path, method] = rule.parts()?;
    if let Some(name) = rule.others.keys().next() {
        let name = name.replace("id", "external_id");
        return Err(Error::Validation(format!(
            "'{name}' is an invalid keyword argument for AccessRuleModel"
        )));
    }
    check_length("path", path, 128)?;
    sql("INSERT INTO access_rule (external_id, user_id, service, path, method) VALUES (?, ?, ?, ?, ?)")
        .bind(&rule.id)
        .bind(&to.user_id)
        .bind(service)
        .bind(path)
        .bind(method)
        .execute(&mut *tx)
        .await?;
    let made = sql("SELECT id FROM access_rule WHERE external_id = ? AND user_id = ?");
    let (number,) = made.bind(&rule.id).bind(&to.user_id).fetch_one(tx).await?;
    Ok(number)
}

impl WantedRule {
    /// The service, the path and the method; 400 where one is missing, for which Keystone has no answer.
    fn parts(&self) -> Result<[&str; 3]> {
        match (&self.service, &self.path, &self.method) {
            (Some(service), Some(path), Some(method)) => Ok([service, path, method]),
            _ => Err(Error::expecting("service, path and method", "access rule")),
        }
    }
}

fn taken(credential: &ApplicationCredential) -> Error {
    Error::conflict::<DetailedApplicationCredential>(format!(
        "Duplicate entry found with name {}",
        credential.name
    ))
}
