//! New trusts, among them those that pass on what another trust gave.

use std::collections::BTreeSet;

use chrono::{NaiveDateTime, SubsecRound};
use keystone_python::parse_isotime;
use keystone_storage::{OrConflict, Tx, sql, transaction};
use keystone_token::ScopeIds;
use keystone_types::{Error, Extra, Result, new_id, render_time};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Trust;
use crate::auth::Auth;
use crate::choice::RoleChoice;
use crate::delegation::Delegation;
use crate::scope::ask_about;

/// A trust to create, of a request whose schema was checked.
#[derive(Debug, Deserialize)]
pub struct NewTrust {
    trustor_user_id: String,
    trustee_user_id: String,
    project_id: Option<String>,
    impersonation: bool,
    #[serde(default)]
    roles: Vec<RoleChoice>,
    expires_at: Option<String>,
    remaining_uses: Option<Value>,
    allow_redelegation: Option<bool>,
    /// Null is not the same as nothing: it is stored.
    #[serde(default, deserialize_with = "present")]
    redelegation_count: Option<Value>,
    redelegated_trust_id: Option<String>,
    deleted_at: Option<Value>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

impl NewTrust {
    /// A trust of all uses, without an end, a project and roles, by which the trustee acts as itself.
    pub fn new(trustor_user_id: impl Into<String>, trustee_user_id: impl Into<String>) -> Self {
        Self {
            trustor_user_id: trustor_user_id.into(),
            trustee_user_id: trustee_user_id.into(),
            project_id: None,
            impersonation: false,
            roles: Vec::new(),
            expires_at: None,
            remaining_uses: None,
            allow_redelegation: None,
            redelegation_count: None,
            redelegated_trust_id: None,
            deleted_at: None,
            extra: Map::new(),
        }
    }

    /// The same for a project.
    #[must_use]
    pub fn project(mut self, id: impl Into<String>) -> Self {
        self.project_id = Some(id.into());
        self
    }

    /// The same with a role that the trustor has on the project.
    #[must_use]
    pub fn role(mut self, role: RoleChoice) -> Self {
        self.roles.push(role);
        self
    }

    /// The same, by which the trustee acts as the trustor.
    #[must_use]
    pub fn impersonating(mut self) -> Self {
        self.impersonation = true;
        self
    }

    /// The same until this time, in UTC.
    #[must_use]
    pub fn expires_at(mut self, time: NaiveDateTime) -> Self {
        self.expires_at = Some(render_time(time));
        self
    }

