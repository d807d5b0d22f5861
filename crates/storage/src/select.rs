//! A `SELECT` whose `WHERE` clause depends on which filters the caller gave.

use std::borrow::Cow;

use crate::{Arg, Query};

/// A `SELECT` under construction: only literals reach the text, every value is bound.
#[derive(Debug)]
pub struct Select {
    text: String,
    args: Vec<Arg>,
    glue: &'static str,
}

/// Starts a filtered `SELECT` from its literal text, which has no `WHERE` of its own.
pub fn select(text: &'static str) -> Select {
    Select {
        text: text.to_owned(),
        args: Vec::new(),
        glue: " WHERE ",
    }
}

impl Select {
    /// Adds `condition`, which holds one `?`, when a value is present.
    #[must_use]
    pub fn filter<T: Into<Arg>>(self, condition: &'static str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.filter_all(condition, [value]),
            None => self,
        }
    }

    /// Adds `condition`, which holds as many `?` as there are values.
    #[must_use]
    pub fn filter_all<T: Into<Arg>>(
        mut self,
        condition: &'static str,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        self.args.extend(values.into_iter().map(Into::into));
        self.and(condition)
    }

    /// Adds `condition`, whose `(?)` takes as many values as there are.
    #[must_use]
    pub fn among<T: Into<Arg>>(
        mut self,
        condition: &'static str,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        let before = self.args.len();
        self.args.extend(values.into_iter().map(Into::into));
        let places = match self.args.len() - before {
            0 => "(NULL)".to_owned(),
            n => format!("(?{})", ", ?".repeat(n - 1)),
        };
        self.glue();
        self.text.push_str(&condition.replacen("(?)", &places, 1));
        self
    }

    /// Adds `condition`, which holds no `?`.
    #[must_use]
    pub fn and(mut self, condition: &'static str) -> Self {
        self.glue();
        self.text.push('(');
        self.text.push_str(condition);
        self.text.push(')');
        self
    }

    /// Adds `column IN (?, ?, …)`; an empty list matches nothing.
    #[must_use]
    pub fn within<T: Into<Arg>>(
        mut self,
        column: &'static str,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        let before = self.args.len();
        self.args.extend(values.into_iter().map(Into::into));
        self.glue();
        match self.args.len() - before {
            0 => self.text.push_str("1 = 0"),
            n => {
                self.text.push_str(column);
                self.text.push_str(" IN (?");
                self.text.push_str(&", ?".repeat(n - 1));
                self.text.push(')');
            }
        }
        self
    }

    /// Adds `column IN (SELECT …)`.
    #[must_use]
    pub fn within_query(mut self, column: &'static str, query: Self) -> Self {
        self.args.extend(query.args);
        self.glue();
        self.text.extend([column, " IN (", &query.text, ")"]);
        self
    }

    /// Adds literal text before the `WHERE` clause: a join, or the `SELECT` behind a `WITH`.
    #[must_use]
    pub fn text(mut self, text: &'static str) -> Self {
        self.text.push_str(text);
        self
    }

    /// Binds the next `?` of the text before the `WHERE` clause.
    #[must_use]
    pub fn bind(mut self, value: impl Into<Arg>) -> Self {
        self.args.push(value.into());
        self
    }

    /// Adds `UNION ALL` and another `SELECT`, which has no `WHERE` of its own.
    #[must_use]
    pub fn union_all(mut self, text: &'static str) -> Self {
        self.text.push_str(" UNION ALL ");
        self.text.push_str(text);
        self.glue = " WHERE ";
        self
    }

    /// Adds literal text behind a `WHERE` clause, such as the rest of a `WITH`; the `SELECT` behind it may have one, too.
    #[must_use]
    pub fn behind(mut self, text: &'static str) -> Self {
        self.text.push_str(text);
        self.glue = " WHERE ";
        self
    }

    /// Ends the `WHERE` clause with a literal tail, such as ` ORDER BY id LIMIT ?`.
    pub fn then(mut self, tail: &'static str) -> Query {
        self.text.push_str(tail);
        Query::new(Cow::Owned(self.text), self.args)
    }

    /// Adds a condition assembled from literals.
    pub(crate) fn piece<T: Into<Arg>>(
        mut self,
        text: &[&'static str],
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        self.args.extend(values.into_iter().map(Into::into));
        self.glue();
        self.text.extend(text.iter().copied());
        self
    }

    /// Ends the `WHERE` clause with `ORDER BY column`, and `LIMIT` where one is given.
    pub(crate) fn ordered(mut self, column: &'static str, limit: Option<u32>) -> Query {
        self.text.extend([" ORDER BY ", column]);
        if let Some(limit) = limit {
            self.text.push_str(" LIMIT ?");
            self.args.push(limit.into());
        }
        self.then("")
    }

    fn glue(&mut self) {
        self.text
            .push_str(std::mem::replace(&mut self.glue, " AND "));
    }
}
