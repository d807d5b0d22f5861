//! Domains, projects, users, groups, roles and assignments: their rules and their SQL.
//!
//! ```no_run
//! # async fn example(db: keystone_storage::Db) -> keystone_types::Result<()> {
//! use keystone_identity::{Identity, Settings};
//! use keystone_types::{Clock, Listing};
//!
//! let identity = Identity::new(db, Clock::system(), Settings::default())?;
//! for domain in identity.domains(&Listing::default()).await?.items {
//!     println!("{} {}", domain.id, domain.name);
//! }
//! # Ok(())
//! # }
//! ```

mod account;
mod assignments;
mod compliance;
mod credential;
mod domain;
mod domain_config;
mod effective;
mod enforcement;
mod federated;
mod grant;
mod group;
mod held;
mod hierarchy;
mod inference;
mod limit;
mod login;
mod options;
pub mod password;
mod project;
mod registered_limit;
mod removal;
mod revocation;
mod role;
mod scope;
mod settings;
mod stored_password;
mod tags;
mod user;

use keystone_storage::{Bulk, Db};
use keystone_types::{Clock, Error, Result};

pub use account::{NewPassword, NewUser};
pub use assignments::{
    Assignment, AssignmentQuery, AssignmentScope, Assignments, Named, Names, Source,
};
pub use credential::{Credential, SealedBlob, SealedCredential};
pub use domain::Domain;
pub use domain_config::{Config, ConfigOptions, ConfigPart};
pub use effective::Holder;
pub use enforcement::EnforcementModel;
pub use federated::{FederatedAccount, FederatedIdentity};
pub use grant::{Actor, Grant, Reach, Target};
pub use group::{Group, Membership};
pub use hierarchy::Relatives;
pub use inference::Inference;
pub use limit::Limit;
pub use options::Options;
pub use project::Project;
pub use registered_limit::RegisteredLimit;
pub use revocation::{Revocation, RevocationEvent, revoke};
pub use role::{Role, RoleRef};
pub use scope::{DomainRef, ProjectRef};
pub use settings::{Compliance, Settings, UrlSafe};
pub use tags::Tags;
pub use user::{Subject, User};

use password::{Algorithm, Hasher};

/// Everything about who there is and what they may do; clones share one database.
#[derive(Clone, Debug)]
pub struct Identity {
    db: Db,
    clock: Clock,
    settings: std::sync::Arc<Settings>,
    hasher: Hasher,
    bulk: Bulk,
}

impl Identity {
    /// Identity over a database whose schema is current.
    pub fn new(db: Db, clock: Clock, settings: Settings) -> Result<Self> {
        // What Python Keystone can read, unless told otherwise.
        let algorithm = settings.password_algorithm.unwrap_or(Algorithm::Bcrypt);
        let hasher = Hasher::new(algorithm, &settings.passwords)?;
        Ok(Self {
            db,
            clock,
            settings: settings.into(),
            hasher,
            bulk: Bulk::default(),
        })
    }

    /// The threads for what is made of many rows.
    pub fn bulk(&self) -> &Bulk {
        &self.bulk
    }

    /// What the operator decided.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

/// 403: the resource has the option `immutable`.
fn immutable(verb: &str, kind: &str, id: &str) -> Error {
    // The stray backquote is the reference's.
    Error::Refused(format!(
        "Unable to {verb} immutable {kind} resource: `{id}. Set resource option \"immutable\" to false first."
    ))
}
