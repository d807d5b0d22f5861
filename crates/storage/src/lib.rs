//! One SQL text over MariaDB and SQLite, and the schema of Keystone.
