//! A Keystone for tests: a bootstrapped cloud over a real database, its users, and requests that
//! go through the whole router.
//!
//! `KEYSTONE_TEST_DATABASE=mysql://…` runs the same tests on a MariaDB server: each cloud then
//! gets a database of its own there. Where `KEYSTONE_TEST_NEIGHBOUR=mysql://…` names another node of
//! its Galera cluster, [`Cloud::neighbour`] uses that one. `KEYSTONE_TEST_STATEMENTS=file` lists there what SQL ran.

mod answer;
mod cloud;
mod database;
mod placeholders;
mod session;
mod statements;

pub use answer::Answer;
pub use cloud::{ADMIN_PASSWORD, Cloud};
pub use placeholders::{Ids, fill, fill_text};
pub use session::Session;