    /// The same for so many tokens.
    #[must_use]
    pub fn uses(mut self, count: u32) -> Self {
        self.remaining_uses = Some(count.into());
        self
    }
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Auth {
    /// Creates a trust for a caller, who has to be its trustor. The order of the checks is that of `keystone/api/trusts.py`.
    pub async fn create_trust(
        &self,
        new: NewTrust,
        caller_id: Option<&str>,
        delegation: Delegation<'_>,
    ) -> Result<Trust> {
        let project_id = new.project_id.as_deref().filter(|id| !id.is_empty());
        if project_id.is_some() && new.roles.is_empty() {
            return Err(Error::forbidden_action(
                "At least one role should be specified",
            ));
        }
        if caller_id != Some(&new.trustor_user_id) {
            return Err(Error::forbidden_action(
                "The authenticated user should match the trustor",
            ));
        }
        self.identity.subject(&new.trustee_user_id).await?;
        let roles = self.chosen_roles(&new.roles).await?;
        self.check_held(&new, project_id, &roles).await?;
        let expires_at = self.expiry(new.expires_at.as_deref())?;
        let source = match delegation {
            Delegation::Trust(id) => Some(id),
            // Others that are delegated got this far because the operator lets them.
            Delegation::None
            | Delegation::ApplicationCredential(_)
            | Delegation::AccessToken(_)
            | Delegation::Unnamed => None,
        };
        let pedigree = match source {
            Some(id) => self.pedigree(id).await?,
            None => Vec::new(),
        };
        let trust = self.assembled(new, roles, expires_at, &pedigree)?;
        transaction!(self.db, |tx| store(tx, &trust).await).await?;
        Ok(trust)
    }

    /// 404 for a role that the trustor does not have on the project: of a trust that names an earlier one, which a client
    /// may do, the first trustor of that chain.
    async fn check_held(
        &self,
        new: &NewTrust,
        project_id: Option<&str>,
        roles: &[String],
    ) -> Result<()> {
        let earlier = new.redelegated_trust_id.as_deref();
        let first = match earlier.filter(|id| !id.is_empty()) {
            Some(id) => self.pedigree(id).await?.pop(),
            None => None,
        };
        let held = match project_id {
            Some(id) => {
                self.identity.project_ref(id).await?;
                match &first {
                    Some(first) => {
                        let id = first.project_id.as_deref();
                        self.delegable(&first.trustor_user_id, id).await?
                    }
                    None => self.delegable(&new.trustor_user_id, Some(id)).await?,
                }
            }
            None => BTreeSet::new(),
        };
        match roles.iter().find(|role| !held.contains(*role)) {
            Some(role) => Err(Error::NotFound {
                kind: "role",
                id: role.clone(),
            }),
            None => Ok(()),
        }
    }

    async fn delegable(&self, user_id: &str, project_id: Option<&str>) -> Result<BTreeSet<String>> {
        let Some(id) = project_id.filter(|id| !id.is_empty()) else {
            return Ok(BTreeSet::new());
        };
        let scope = ScopeIds::Project(id.to_owned());
        let facts = self.identity.facts(ask_about(user_id, &scope)).await?;
        let project = facts.project(id)?;
        Ok(facts.delegable_roles(user_id, &project.id))
    }

    /// Reads the end of a trust, which has to be in the future (`parse_expiration_date` in `keystone/common/utils.py`).
    fn expiry(&self, text: Option<&str>) -> Result<Option<NaiveDateTime>> {
        const HINT: &str = "The server could not comply with the request since it is either malformed or otherwise \
                            incorrect. The client is assumed to be in error.";
        let Some(text) = text else {
            return Ok(None);
        };
        let zoned = text.strip_suffix('Z').unwrap_or(text);
        let end = parse_isotime(&format!("{zoned}Z")).ok_or_else(|| {
            Error::Validation(format!("Timestamp not in expected format. {HINT}"))
        })?;
        if end < self.clock.precise() {
            return Err(Error::Validation(format!(
                "The 'expires_at' must not be before now. {HINT}"
            )));
        }
        Ok(Some(end))
    }

    /// The trust as it is stored; `pedigree` is the chain that it follows.
    fn assembled(
        &self,
        new: NewTrust,
        roles: Vec<String>,
        expires_at: Option<NaiveDateTime>,
        pedigree: &[Trust],
    ) -> Result<Trust> {
        let source = pedigree.first();
        let remaining_uses = whole("remaining_uses", new.remaining_uses.as_ref())?;
        let redelegation_count = self.redelegation_count(&new, remaining_uses, source)?;
        if new.deleted_at.is_some() {
            return Err(Error::Validation(
                "Invalid input for field/attribute deleted_at: a new trust is not deleted."
                    .to_owned(),
            ));
        }
        let mut extra = new.extra;
        extra.shift_remove("id");
        let listed: Vec<Value> = roles.iter().map(|id| json!({ "id": id })).collect();
        extra.insert("roles".to_owned(), listed.into());
        let named = new.redelegated_trust_id;
        let mut trust = Trust {
            extra: Extra(extra),
            id: new_id(),
            trustor_user_id: new.trustor_user_id,
            trustee_user_id: new.trustee_user_id,
            project_id: new.project_id,
            impersonation: new.impersonation,
            expires_at,
            remaining_uses,
            deleted_at: None,
            redelegated_trust_id: source.map(|source| source.id.clone()).or(named),
            redelegation_count,
            roles,
            parties: None,
        };
        for earlier in pedigree {
            self.check_link(earlier, &trust)?;
            // The end of the nearest one that has an end.
            trust.expires_at = trust.expires_at.or(earlier.expires_at);
        }
        Ok(trust)
    }

    /// How often the trust can be redelegated (`create_trust` in `keystone/trust/core.py`).
    fn redelegation_count(
        &self,
        new: &NewTrust,
        remaining_uses: Option<i64>,
        source: Option<&Trust>,
    ) -> Result<Option<i64>> {
        let most = self.settings.max_redelegation_count;
        let asked = match new.redelegation_count.as_ref() {
            Some(Value::Null) | None => None,
            // No column takes more, and no setting allows it.
            Some(count) => Some(whole("redelegation_count", Some(count)).ok().flatten()),
        };
        let asked = asked.map(|count| count.unwrap_or(i64::MAX));
        let is_redelegable = new.allow_redelegation == Some(true) && asked != Some(0);
        let refused = |detail: String| Err(Error::Forbidden { detail });
        if is_redelegable && asked.is_some_and(|asked| asked > most) {
            return refused(format!(
                "the requested redelegation depth is greater than the allowed {most}"
            ));
        }
        if is_redelegable && remaining_uses.is_some() {
            return Err(Error::Validation(
                "remaining_uses must not be set if redelegation is allowed".to_owned(),
            ));
        }
        let left = source.map(left_of).transpose()?;
        if !is_redelegable {
            return Ok(Some(0));
        }
        if left.is_some() && asked.is_some() && asked != left {
            return refused("redelegation_count must not be modified upon redelegation".to_owned());
        }
        Ok(match new.redelegation_count {
            Some(Value::Null) => None,
            _ => asked.or(left).or(Some(most)),
        })
    }
}

/// How often a trust that passes this one on can be passed on.
fn left_of(source: &Trust) -> Result<i64> {
    let count = source.redelegation_count.map(|count| count - 1);
    count.ok_or_else(|| {
        // Python's words, as clients of Keystone get them.
        let text = "unsupported operand type(s) for -: 'NoneType' and 'int'";
        Error::Validation(text.to_owned())
    })
}

/// A whole number that its column takes; JSON schemas take `1.0` for one.
fn whole(name: &str, value: Option<&Value>) -> Result<Option<i64>> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "only whole numbers of the column's range"
    )]
    let number = value.as_f64().map(|number| number as i64);
    match number.filter(|number| i32::try_from(*number).is_ok()) {
        Some(number) => Ok(Some(number)),
        None => Err(Error::Validation(format!(
            "Invalid input for field/attribute {name}. Value: {value}. {value} is greater than the maximum of {}",
            i32::MAX
        ))),
    }
}

