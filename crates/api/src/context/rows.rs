//! A rule asked about each of many things.

use std::sync::Arc;

use keystone_policy::Enforcer;
use keystone_types::{Error, Result};
use serde_json::Value;

use super::{Context, PolicyTarget};
use crate::middleware::Caller;

impl Context {
    /// Those of the items that the rule allows the caller to reach.
    pub(crate) async fn reachable<T>(
        &self,
        rule: &'static str,
        items: Vec<T>,
        target: impl Fn(&T) -> Result<PolicyTarget>,
    ) -> Result<Vec<T>> {
        let token = match &self.caller {
            Caller::Nobody => return Err(Error::unauthorized("no valid token in the request")),
            Caller::AdminToken => return Ok(items),
            Caller::Token(token) => token,
        };
        let credentials = self.credentials(rule, token).await?;
        // One question, in which the targets take turns: a request's body may be long.
        let question = self.question(rule, PolicyTarget::new());
        let targets = items.iter().map(target).collect::<Result<Vec<_>>>()?;
        let policy = Arc::clone(&self.app.policy);
        let ask = move || answers(&policy, rule, question, targets, &credentials);
        let allowed = self.decide(rule, items.len(), ask).await?;
        let items = items.into_iter().zip(allowed.unwrap_or_default());
        Ok(items
            .filter_map(|(item, allowed)| allowed.then_some(item))
            .collect())
    }

    /// The caller's id, where the rule looks at nothing but whether the caller owns a thing, and
    /// refuses things of others: what `owner` of the target names.
    pub(crate) async fn confined_to_own(
        &self,
        rule: &'static str,
        owner: &str,
        stranger: PolicyTarget,
    ) -> Result<Option<&str>> {
        let rules = self.app.policy.rules();
        let Some(token) = self.token() else {
            return Ok(None);
        };
        if !rules.asks_only_for_owner(rule, "user_id", owner) {
            return Ok(None);
        }
        let refused = self.allow_on(rule, stranger).await.is_err();
        Ok(refused.then_some(token.subject.user.id.as_str()))
    }
}

fn answers(
    policy: &Enforcer,
    rule: &str,
    mut question: Value,
    targets: Vec<PolicyTarget>,
    credentials: &Value,
) -> Vec<bool> {
    let ask = |PolicyTarget(target)| {
        question["target"] = Value::Object(target);
        policy.enforce(rule, &question, credentials).is_ok()
    };
    targets.into_iter().map(ask).collect()
}
