//! How many of its things a user may have: the options `user_limit`.

use keystone_storage::{Tx, sql};
use keystone_types::{Error, Result};

use crate::project::ROOT;

/// How many things of a kind each user may have.
#[derive(Clone, Copy, Debug)]
pub struct UserLimit {
    /// `user_limit`; `None` for no limit.
    pub most: Option<u32>,
    /// The kind in the plural, as a client reads it.
    pub what: &'static str,
    /// The statement that counts those of a user.
    pub count: &'static str,
}

impl UserLimit {
    /// 403 where a user has as many as allowed. Writers for one user take turns from here to the end of the transaction.
    pub async fn check(&self, tx: &mut Tx, user_id: &str) -> Result<()> {
        let Some(most) = self.most else {
            return Ok(());
        };
        let user = sql("SELECT id FROM user WHERE id = ?").bind(user_id);
        if !user.locking().exists(&mut *tx).await? {
            // The user need not exist. The row above all domains exists in every database.
            let root = sql("SELECT id FROM project WHERE id = ?").bind(ROOT);
            root.locking().exists(&mut *tx).await?;
        }
        let (held,): (i64,) = sql(self.count).bind(user_id).fetch_one(tx).await?;
        if held < i64::from(most) {
            return Ok(());
        }
        Err(Error::Refused(format!(
            "Unable to create additional {}, maximum of {most} already exceeded for user.",
            self.what
        )))
    }
}
