//! The change log: a table to which triggers add a row, in the same transaction, for each change of what tokens stand for.
//!
//! Whoever writes, a node of this server, Python Keystone or somebody at a SQL prompt, the log has it. What a row tells is
//! a [`Kind`] and the id of what changed. `SOURCES` is the list of the tables that log, and of what each row of them stands
//! for.
//!
//! `InnoDB` fires no triggers for rows that a foreign key deletes or updates. The table where each of these cascades begins
//! logs enough for what goes with it: `CASCADES` names them all, and a test compares it with the schema.

use crate::{Db, Dialect, Exec, Result, Tx, select, sql};

use super::sync::{LOCK_WAIT, lock, raw, unlock};

/// What a change may affect; the numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// Nothing: the first row, and what closes a gap between ids.
    Nothing = 0,
    /// Anything.
    Everything = 1,
    /// A user.
    User = 2,
    /// The members of a group, or its grants.
    Group = 3,
    /// A project or a domain.
    Project = 4,
    /// The catalog.
    Catalog = 6,
    /// The token with an audit id.
    Audit = 7,
    /// The tokens of a chain of audit ids.
    Chain = 8,
    /// A trust.
    Trust = 9,
    /// An application credential.
    ApplicationCredential = 10,
    /// An access token of `OAuth1`.
    AccessToken = 11,
}

impl Kind {
    /// The kind of a stored number; one that only a newer release knows may affect anything.
    pub fn of(number: i64) -> Self {
        const KNOWN: [Kind; 10] = [
            Kind::Nothing,
            Kind::User,
            Kind::Group,
            Kind::Project,
            Kind::Catalog,
            Kind::Audit,
            Kind::Chain,
            Kind::Trust,
            Kind::ApplicationCredential,
            Kind::AccessToken,
        ];
        let known = KNOWN.into_iter().find(|kind| *kind as i64 == number);
        known.unwrap_or(Self::Everything)
    }
}

/// What the rows of a table log.
#[derive(Debug)]
struct Source {
    table: &'static str,
    /// The kind and the id as SQL; `@` stands for `NEW` or `OLD`.
    kind: &'static str,
    id: &'static str,
    on: On,
}

/// Which changes of a row count.
#[derive(Debug)]
enum On {
    /// All of them. An update is not looked into: a trigger that names a column would break each write once a migration
    /// has dropped it.
    Any,
    /// Insertions, deletions and updates of these columns.
    Columns(&'static [&'static str]),
    /// Insertions only.
    Insert,
}

const fn source(table: &'static str, kind: &'static str, id: &'static str) -> Source {
    Source {
        table,
        kind,
        id,
        on: On::Any,
    }
}

const APPLICATION_CREDENTIAL: &str = "COALESCE((SELECT c.id FROM application_credential c \
    WHERE c.internal_id = @.application_credential_id), '')";

/// The tables that log.
const SOURCES: &[Source] = &[
    source("user", "2", "@.id"),
    Source {
        // Counting failed logins changes nothing about the user's tokens.
        on: On::Columns(&["user_id", "domain_id", "name"]),
        ..source("local_user", "2", "@.user_id")
    },
    source("nonlocal_user", "2", "@.user_id"),
    source("federated_user", "2", "@.user_id"),
    source("user_option", "2", "@.user_id"),
    source(
        "password",
        "2",
        "COALESCE((SELECT l.user_id FROM local_user l WHERE l.id = @.local_user_id), '')",
    ),
    source("user_group_membership", "2", "@.user_id"),
    source("expiring_user_group_membership", "2", "@.user_id"),
    source("access_rule", "2", "COALESCE(@.user_id, '')"),
    source("group", "3", "@.id"),
    source(
        "assignment",
        "CASE WHEN @.type IN ('UserProject', 'UserDomain') THEN 2 ELSE 3 END",
        "@.actor_id",
    ),
    source(
        "system_assignment",
        "CASE WHEN @.type = 'UserSystem' THEN 2 ELSE 3 END",
        "@.actor_id",
    ),
    source("project", "4", "@.id"),
    source("project_option", "4", "@.project_id"),
    source("project_endpoint", "6", "''"),
    source("project_endpoint_group", "6", "''"),
    source("service", "6", "''"),
    source("endpoint", "6", "''"),
    source("region", "6", "''"),
    source("endpoint_group", "6", "''"),
    source("service_provider", "6", "''"),
    source("trust", "9", "@.id"),
    source("trust_role", "9", "@.trust_id"),
    source("application_credential", "10", "@.id"),
    source("application_credential_role", "10", APPLICATION_CREDENTIAL),
    source(
        "application_credential_access_rule",
        "10",
        APPLICATION_CREDENTIAL,
    ),
    source("access_token", "11", "@.id"),
    // Their cascades reach the rows of many.
    source("identity_provider", "1", "''"),
    source("federation_protocol", "1", "''"),
    source("implied_role", "1", "''"),
    source("role", "1", "''"),
    Source {
        // Only valid tokens are remembered, and no deleted event ends one.
        on: On::Insert,
        ..source(
            "revocation_event",
            "CASE WHEN @.audit_id IS NOT NULL THEN 7 WHEN @.audit_chain_id IS NOT NULL THEN 8 \
             WHEN @.user_id IS NOT NULL THEN 2 WHEN @.trust_id IS NOT NULL THEN 9 \
             WHEN @.project_id IS NOT NULL THEN 4 WHEN @.domain_id IS NOT NULL THEN 4 ELSE 1 END",
            "COALESCE(@.audit_id, @.audit_chain_id, @.user_id, @.trust_id, @.project_id, @.domain_id, '')",
        )
    },
];

