//! The question that a rule is asked, with the names of `keystone/common/rbac_enforcer/enforcer.py`.

use std::sync::Arc;

use keystone_auth::AuthToken;
use keystone_policy::{Check, Denied, Rules};
use keystone_types::{Error, Result};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::{Context, PolicyTarget};
use crate::middleware::Caller;

/// How many rules may ask other servers at a time.
const THREADS: usize = 64;

/// The threads on which rules ask other servers. They are fewer than the runtime has for blocking work, so that slow
/// servers leave threads to hash passwords on.
#[derive(Clone, Debug)]
pub struct RemoteChecks(Arc<Semaphore>);

impl Default for RemoteChecks {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(THREADS)))
    }
}

impl RemoteChecks {
    /// Waits for the rules that ask other servers, and denies those that come later.
    pub async fn close(&self) {
        let all = u32::try_from(THREADS).unwrap_or(u32::MAX);
        // An error means that it is closed already.
        let _ended = self.0.acquire_many(all).await.ok();
        self.0.close();
    }
}

/// A rule, and what it sees of the request and of the caller; the target is yet to be filled in.
pub(super) struct Question {
    rule: &'static str,
    rules: Arc<Rules>,
    about: Value,
    credentials: Arc<Value>,
}

impl Question {
    fn ask(&mut self, PolicyTarget(target): PolicyTarget) -> Result<(), Denied> {
        self.about["target"] = Value::Object(target);
        let answer = self
            .rules
            .enforce(self.rule, &self.about, &self.credentials);
        answer.inspect_err(Denied::log)
    }
}

impl Context {
    /// The question that a rule is asked for this request; none where the caller may do everything.
    pub(super) async fn question(&self, rule: &'static str) -> Result<Option<Question>> {
        self.caller.authenticated()?;
        let credentials = match &self.caller {
            Caller::Nobody | Caller::AdminToken => return Ok(None),
            Caller::Token(token) => {
                token.check_caller()?;
                self.credentials(rule, token).await?
            }
            Caller::Tokenless(tokenless) => Arc::new(tokenless.policy_credentials()),
        };
        Ok(Some(Question {
            rule,
            rules: Arc::clone(&self.rules),
            about: self.about(rule),
            credentials,
        }))
    }

    /// The ids in the path, the place of the target, and under names of their own what the client sent, which can
    /// therefore not replace any of them.
    fn about(&self, rule: &str) -> Value {
        let filters = filters(rule).iter();
        let filters =
            filters.filter_map(|name| Some(((*name).to_owned(), self.query(name)?.into())));
        let mut about = self.path.clone();
        for (name, value) in [
            ("target", Value::Object(Map::new())),
            ("request_body", Value::clone(&self.body)),
            ("filter_attr", Value::Object(filters.collect())),
        ] {
            if value.is_object() {
                about.insert(name.to_owned(), value);
            }
        }
        Value::Object(about)
    }

    /// The credentials. They have the catalog and the service providers, which the database is asked for, only where the
    /// rule can see them.
    async fn credentials(&self, rule: &str, token: &AuthToken) -> Result<Arc<Value>> {
        let may_read = |path: &[&str]| self.rules.may_read(rule, path);
        let pass = self.pass().await?;
        self.app
            .auth
            .policy_credentials(pass, token, may_read)
            .await
    }

    /// The answers about each target, from a thread of its own where that may take long. There are none where no thread
    /// became free in the time that an answer may take.
    pub(super) async fn ask(
        &self,
        mut question: Question,
        targets: Vec<PolicyTarget>,
    ) -> Result<Vec<Result<(), Denied>>> {
        let (rule, count) = (question.rule, targets.len());
        let calls_out = self.rules.calls_out(rule);
        let ask = move || {
            let targets = targets.into_iter();
            targets.map(|target| question.ask(target)).collect()
        };
        if !calls_out {
            return self.bulk(count, move || Ok(ask())).await;
        }
        let RemoteChecks(threads) = self.app.remote_checks.clone();
        let limit = self.app.policy.remote_timeout();
        let Ok(thread) = timeout(limit, threads.acquire_owned()).await else {
            tracing::warn!(
                rule,
                "a policy rule is denied: {THREADS} others are waiting for the servers that they ask"
            );
            return Ok(Vec::new());
        };
        let thread = thread.map_err(Error::unavailable)?;
        let answers = spawn_blocking(move || {
            // A client that hangs up does not stop the thread, which therefore counts until it ends.
            let _held = thread;
            ask()
        });
        answers.await.map_err(Error::internal)
    }

