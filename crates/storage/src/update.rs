//! An `UPDATE` of the changed columns only, so that no write undoes another one's change of other columns.

use crate::{Arg, Exec, Query, Result};

/// An `UPDATE` under construction: only literals reach the text, every value is bound.
#[derive(Debug)]
pub struct Update {
    text: String,
    args: Vec<Arg>,
}

/// Starts an `UPDATE` of a table.
pub fn update(table: &'static str) -> Update {
    Update {
        text: format!("UPDATE {table} SET "),
        args: Vec::new(),
    }
}

impl Update {
    /// Sets a column if its value changes.
    #[must_use]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "two values of one kind, which may be references"
    )]
    pub fn set<T: PartialEq + Into<Arg>>(mut self, column: &'static str, old: T, new: T) -> Self {
        if old != new {
            let glue = if self.args.is_empty() { "" } else { ", " };
            self.text.extend([glue, column, " = ?"]);
            self.args.push(new.into());
        }
        self
    }

    /// Runs it on the rows for which `condition`, which holds one `?`, is true. Without a changed column it runs nothing.
    pub async fn apply(
        self,
        condition: &'static str,
        value: impl Into<Arg>,
        exec: impl Into<Exec<'_>>,
    ) -> Result<()> {
        self.apply_all(condition, [value], exec).await
    }

    /// The same for a condition that holds as many `?` as there are values.
    pub async fn apply_all<T: Into<Arg>>(
        mut self,
        condition: &'static str,
        values: impl IntoIterator<Item = T>,
        exec: impl Into<Exec<'_>>,
    ) -> Result<()> {
        if self.args.is_empty() {
            return Ok(());
        }
        self.text.extend([" WHERE ", condition]);
        self.args.extend(values.into_iter().map(Into::into));
        let query = Query::new(self.text.into(), self.args);
        query.execute(exec).await.map(drop)
    }
}
