//! Locks that hold on every node of a Galera cluster.
//!
//! A lock on a row is one of its node's: two transactions at two nodes meet when they are committed, and only in rows
//! that both have written. So where a connection is to Galera a locking read first writes rows that stand for what it
//! locks, and takes them away again in the same transaction: nobody sees them. Of two transactions that wrote a common
//! one, one is undone and run again. Who locks for itself writes all of the rows; who shares writes one of them by chance,
//! so that those who share seldom meet.

use std::{borrow::Cow, time::Duration};

use sqlx::MySqlConnection;

use crate::{Arg, Query, pool::Lease};

/// How many rows stand for one thing.
const ROWS: u8 = 8;

/// What a lock keeps off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    /// Everybody else.
    Alone,
    /// Those who lock for themselves.
    Shared,
}

impl Lock {
    /// What the database of one node is told.
    pub(crate) fn clause(self) -> &'static str {
        match self {
            Self::Alone => " FOR UPDATE",
            Self::Shared => " LOCK IN SHARE MODE",
        }
    }

    /// Keeps the others off on every node of a cluster.
    pub(crate) async fn claim(
        self,
        thing: &str,
        lease: &mut Lease<MySqlConnection>,
        limit: Option<Duration>,
    ) -> sqlx::Result<()> {
        let rows = self.rows(thing);
        // The table has room for any name, and no other use that this would be in the way of.
        let places = vec!["(MD5(?), '')"; rows.len()].join(", ");
        let insert = format!("INSERT INTO config_register (type, domain_id) VALUES {places}");
        let places = vec!["MD5(?)"; rows.len()].join(", ");
        // By the key: who reads the whole table waits for everybody's rows.
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
            Self::Alone => (0..ROWS.into()).map(row).collect(),
            Self::Shared => vec![row(chance)],
        }
    }
}