    /// The items that the rule allows the caller to reach.
    pub(crate) async fn filter_allowed<T>(
        &self,
        rule: &'static str,
        items: Vec<T>,
        target: impl Fn(&T) -> Result<PolicyTarget>,
    ) -> Result<Vec<T>> {
        let Some(question) = self.question(rule).await? else {
            return Ok(items);
        };
        let targets = items.iter().map(target).collect::<Result<_>>()?;
        let answers = self.ask(question, targets).await?;
        let answered = items.into_iter().zip(answers);
        let allowed = answered.filter_map(|(item, answer)| answer.is_ok().then_some(item));
        Ok(allowed.collect())
    }

    /// Whether the rule allows everything to everybody.
    pub(crate) fn allows_all(&self, rule: &str) -> bool {
        matches!(self.rules.check(rule), Some(Check::True))
    }

    /// The caller's id, where the rule only asks whether the caller owns a thing, which `owner` of the target names, and
    /// refuses the things of others, such as `foreign`.
    pub(crate) async fn confined_to_own(
        &self,
        rule: &'static str,
        owner: &str,
        foreign: PolicyTarget,
    ) -> Result<Option<&str>> {
        let Some(user_id) = self.caller.user_id() else {
            return Ok(None);
        };
        if !self.rules.depends_only_on_owner(rule, "user_id", owner) {
            return Ok(None);
        }
        let refused = self.allow_on(rule, foreign).await.is_err();
        Ok(refused.then_some(user_id))
    }
}

/// Those of role assignments; for a tree, `keystone/api/role_assignments.py` leaves out the last.
const ASSIGNMENTS: [&str; 7] = [
    "group.id",
    "role.id",
    "scope.domain.id",
    "scope.project.id",
    "scope.OS-INHERIT:inherited_to",
    "user.id",
    "scope.system",
];

/// The attributes by which a collection can be filtered, as Keystone shows them to its rule.
pub(crate) fn filters(rule: &str) -> &'static [&'static str] {
    let (_, action) = rule.split_once(':').unwrap_or_default();
    match action {
        "list_access_rules" => &["service", "path", "method"],
        "list_credentials" => &["user_id", "type"],
        "list_domain_roles" | "list_roles" => &["name", "domain_id"],
        "list_domains" => &["name", "enabled"],
        // A name where a list of names is meant, in `keystone/api/os_ep_filter.py`.
        "list_endpoint_groups" => &["n", "a", "m", "e"],
        "list_endpoints" => &["interface", "service_id", "region_id"],
        "list_groups" => &["domain_id", "name"],
        "list_identity_providers" | "list_service_providers" => &["id", "enabled"],
        "list_application_credentials" | "list_groups_for_user" => &["name"],
        "list_limits" => &[
            "service_id",
            "region_id",
            "resource_name",
            "project_id",
            "domain_id",
        ],
        "list_projects" => &["domain_id", "enabled", "name", "parent_id", "is_domain"],
        "list_regions" => &["parent_region_id"],
        "list_registered_limits" => &["service_id", "region_id", "resource_name"],
        "list_role_assignments" => &ASSIGNMENTS,
        "list_role_assignments_for_tree" => &ASSIGNMENTS[..6],
        "list_services" => &["type", "name"],
        "list_user_projects" => &["domain_id", "enabled", "name"],
        "list_users" => &[
            "domain_id",
            "enabled",
            "idp_id",
            "name",
            "protocol_id",
            "unique_id",
            "password_expires_at",
        ],
        "list_users_in_group" => &["domain_id", "enabled", "name", "password_expires_at"],
        _ => &[],
    }
}
