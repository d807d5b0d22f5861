//! Filters and pages of a collection, in SQL.
//!
//! Case-sensitive comparisons use `REPLACE`, which both databases do byte by byte, because `LIKE`
//! ignores case in `MariaDB`'s usual collations and, for ASCII, in `SQLite`.

use keystone_types::{Case, Comparison, Filter, Listing, filter_is_true};

use crate::{Arg, Query, Select};

/// An attribute that a collection can be filtered by.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name on the wire.
    pub name: &'static str,
    /// The column behind it.
    pub sql: &'static str,
    /// Its type.
    pub kind: ColumnKind,
}

/// The type of a filtered column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// Text of at most so many characters; a longer value matches nothing.
    Text(usize),
    /// A flag.
    Bool,
}

impl Column {
    /// A column of text.
    pub const fn text(name: &'static str, sql: &'static str, length: usize) -> Self {
        Self {
            name,
            sql,
            kind: ColumnKind::Text(length),
        }
    }

    /// A column that holds a flag.
    pub const fn flag(name: &'static str, sql: &'static str) -> Self {
        Self {
            name,
            sql,
            kind: ColumnKind::Bool,
        }
    }
}

impl Select {
    /// Adds every filter of the listing whose name is among `columns` and skips the others.
    #[must_use]
    pub fn narrow(self, listing: &Listing, columns: &[Column]) -> Self {
        listing.filters.iter().fold(self, |select, filter| {
            match columns.iter().find(|column| column.name == filter.name) {
                Some(column) => select.compare(*column, filter),
                None => select,
            }
        })
    }

    /// Orders by `id`, starts after the marker, and reads one row more than the page holds.
    pub fn page(self, listing: &Listing, id: &'static str) -> Query {
        let mut select = self;
        if let Some(marker) = &listing.marker {
            select = select.piece(&[id, " > ?"], [marker.as_str()]);
        }
        select.ordered(id, listing.limit.map(|limit| limit.saturating_add(1)))
    }

    fn compare(self, column: Column, filter: &Filter) -> Self {
        let value = filter.value.as_str();
        match column.kind {
            ColumnKind::Bool => self.piece(&[column.sql, " = ?"], [filter_is_true(value)]),
            ColumnKind::Text(length) if value.chars().count() > length => self.and("1 = 0"),
            ColumnKind::Text(_) => self.compare_text(column.sql, filter.comparison, value),
        }
    }

    fn compare_text(self, sql: &'static str, comparison: Comparison, value: &str) -> Self {
        let exact = value.replace('!', "!!");
        let escaped = match comparison {
            // Keystone does not escape wildcards in case-insensitive filters (`keystone.common.sql.core`).
            Comparison::Contains(Case::Insensitive)
            | Comparison::StartsWith(Case::Insensitive)
            | Comparison::EndsWith(Case::Insensitive) => exact,
            _ => exact.replace('%', "!%").replace('_', "!_"),
        };
        let (pattern, case) = match comparison {
            Comparison::Equals => return self.piece(&[sql, " = ?"], [value]),
            Comparison::Contains(case) => (format!("%{escaped}%"), case),
            Comparison::StartsWith(case) => (format!("{escaped}%"), case),
            Comparison::EndsWith(case) => (format!("%{escaped}"), case),
        };
        let select = self.piece(&[sql, " LIKE ? ESCAPE '!'"], [pattern]);
        if case == Case::Insensitive || value.is_empty() {
            return select;
        }
        let length = Arg::Int(i64::try_from(value.chars().count()).ok());
        match comparison {
            Comparison::StartsWith(_) => select.piece(
                &["LENGTH(REPLACE(SUBSTR(", sql, ", 1, ?), ?, '')) = 0"],
                [length, value.into()],
            ),
            Comparison::EndsWith(_) => select.piece(
                &["LENGTH(REPLACE(SUBSTR(", sql, ", -?), ?, '')) = 0"],
                [length, value.into()],
            ),
            _ => {
                let text = ["LENGTH(REPLACE(", sql, ", ?, '')) < LENGTH(", sql, ")"];
                select.piece(&text, [value])
            }
        }
    }
}
