#![doc = include_str!("../README.md")]

mod check;
mod defaults;
mod enforcer;
mod error;
mod evaluate;
mod explain;
#[cfg(feature = "http")]
mod flatten;
mod literal;
mod overrides;
mod parse;
mod references;
mod remote;
mod rules;
mod scope;
mod settings;
mod template;
mod yaml;

pub use check::Check;
pub use defaults::{DefaultRule, Deprecated, keystone_defaults};
pub use enforcer::Enforcer;
pub use error::{Denied, Fault, Flaw, LoadError, Loss};
pub use explain::{Explanation, Outcome, Part};
pub use overrides::Overrides;
pub use rules::{Loaded, Rules};
pub use scope::ScopeType;
pub use settings::{RemoteFormat, RemoteSettings, Settings};