/// The cascades of the schema, each from the table where it begins to one whose rows go or change with it. What the first
/// logs voids all that depends on the second.
pub const CASCADES: &[(&str, &str)] = &[
    ("access_rule", "application_credential_access_rule"),
    (
        "application_credential",
        "application_credential_access_rule",
    ),
    ("application_credential", "application_credential_role"),
    ("federation_protocol", "federated_user"),
    ("identity_provider", "expiring_user_group_membership"),
    ("identity_provider", "federated_user"),
    ("identity_provider", "federation_protocol"),
    ("identity_provider", "idp_remote_ids"),
    ("local_user", "password"),
    ("project", "project_option"),
    ("project", "project_tag"),
    ("role", "implied_role"),
    ("role", "role_option"),
    ("user", "federated_user"),
    ("user", "local_user"),
    ("user", "nonlocal_user"),
    ("user", "user_option"),
];

/// The tables that log, by name.
pub fn tables() -> impl Iterator<Item = &'static str> {
    SOURCES.iter().map(|source| source.table)
}

const PREFIX: &str = "keystone_change_";

/// A trigger as it should be.
#[derive(Debug)]
struct Trigger {
    name: String,
    /// What stands between `CREATE TRIGGER` and the body, from the name on.
    head: String,
    body: String,
}

impl Trigger {
    /// What the database tells of it.
    fn told(&self, dialect: Dialect) -> String {
        match dialect {
            Dialect::MySql => self.body.clone(),
            Dialect::Sqlite => format!("CREATE TRIGGER {} {}", self.head, self.body),
        }
    }
}

fn triggers(dialect: Dialect) -> Vec<Trigger> {
    let each = SOURCES.iter().flat_map(|source| source.triggers(dialect));
    each.collect()
}

impl Source {
    fn triggers(&self, dialect: Dialect) -> Vec<Trigger> {
        let mut all = vec![self.trigger(dialect, "INSERT", "", &[self.log("NEW")])];
        if !matches!(self.on, On::Insert) {
            all.push(self.trigger(dialect, "DELETE", "", &[self.log("OLD")]));
            let changed = self.changed(dialect);
            let mut body = vec![self.log("NEW")];
            if self.id.contains('@') {
                body.push(self.log_moved(dialect));
            }
            all.push(self.trigger(dialect, "UPDATE", &changed, &body));
        }
        all
    }

    fn trigger(
        &self,
        dialect: Dialect,
        event: &str,
        changed: &str,
        statements: &[String],
    ) -> Trigger {
        let table = self.table;
        let name = format!("{PREFIX}{table}_{}", event.to_lowercase());
        let mut head = format!("`{name}` AFTER {event} ON `{table}` FOR EACH ROW");
        let mut statements = statements.join("; ");
        let body = match dialect {
            Dialect::MySql => {
                if !changed.is_empty() {
                    statements = format!("IF {changed} THEN {statements}; END IF");
                }
                // Where the table is gone, writing goes on: nobody is misled, because nothing is remembered without it.
                format!("BEGIN DECLARE CONTINUE HANDLER FOR 1146 BEGIN END; {statements}; END")
            }
            Dialect::Sqlite => {
                if !changed.is_empty() {
                    head = format!("{head} WHEN {changed}");
                }
                format!("BEGIN {statements}; END")
            }
        };
        Trigger { name, head, body }
    }

    fn of(text: &str, row: &str) -> String {
        text.replace('@', row)
    }

    fn log(&self, row: &str) -> String {
        let (kind, id) = (Self::of(self.kind, row), Self::of(self.id, row));
        format!("INSERT INTO keystone_change (kind, ref) VALUES ({kind}, {id})")
    }

