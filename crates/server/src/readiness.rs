//! Checks the prerequisites of a server, and names the commands to run.

use chrono::{NaiveDateTime, TimeDelta};
use keystone::storage::schema::{SchemaState, server_time};
use keystone::storage::{self, Exec};
use keystone::token::JwsKeys;
use keystone::types::{Clock, Error};
use keystone::{Keystone, Provider};

use crate::error::{CommandError, Result};

/// How far the clocks of this node and of the database may be apart.
const SKEW: TimeDelta = TimeDelta::seconds(2);

/// Refuses a schema that is older or newer than this release.
pub(crate) fn check_schema(state: &SchemaState) -> Result<()> {
    if !state.is_usable() {
        return Err(CommandError::new(state));
    }
    if let SchemaState::Expanded(_) = state {
        tracing::warn!("{state}");
    }
    Ok(())
}

/// Logs which commands must still be run; the server starts anyway and answers as Keystone would.
pub(crate) async fn warn_about_setup(keystone: &Keystone, settings: &keystone::Settings) {
    let keys = &settings.keys;
    let mut repositories = Vec::new();
    match keys.provider {
        Provider::Fernet => repositories.push((&keys.tokens, "fernet_setup")),
        Provider::Jws => warn_about_pair(&keys.jws),
    }
    if keys.provider == Provider::Jws || keys.receipts.path() != keys.tokens.path() {
        repositories.push((&keys.receipts, "receipt_setup"));
    }
    for (repository, command) in repositories {
        if let Err(error) = repository.load() {
            tracing::warn!("{error}: {}", key_advice(&error, command));
        }
    }
    if let Err(error) = keys.credentials.load() {
        let advice = key_advice(&error, "credential_setup");
        if let keystone::token::Error::NoKeys { .. } = error {
            tracing::info!("{error}: before credentials are stored, {advice}");
        } else {
            tracing::warn!("{error}: {advice}");
        }
    }
    // It logs whether there will be answers from memory.
    if let Err(error) = keystone.auth().pass().await {
        tracing::warn!("the change log can't be read: {}", error.cause());
    }
    let identity = keystone.identity();
    let domain = &identity.settings().default_domain_id;
    match identity.domain(domain).await {
        Ok(_) => {}
        Err(Error::NotFound { .. }) => tracing::warn!(
            "there is no domain {domain:?} in the database: run `keystone-manage bootstrap`"
        ),
        Err(error) => tracing::warn!("the default domain can't be read: {}", error.cause()),
    }
}

/// What to do about keys that can't be used; `command` makes them where there are none.
pub(crate) fn key_advice(error: &keystone::token::Error, command: &str) -> String {
    if let keystone::token::Error::NoKeys { .. } = error {
        format!(
            "run `keystone-manage {command}`, or copy the directory from another node: all nodes need the same keys"
        )
    } else {
        "let the user who runs the server read the directory and the keys in it, or copy it from another node"
            .to_owned()
    }
}

/// How far the clock of this node is off by the database's, in words; nothing where that is not too far.
pub(crate) async fn clock_skew(exec: Exec<'_>) -> storage::Result<Option<String>> {
    let clock = Clock::system();
    let before = clock.precise();
    let Some(theirs) = server_time(exec).await? else {
        return Ok(None);
    };
    let ahead = ahead(before, theirs, clock.precise());
    let side = if ahead > TimeDelta::zero() {
        "ahead of"
    } else {
        "behind"
    };
    let seconds = ahead.num_seconds().abs();
    let text = format!("the clock of this node is {seconds} s {side} that of the database");
    Ok((ahead.abs() > SKEW).then_some(text))
}

/// How far this node's clock is ahead of one that told a time between two times of this node's: a slow answer is no skew.
fn ahead(before: NaiveDateTime, theirs: NaiveDateTime, after: NaiveDateTime) -> TimeDelta {
    if theirs < before {
        before - theirs
    } else {
        (after - theirs).min(TimeDelta::zero())
    }
}

fn warn_about_pair(keys: &JwsKeys) {
    if let Err(error) = keys.check() {
        tracing::warn!(
            "{error}: run `keystone-manage create_jws_keypair`, and move private.pem to {} and public.pem to {}",
            keys.private.display(),
            keys.public.display()
        );
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn a_slow_answer_is_no_skew() {
        let at = |seconds| DateTime::UNIX_EPOCH.naive_utc() + TimeDelta::seconds(seconds);
        for (before, theirs, after, wanted) in [
            (10, 15, 20, 0),
            (10, 20, 20, 0),
            (10, 23, 20, -3),
            (10, 10, 20, 0),
            (10, 7, 20, 3),
        ] {
            let ahead = ahead(at(before), at(theirs), at(after));
            assert_eq!(ahead.num_seconds(), wanted, "{before} {theirs} {after}");
        }
    }
}
