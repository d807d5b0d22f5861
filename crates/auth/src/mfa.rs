//! Multi-factor rules: which methods a user needs, and the receipt for those that succeeded so far.

use std::collections::BTreeSet;

use keystone_identity::Subject;
use keystone_token::Receipt;
use keystone_types::{Error, Result, render_time};
use serde_json::{Value, json};

use crate::auth::Auth;

impl Auth {
    /// Checks that the methods satisfy one of the user's rules; otherwise fails with a receipt for them.
    pub(crate) fn check_rules(&self, subject: &Subject, methods: &BTreeSet<String>) -> Result<()> {
        let options = &subject.user.options.0;
        if options.get("multi_factor_auth_enabled") == Some(&Value::Bool(false)) {
            return Ok(());
        }
        let rules = self.rules(options.get("multi_factor_auth_rules"));
        if rules.is_empty() || rules.iter().any(|rule| rule.is_subset(methods)) {
            return Ok(());
        }
        let continued: Vec<&BTreeSet<String>> = rules
            .iter()
            .filter(|rule| !rule.is_disjoint(methods))
            .collect();
        let user = &subject.user;
        let now = self.clock.now();
        let receipt = Receipt {
            user_id: user.id.clone(),
            methods: methods.iter().cloned().collect(),
            issued_at: now,
            expires_at: now + self.settings.receipt_expiration,
        };
        let body = json!({
            "receipt": {
                "methods": methods,
                "user": {
                    "domain": { "id": subject.domain.id, "name": subject.domain.name },
                    "id": user.id,
                    "name": user.name(),
                },
                "expires_at": render_time(receipt.expires_at),
                "issued_at": render_time(receipt.issued_at),
            },
            "required_auth_methods": continued,
        });
        let receipt = self.receipts.seal(&receipt).map_err(Error::internal)?;
        Err(Error::Receipt { receipt, body })
    }

    /// The rules, reduced to methods that are enabled; empty ones are none.
    fn rules(&self, rules: Option<&Value>) -> Vec<BTreeSet<String>> {
        let rules = rules.and_then(Value::as_array).into_iter().flatten();
        let is_enabled = |name: &&str| self.settings.methods.iter().any(|known| known == name);
        let reduced = rules.filter_map(|rule| {
            // A rule with anything but names is none, as in `keystone/auth/core.py`.
            let names: Option<Vec<&str>> = rule.as_array()?.iter().map(Value::as_str).collect();
            let names = names?.into_iter().filter(is_enabled).map(str::to_owned);
            Some(names.collect())
        });
        reduced
            .filter(|rule: &BTreeSet<String>| !rule.is_empty())
            .collect()
    }

    /// The methods in a receipt, which must be the same user's and not expired.
    pub(crate) fn receipt_methods(&self, receipt: &str, user_id: &str) -> Result<Vec<String>> {
        let refused = || Error::Authentication {
            message: format!("Could not find auth receipt: {receipt}."),
            identity: None,
        };
        let opened = self.receipts.open(receipt);
        let opened = opened.map_err(|error| {
            if error.is_of_text() {
                refused()
            } else {
                Error::internal(error)
            }
        })?;
        if opened.user_id != user_id || opened.expires_at <= self.clock.precise() {
            return Err(refused());
        }
        Ok(opened.methods)
    }
}