    /// Logs the row as it was, if the update made it stand for something else.
    fn log_moved(&self, dialect: Dialect) -> String {
        let is = |row| (Self::of(self.kind, row), Self::of(self.id, row));
        let ((old_kind, old), (new_kind, new)) = (is("OLD"), is("NEW"));
        let moved = format!("{old_kind} <> {new_kind} OR {old} <> {new}");
        match dialect {
            Dialect::MySql => format!("IF {moved} THEN {}; END IF", self.log("OLD")),
            Dialect::Sqlite => format!(
                "INSERT INTO keystone_change (kind, ref) SELECT {old_kind}, {old} WHERE {moved}"
            ),
        }
    }

    /// Whether one of the columns that count has changed; empty if each update counts.
    fn changed(&self, dialect: Dialect) -> String {
        let On::Columns(columns) = self.on else {
            return String::new();
        };
        let same = match dialect {
            Dialect::MySql => "<=>",
            Dialect::Sqlite => "IS",
        };
        let same = columns.iter().map(|c| format!("OLD.{c} {same} NEW.{c}"));
        format!("NOT ({})", same.collect::<Vec<_>>().join(" AND "))
    }
}

const TABLE: (&str, &str) = (
    "CREATE TABLE IF NOT EXISTS keystone_change (\
        id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, \
        kind TINYINT NOT NULL, \
        ref VARCHAR(64) CHARACTER SET utf8mb3 COLLATE utf8mb3_bin NOT NULL DEFAULT '', \
        at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)) ENGINE=InnoDB",
    "CREATE TABLE IF NOT EXISTS keystone_change (\
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, \
        kind INTEGER NOT NULL, \
        ref VARCHAR(64) NOT NULL DEFAULT '', \
        at VARCHAR(32) NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')))",
);

/// Each can be run again.
fn statements(dialect: Dialect) -> Vec<String> {
    let (table, create) = match dialect {
        Dialect::MySql => (TABLE.0, "CREATE OR REPLACE TRIGGER"),
        Dialect::Sqlite => (TABLE.1, "CREATE TRIGGER"),
    };
    let mut all = vec![table.to_owned()];
    for trigger in triggers(dialect) {
        if dialect == Dialect::Sqlite {
            all.push(format!("DROP TRIGGER IF EXISTS `{}`", trigger.name));
        }
        all.push(format!("{create} {} {}", trigger.head, trigger.body));
    }
    // Nobody may rely on what was logged while they were not there.
    all.push("INSERT INTO keystone_change (kind) VALUES (1)".to_owned());
    all
}

/// Makes the table and the triggers as they should be. On `MariaDB` it needs the `TRIGGER` privilege and, where the binary
/// log is on and on Galera, `SUPER` or `log_bin_trust_function_creators`.
pub async fn install(db: &Db) -> Result<()> {
    let mut tx = db.hold().await?;
    lock(&mut tx).await?;
    let done = run(&mut tx, &statements(db.dialect())).await;
    unlock(&mut tx, done.is_ok()).await?;
    done
}

/// Removes the triggers and the table.
pub async fn remove(db: &Db) -> Result<()> {
    let dropped = triggers(db.dialect()).into_iter();
    let mut texts: Vec<String> = dropped
        .map(|trigger| format!("DROP TRIGGER IF EXISTS `{}`", trigger.name))
        .collect();
    texts.push("DROP TABLE IF EXISTS keystone_change".to_owned());
    let mut tx = db.hold().await?;
    lock(&mut tx).await?;
    let done = run(&mut tx, &texts).await;
    unlock(&mut tx, done.is_ok()).await?;
    done
}

/// Whether rows can be written, which a trigger refuses whose account is gone, as in a backup of another server, or lacks
/// privileges: inserts one and takes it back.
pub async fn check_write(db: &Db) -> Result<()> {
    let mut tx = db.begin().await?;
    sql("INSERT INTO region (id, description) VALUES ('keystone_check_write', '')")
        .execute(&mut tx)
        .await?;
    tx.rollback().await;
    Ok(())
}

async fn run(tx: &mut Tx, texts: &[String]) -> Result<()> {
    for text in texts {
        raw(tx, text).await?;
    }
    Ok(())
}