async fn store(tx: &mut Tx, trust: &Trust) -> Result<()> {
    if let Some(id) = trust.earlier() {
        // Deleting the earlier one waits for this one, and deletes it too.
        let earlier = sql("SELECT deleted_at FROM trust WHERE id = ?").bind(id);
        let earlier: Option<(Option<NaiveDateTime>,)> =
            earlier.locking().fetch_optional(&mut *tx).await?;
        if !matches!(earlier, Some((None,))) {
            return Err(Error::not_found::<Trust>(id));
        }
    }
    let mut roles = trust.roles.clone();
    roles.sort_unstable();
    roles.dedup();
    if roles.len() < trust.roles.len() {
        return Err(taken(trust));
    }
    sql("INSERT INTO trust (id, trustor_user_id, trustee_user_id, project_id, impersonation, expires_at, expires_at_int, \
                            remaining_uses, redelegated_trust_id, redelegation_count, extra) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .bind(&trust.id)
        .bind(&trust.trustor_user_id)
        .bind(&trust.trustee_user_id)
        .bind(&trust.project_id)
        .bind(trust.impersonation)
        // MariaDB keeps whole seconds, so that two trusts that end in one second are the same for the constraint.
        .bind(trust.expires_at.map(|end| end.trunc_subsecs(0)))
        .bind(trust.expires_at.map(|end| end.and_utc().timestamp_micros()))
        .bind(trust.remaining_uses)
        .bind(&trust.redelegated_trust_id)
        .bind(trust.redelegation_count)
        .bind(&trust.extra)
        .execute(&mut *tx)
        .await
        .or_conflict(|| taken(trust))?;
    sql("INSERT INTO trust_role (trust_id, role_id) SELECT ?, r.id FROM role r WHERE r.id IN (?)")
        .bind(&trust.id)
        .bind_all(&roles)
        .execute(tx)
        .await?;
    Ok(())
}

/// 409 with the words of `handle_conflicts` in `keystone/common/sql/core.py`, which looks for a name first.
fn taken(trust: &Trust) -> Error {
    let text = |name: &str| trust.extra.0.get(name).and_then(Value::as_str);
    let (field, value) = match text("name") {
        Some(name) => ("name", name),
        None => ("ID", trust.id.as_str()),
    };
    let domain = text("domain_id").map(|id| format!(" at domain ID {id}"));
    Error::conflict::<Trust>(format!(
        "Duplicate entry found with {field} {value}{}",
        domain.unwrap_or_default()
    ))
}
