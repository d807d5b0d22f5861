//! What a trust can pass on: the rules between two trusts that follow each other (`keystone/trust/core.py`).

use keystone_identity::Subject;
use keystone_types::{Error, Result, same_id};

use super::Trust;
use crate::auth::Auth;

impl Auth {
    /// 403 unless every trust of a chain may follow the one before it, whose trustee has to be enabled.
    pub(super) fn check_chain<'u>(
        &self,
        chain: &[Trust],
        find: impl Fn(&str) -> Option<&'u Subject>,
    ) -> Result<()> {
        for (later, earlier) in chain.iter().zip(chain.iter().skip(1)) {
            self.check_link(earlier, later)?;
            let agent = find(&earlier.trustee_user_id);
            if !agent.is_some_and(|agent| agent.user.enabled && agent.domain.enabled) {
                return Err(refused(
                    earlier,
                    "one of the trust agents is disabled or deleted",
                ));
            }
        }
        Ok(())
    }

    /// 403 unless one trust may follow another.
    pub(super) fn check_link(&self, earlier: &Trust, later: &Trust) -> Result<()> {
        let most = self.settings.max_redelegation_count;
        let Some(depth) = earlier.redelegation_count else {
            return Err(incomparable("int", "NoneType"));
        };
        if !(0 < depth && depth <= most) {
            return Err(refused(
                earlier,
                &format!("its remaining redelegation depth of {depth} is not within 1 and {most}"),
            ));
        }
        if later.remaining_uses.is_some() {
            return Err(refused(
                earlier,
                "\"remaining_uses\" must not be set in order to redelegate it",
            ));
        }
        let outlives = match (earlier.expires_at, later.expires_at) {
            (Some(end), Some(later_end)) => end < later_end,
            (None, Some(_)) => return Err(incomparable("NoneType", "datetime.datetime")),
            (_, None) => false,
        };
        if outlives {
            return Err(refused(
                earlier,
                "the requested expiration time is more than it can provide",
            ));
        }
        if !later.roles.iter().all(|role| earlier.roles.contains(role)) {
            return Err(refused(earlier, "it lacks some of the requested roles"));
        }
        if later.impersonation && !earlier.impersonation {
            return Err(refused(earlier, "it does not specify impersonation"));
        }
        // Keystone does not ask, so that one project's trustee reaches whatever else the trustor has.
        let project = |trust: &Trust| trust.project_id.clone().unwrap_or_default();
        if !same_id(&project(earlier), &project(later)) {
            return Err(refused(earlier, "it is for another project"));
        }
        Ok(())
    }
}

/// Where Keystone compares what is not set, clients get Python's words.
fn incomparable(one: &str, other: &str) -> Error {
    Error::Validation(format!(
        "'<' not supported between instances of '{one}' and '{other}'"
    ))
}

fn refused(earlier: &Trust, reason: &str) -> Error {
    Error::Forbidden {
        detail: format!("Trust {} can't be redelegated: {reason}.", earlier.id),
    }
}
