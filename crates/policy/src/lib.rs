#![doc = include_str!("../README.md")]

mod check;
mod comment;
mod custom;
mod defaults;
mod enforcer;
mod error;
mod evaluate;
mod explain;
#[cfg(feature = "http")]
mod flatten;
#[cfg(feature = "keystone")]
mod keystone;
mod literal;
mod overrides;
mod parse;
mod references;
mod registry;
mod remote;
mod rules;
mod sample;
mod scope;
mod settings;
mod template;
mod yaml;

pub use check::Check;
pub use custom::{Custom, CustomCheck, Request};
pub use defaults::{DefaultRule, Deprecated, Operation};
pub use enforcer::Enforcer;
pub use error::{Denied, Fault, Flaw, LoadError, Loss};
pub use explain::{Explanation, Outcome, Part};
#[cfg(feature = "keystone")]
pub use keystone::keystone_defaults;
pub use overrides::Overrides;
pub use registry::Registry;
pub use rules::{Loaded, Rules};
pub use scope::ScopeType;
pub use settings::{RemoteFormat, RemoteSettings, Settings};
