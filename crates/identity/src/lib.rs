#![doc = include_str!("../README.md")]

mod cascade;
mod credential;
mod directory;
mod domain;
mod domain_config;
mod facts;
mod group;
mod identity;
mod limit;
mod options;
pub mod password;
mod project;
mod public_id;
mod revocation;
mod role;
mod settings;
mod shared_lock;
mod single_flight;
mod used_message;
mod user;
mod user_limit;

pub use credential::{Credential, SealedBlob, SealedCredential};
pub use directory::{Backend, BackendError, Backends, DomainBackends};
pub use domain::Domain;
pub use domain_config::rules::{Config, ConfigOptions, ConfigPart};
pub use facts::{Asked, Event, Facts, Holder};
pub use group::{Group, Membership};
pub use identity::Identity;
pub use keystone_storage::{Bulk, Deleted};
pub use limit::Limit;
pub use limit::registered::{LimitedResource, RegisteredLimit};
pub use options::Options;
pub use project::Project;
pub use project::hierarchy::Relatives;
pub use project::reference::{DomainChoice, DomainRef, ProjectRef};
pub use project::tags::Tags;
pub use public_id::{MappedIds, public_id};
pub use revocation::{Revocation, RevocationEvent, revoke};
pub use role::assignments::names::{Named, Names};
pub use role::assignments::{
    Assignment, AssignmentQuery, AssignmentScope, Assignments, IndirectSource, Position,
};
pub use role::grant::{Actor, Grant, GrantTarget, Inheritance};
pub use role::implied::RoleInference;
pub use role::{Role, RoleRef};
pub use settings::{Compliance, EnforcementModel, Settings, UrlSafe};
pub use single_flight::SingleFlight;
pub use user::account::{NewPassword, NewUser};
pub use user::authentication::{Candidate, Rejected, VerifiedUser};
pub use user::federated::{FederatedAccount, FederatedIdentity};
pub use user::shadow::{ShadowChanges, ShadowLogin, ShadowProject};
pub use user::{Subject, User};
pub use user_limit::UserLimit;
