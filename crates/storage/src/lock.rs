//! Row locks that hold on every node of a Galera cluster.
//!
//! A row lock is local to its node: transactions on two nodes conflict only when they commit, and only in rows that both
//! have written. So on Galera a locking read first inserts marker rows for what it locks and deletes them in the same
//! transaction, so that no other transaction sees them. Of two transactions that wrote a common marker row, Galera rolls
//! one back, and it is retried. An exclusive lock writes all marker rows; a shared lock writes one at random, so that
//! shared locks seldom conflict with each other.

use std::{borrow::Cow, time::Duration};

use crate::{Arg, Query, driver::MySqlConnection, pool::Lease};

/// How many marker rows one locked row has.
const ROWS: u8 = 8;

/// The two kinds of row lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    /// Excludes every other lock.
    Exclusive,
    /// Excludes exclusive locks only.
    Shared,
}

impl Lock {
    /// The clause of the `SELECT`, which locks on one node.
    pub(crate) fn clause(self) -> &'static str {
        match self {
            Self::Exclusive => " FOR UPDATE",
            Self::Shared => " LOCK IN SHARE MODE",
        }
    }

    /// Writes and deletes the marker rows, which locks on every node of the cluster.
    pub(crate) async fn write_marker_rows(
        self,
        thing: &str,
        lease: &mut Lease<MySqlConnection>,
        limit: Option<Duration>,
    ) -> sqlx::Result<()> {
        let rows = self.rows(thing);
        // Keystone's `config_register` is the one table with room for any name whose other use this does not disturb.
        let places = vec!["(MD5(?), '')"; rows.len()].join(", ");
        let insert = format!("INSERT INTO config_register (type, domain_id) VALUES {places}");
        let places = vec!["MD5(?)"; rows.len()].join(", ");
        // By the key: a scan of the whole table would wait for the marker rows of all transactions.
        let delete = format!(
            "DELETE c FROM config_register c FORCE INDEX (PRIMARY) WHERE c.type IN ({places})"
        );
        for text in [insert, delete] {
            let query = Query::new(Cow::Owned(text), rows.clone());
            query.affected(lease, limit).await?;
        }
        Ok(())
    }

    fn rows(self, thing: &str) -> Vec<Arg> {
        let chance = getrandom::u32().unwrap_or_default() % u32::from(ROWS);
        let row = |n: u32| Arg::Text(Some(format!("{n}/{thing}")));
        match self {
            Self::Exclusive => (0..ROWS.into()).map(row).collect(),
            Self::Shared => vec![row(chance)],
        }
    }
}
