//! What a rule is asked, in the words of the reference's `keystone/common/rbac_enforcer/enforcer.py`.

use std::sync::Arc;

use keystone_auth::AuthToken;
use keystone_types::{Error, Result};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::{Context, PolicyTarget};

/// How many rules may ask other servers at a time.
const THREADS: usize = 64;

/// The threads on which rules ask other servers. They are fewer than there are for what blocks, so that slow answers
/// leave those that hash passwords alone.
#[derive(Clone, Debug)]
pub struct RemoteChecks(Arc<Semaphore>);

impl Default for RemoteChecks {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(THREADS)))
    }
}

impl Context {
    /// The ids in the path, the target, and under names of their own what the request says, which so gets in the place
    /// of nothing.
    pub(super) fn question(&self, rule: &str, target: PolicyTarget) -> Value {
        let filters = filters(rule).iter();
        let filters =
            filters.filter_map(|name| Some(((*name).to_owned(), self.query(name)?.into())));
        let mut question = self.path.clone();
        for (name, value) in [
            ("target", Value::Object(target.0)),
            ("request_body", Value::clone(&self.body)),
            ("filter_attr", Value::Object(filters.collect())),
        ] {
            if value.is_object() {
                question.insert(name.to_owned(), value);
            }
        }
        Value::Object(question)
    }

    /// The credentials, with the catalog that takes a look at the database only where the rule can see it.
    pub(super) async fn credentials(&self, rule: &str, token: &AuthToken) -> Result<Value> {
        let auth = &self.app.auth;
        let rules = self.app.policy.rules();
        let catalog = if rules.may_read(rule, &["token", "catalog"]) {
            auth.catalog_of(token).await?
        } else {
            None
        };
        let catalog = catalog.map(|catalog| (*catalog).clone());
        Ok(token.credentials(auth.settings(), catalog))
    }

    /// Runs what asks a rule about so many things, on a thread of its own where that may take long; none where no thread
    /// became free in the time that an answer may take.
    pub(super) async fn decide<T: Send + 'static>(
        &self,
        rule: &'static str,
        things: usize,
        ask: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Option<T>> {
        let policy = &self.app.policy;
        if !policy.rules().calls_out(rule) {
            return self.bulk(things, move || Ok(Some(ask()))).await;
        }
        let RemoteChecks(threads) = self.app.remote_checks.clone();
        let Ok(thread) = timeout(policy.patience(), threads.acquire_owned()).await else {
            tracing::warn!(
                rule,
                "a policy rule is denied: {THREADS} others are waiting for the servers that they ask"
            );
            return Ok(None);
        };
        let thread = thread.map_err(Error::internal)?;
        let answer = spawn_blocking(move || {
            // A caller who hangs up does not stop the thread, so it must keep counting.
            let _held = thread;
            ask()
        });
        Ok(Some(answer.await.map_err(Error::internal)?))
    }
}

/// The attributes of the query that the reference shows to a rule.
fn filters(rule: &str) -> &'static [&'static str] {
    let (_, action) = rule.split_once(':').unwrap_or_default();
    match action {
        "list_credentials" => &["user_id", "type"],
        "list_domain_roles" | "list_roles" => &["name", "domain_id"],
        "list_domains" => &["name", "enabled"],
        // A name where a list of names is meant, in `keystone/api/os_ep_filter.py`.
        "list_endpoint_groups" => &["n", "a", "m", "e"],
        "list_endpoints" => &["interface", "service_id", "region_id"],
        "list_groups" => &["domain_id", "name"],
        "list_groups_for_user" => &["name"],
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
        "list_role_assignments" => &[
            "group.id",
            "role.id",
            "scope.domain.id",
            "scope.project.id",
            "scope.OS-INHERIT:inherited_to",
            "user.id",
            "scope.system",
        ],
        "list_role_assignments_for_tree" => &[
            "group.id",
            "role.id",
            "scope.domain.id",
            "scope.project.id",
            "scope.OS-INHERIT:inherited_to",
            "user.id",
        ],
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