/// The statements of [`install`] for the database's own client. On `MariaDB` the triggers run with the privileges of the
/// account of this connection, whoever creates them. It gets those that are missing: without them each write would fail.
pub async fn script(db: &Db) -> Result<String> {
    let dialect = db.dialect();
    let mut texts = statements(dialect);
    if dialect == Dialect::Sqlite {
        return Ok(texts.join(";\n") + ";\n");
    }
    let (account,): (String,) = sql("SELECT CURRENT_USER()").fetch_one(db).await?;
    let (name, host) = account.rsplit_once('@').unwrap_or((&account, "%"));
    let quoted = |part: &str| format!("`{}`", part.replace('`', "``"));
    let account = format!("{}@{}", quoted(name), quoted(host));
    let definer = format!("CREATE OR REPLACE DEFINER={account} TRIGGER");
    for text in &mut texts {
        *text = text.replacen("CREATE OR REPLACE TRIGGER", &definer, 1);
    }
    if !may_trigger(db, &format!("'{name}'@'{host}'")).await? {
        // For each table: where there are privileges for a pattern of databases, those for this one would replace them.
        let grants = tables().map(|table| format!("GRANT TRIGGER ON `{table}` TO {account}"));
        let log = format!("GRANT SELECT, INSERT, DELETE ON keystone_change TO {account}");
        // Behind the table of the log.
        texts.splice(1..1, grants.chain([log]));
    }
    Ok(format!(
        "DELIMITER //\n{LOCK_WAIT}//\n{}//\nDELIMITER ;\n",
        texts.join("//\n")
    ))
}

/// Whether an account is known to have the privilege `TRIGGER` on all tables.
async fn may_trigger(db: &Db, account: &str) -> Result<bool> {
    let known = sql("\
        SELECT COUNT(*) FROM ( \
            SELECT grantee FROM information_schema.user_privileges WHERE grantee = ? AND privilege_type = 'TRIGGER' \
             UNION ALL \
            SELECT grantee FROM information_schema.schema_privileges \
             WHERE grantee = ? AND privilege_type = 'TRIGGER' AND table_schema = DATABASE()) granted")
        .bind(account)
        .bind(account);
    let (rows,): (i64,) = known.fetch_one(db).await?;
    Ok(rows > 0)
}

/// How many ids may be missing between the rows: a reader remembers each of them.
pub const MOST_GAPS: i64 = 1_000_000;

/// Whether more ids are missing than that.
async fn has_gap(mut exec: Exec<'_>) -> Result<bool> {
    let span = sql("SELECT MAX(id) - MIN(id) FROM keystone_change");
    let (span,): (Option<i64>,) = span.fetch_one(exec.reborrow()).await?;
    let Some(span) = span.filter(|span| *span > MOST_GAPS) else {
        return Ok(false);
    };
    let rows = sql("SELECT COUNT(*) FROM keystone_change");
    let (rows,): (i64,) = rows.fetch_one(exec).await?;
    Ok(span - rows > MOST_GAPS)
}

/// What keeps the log from being complete; `None` if nothing does.
pub async fn incomplete(exec: impl Into<Exec<'_>>) -> Result<Option<String>> {
    let mut exec = exec.into();
    let dialect = exec.dialect();
    if super::tables(exec.reborrow(), &["keystone_change"])
        .await?
        .is_empty()
    {
        return Ok(Some("there is no table keystone_change".to_owned()));
    }
    let (found, name) = match dialect {
        Dialect::MySql => (
            select("SELECT trigger_name, action_statement FROM information_schema.triggers")
                .and("trigger_schema = DATABASE()"),
            "trigger_name",
        ),
        Dialect::Sqlite => (
            select("SELECT name, sql FROM sqlite_master").and("type = 'trigger'"),
            "name",
        ),
    };
    let wanted = triggers(dialect);
    let names: Vec<&str> = wanted.iter().map(|trigger| trigger.name.as_str()).collect();
    let found = found.within(name, names).then("");
    let found: Vec<(String, Option<String>)> = found.fetch_all(exec.reborrow()).await?;
    if found.iter().any(|(_, text)| text.is_none()) {
        return Ok(Some(
            "this account has not the privilege TRIGGER, without which it sees no triggers and they refuse its writes"
                .to_owned(),
        ));
    }
    let is_there = |trigger: &&Trigger| {
        let told = trigger.told(dialect);
        found
            .iter()
            .any(|(n, text)| *n == trigger.name && text.as_ref() == Some(&told))
    };
    let missing = wanted.iter().filter(|trigger| !is_there(trigger)).count();
    if missing > 0 {
        let total = wanted.len();
        return Ok(Some(format!("{missing} of {total} triggers are missing")));
    }
    if has_gap(exec.reborrow()).await? {
        return Ok(Some(
            "its ids have a gap of millions, which no transaction makes".to_owned(),
        ));
    }
    if dialect == Dialect::MySql {
        let read_only: (bool,) = sql("SELECT @@read_only = 1").fetch_one(exec).await?;
        if read_only.0 {
            return Ok(Some(
                "the database server is read-only, so it may lag behind another".to_owned(),
            ));
        }
    }
    Ok(None)
}
