//! Keystone's Alembic revisions since Yoga, and which of them a database has.

use crate::Dialect;

/// The two halves of an upgrade, and their common root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Branch {
    Root,
    Expand,
    Contract,
}

/// One Alembic revision and the statements it stands for on either database.
#[derive(Debug)]
pub(super) struct Revision {
    pub(super) id: &'static str,
    pub(super) branch: Branch,
    mysql: &'static str,
    sqlite: &'static str,
}

/// A macro, because `include_str!` takes only literals.
macro_rules! migration {
    ($file:literal) => {
        (
            include_str!(concat!("../../migrations/mysql/", $file)),
            include_str!(concat!("../../migrations/sqlite/", $file)),
        )
    };
}

const NOTHING: (&str, &str) = ("", "");

const fn revision(
    id: &'static str,
    branch: Branch,
    texts: (&'static str, &'static str),
) -> Revision {
    Revision {
        id,
        branch,
        mysql: texts.0,
        sqlite: texts.1,
    }
}

/// The statements that come first in an empty database.
pub(super) const NATIVE: (&str, &str) = migration!("0000_native.sql");

/// The statements that come last in every run: indices and tables of this server's own.
pub(super) const ADDITIONS: (&str, &str) = migration!("native_additions.sql");

/// Every revision, in the order in which they run on an empty database.
pub(super) const REVISIONS: &[Revision] = &[
    revision(
        "27e647c0fad4",
        Branch::Root,
        migration!("0001_27e647c0fad4_yoga.sql"),
    ),
    revision("29e87d24a316", Branch::Expand, NOTHING),
    revision(
        "b4f8b3f584e0",
        Branch::Expand,
        migration!("0002_b4f8b3f584e0_trust_unique.sql"),
    ),
    revision(
        "11c3b243b4cb",
        Branch::Expand,
        migration!("0003_11c3b243b4cb_relay_state_prefix.sql"),
    ),
    revision(
        "47147121",
        Branch::Expand,
        migration!("0004_47147121_mapping_schema_version.sql"),
    ),
    revision(
        "e8725d6fa226",
        Branch::Expand,
        migration!("0005_e8725d6fa226_project_endpoint_group_index.sql"),
    ),
    revision(
        "742c857f1dfb",
        Branch::Expand,
        migration!("0006_742c857f1dfb_revocation_event_indexes.sql"),
    ),
    revision("e25ffa003242", Branch::Contract, NOTHING),
    revision(
        "99de3849d860",
        Branch::Contract,
        migration!("0007_99de3849d860_old_unique_constraints.sql"),
    ),
    revision(
        "c88cdce8f248",
        Branch::Contract,
        (
            include_str!("../../migrations/mysql/0008_c88cdce8f248_project_tag_index.sql"),
            "",
        ),
    ),
];

/// The newest revision of the expand branch.
pub const EXPAND_HEAD: &str = "742c857f1dfb";

/// The newest revision of the contract branch.
pub const CONTRACT_HEAD: &str = "c88cdce8f248";

/// The revision that `revision` follows, if there is one.
pub(super) fn before(revision: &Revision) -> Option<&'static str> {
    let earlier = REVISIONS.iter().take_while(|r| r.id != revision.id);
    let same = earlier.filter(|r| r.branch == revision.branch || r.branch == Branch::Root);
    same.last().map(|r| r.id)
}

impl Revision {
    /// The statements that bring a database at `found` to this revision.
    pub(super) fn text(&self, dialect: Dialect, found: &Revisions) -> &'static str {
        match dialect {
            Dialect::MySql => self.mysql,
            // Rebuilding `trust` would bring back what contract dropped, if contract
            // ran first (as with Alembic by hand): then contract's rebuild is used.
            Dialect::Sqlite if self.id == "b4f8b3f584e0" => REVISIONS
                .iter()
                .find(|r| r.id == "99de3849d860" && found.include(r))
                .map_or(self.sqlite, |r| r.sqlite),
            Dialect::Sqlite => self.sqlite,
        }
    }
}

/// The revision of each branch, from the rows of `alembic_version`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revisions {
    /// The revision of the expand branch; the common root counts as expand, as in Keystone.
    pub expand: Option<&'static str>,
    /// The revision of the contract branch.
    pub contract: Option<&'static str>,
}

impl Revisions {
    /// Reads the rows of `alembic_version`; the error is the rows that no revision here has.
    pub(super) fn of(rows: &[String]) -> Result<Self, Vec<String>> {
        let mut found = Self::default();
        let mut unknown = Vec::new();
        for row in rows {
            match REVISIONS.iter().find(|r| r.id == row) {
                Some(r) if r.branch == Branch::Contract => found.contract = Some(r.id),
                Some(r) if r.branch == Branch::Expand => found.expand = Some(r.id),
                Some(r) => found.expand = found.expand.or(Some(r.id)),
                None => unknown.push(row.clone()),
            }
        }
        if unknown.is_empty() {
            Ok(found)
        } else {
            Err(unknown)
        }
    }

    /// Whether `revision` is in the database already.
    pub(super) fn include(&self, revision: &Revision) -> bool {
        let place = |id| REVISIONS.iter().position(|r| Some(r.id) == id);
        let at = place(Some(revision.id));
        match revision.branch {
            Branch::Root => self.expand.is_some() || self.contract.is_some(),
            Branch::Expand => place(self.expand) >= at,
            Branch::Contract => place(self.contract) >= at,
        }
    }
}
