//! What `doctor` looks for in the database.

use std::time::Duration;

use keystone::identity::Identity;
use keystone::storage::Db;
use keystone::storage::schema::{self, SchemaState, changes};
use keystone::types::{Clock, Error, Result};

use super::Doctor;
use crate::configuration::Configuration;
use crate::error::with_causes;
use crate::readiness::clock_skew;
use crate::serve;

/// How long a directory may take.
const DIRECTORY_LIMIT: Duration = Duration::from_secs(10);

impl Doctor {
    pub(super) async fn database(&mut self, configuration: &Configuration) {
        self.look("an unusable database");
        let db = match serve::connect(&configuration.settings.database).await {
            Ok(db) => db,
            Err(error) => {
                let advice = format!("{error}\nThe server does not start without it.");
                return self.warn("The database can't be reached.", &advice);
            }
        };
        if let Err(error) = self.examine_database(&db, configuration).await {
            let advice = format!(
                "{}\nCheck the privileges of the account in `[database] connection`, and the log of the database.",
                with_causes(&error)
            );
            self.warn("The database can't be read.", &advice);
        }
        db.close().await;
    }

    async fn examine_database(&mut self, db: &Db, configuration: &Configuration) -> Result<()> {
        self.clock(db).await?;
        self.look("an old schema");
        let state = schema::state(db).await?;
        if state != SchemaState::Current {
            self.warn(
                "The schema is not that of this release.",
                &state.to_string(),
            );
        }
        if !state.is_usable() {
            return Ok(());
        }
        self.look("missing triggers");
        if let Some(why) = changes::incomplete(db).await? {
            let advice = format!(
                "{why}: every validation asks the database, which costs many times as much.\nRun `keystone-manage db_sync`, or let an \
                 administrator of the database run what `keystone-manage db_sync --print-triggers` prints. If you have left them \
                 out on purpose, and no writes are refused, there is nothing to do."
            );
            self.warn("The change log is not complete.", &advice);
        }
        self.look("refused writes");
        if let Err(error) = changes::check_write(db).await {
            let advice = format!(
                "{}\nIf triggers run as an account that is gone, as after a backup of another server was loaded, run \
                 `keystone-manage db_sync`, or let an administrator of the database run what `keystone-manage db_sync \
                 --print-triggers` prints. Otherwise check the privileges of the account in `[database] connection`, and \
                 whether the database is read-only.",
                with_causes(&error)
            );
            self.warn("The database refuses to write.", &advice);
        }
        let settings = configuration.settings.identity.clone();
        let identity = Identity::new(db.clone(), Clock::system(), settings, [])?;
        self.bootstrap(&identity).await?;
        self.directories(&identity).await?;
        self.credential_keys(&identity, configuration).await?;
        self.orphans(db, configuration).await
    }

    async fn clock(&mut self, db: &Db) -> Result<()> {
        self.look("clock skew");
        if let Some(skew) = clock_skew(db.into()).await? {
            let advice = format!(
                "{skew}: tokens end at different times on different nodes, and revocations can miss tokens.\nLet chrony or ntpd set \
                 the clocks of all nodes."
            );
            self.warn(
                "The clocks of this node and of the database differ.",
                &advice,
            );
        }
        Ok(())
    }

    async fn bootstrap(&mut self, identity: &Identity) -> Result<()> {
        self.look("a missing default domain");
        let id = &identity.settings().default_domain_id;
        match identity.domain(id).await {
            Ok(_) => Ok(()),
            Err(Error::NotFound { .. }) => {
                let advice = format!(
                    "`[identity] default_domain_id` is {id:?}, and there is no such domain.\nRun `keystone-manage bootstrap`."
                );
                self.warn("There is no default domain.", &advice);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn directories(&mut self, identity: &Identity) -> Result<()> {
        self.look("directories that can't be used");
        let failing = identity.failing_directories(DIRECTORY_LIMIT).await?;
        if !failing.is_empty() {
            let advice = format!(
                "{}\nUsers of their domains can't log in. Look whether they run, and at their options in [ldap].",
                failing.join("\n")
            );
            self.warn("A directory can't be used.", &advice);
        }
        Ok(())
    }

    /// Credentials that are encrypted with keys which this node has not, because they were rotated on another one.
    async fn credential_keys(
        &mut self,
        identity: &Identity,
        configuration: &Configuration,
    ) -> Result<()> {
        self.look("credentials without keys");
        let Ok(keys) = configuration.settings.keys.credentials.load() else {
            return Ok(());
        };
        let lost = identity.credentials_under_other_keys(keys.key_hashes());
        let lost = lost.await?;
        if lost > 0 {
            let path = configuration.settings.keys.credentials.path().display();
            let advice = format!(
                "{lost} credentials are encrypted with keys that are not in {path}.\nIf keys were rotated on another node, copy the \
                 directory from there. If they are lost, so are the credentials."
            );
            self.warn("This node has not the keys of all credentials.", &advice);
        }
        Ok(())
    }

    async fn orphans(&mut self, db: &Db, configuration: &Configuration) -> Result<()> {
        self.look("orphaned rows");
        // Users and groups of a directory that serves the default domain have no rows.
        let actors = configuration.config.string("identity", "driver") == "sql";
        let progress = &self.progress;
        let found = schema::orphans(db, actors, |table| {
            progress.show(&format!("checking for orphaned rows in {table}"));
        });
        let found = found.await?;
        if found.is_empty() {
            return Ok(());
        }
        let lines = found.iter().map(|it| {
            let (table, column, rows) = (it.table, it.column, it.rows);
            format!("{table}.{column}: {rows} rows\n  {}\n", it.statement)
        });
        let mut advice: String = lines.collect();
        advice += "They name something that is gone, and take effect again if something with the same id is created. The statements \
                   show them; after a backup, delete them with `DELETE` in place of `SELECT *`.";
        self.warn("There are orphaned rows.", &advice);
        Ok(())
    }
}
