//! The commands `keystone` and `keystone-manage`: what turns the library into a service.
//!
//! `keystone serve` answers the API for a `keystone.conf`, `keystone dev` for a directory that it
//! makes itself, and `keystone-manage` has the subcommands of the reference, with their flags, exit
//! codes and effects, so that an operator's scripts run unchanged.
//!
//! Configuration files, the environment and the terminal are met here and in `keystone-config`, and
//! nowhere else.

mod arguments;
mod configuration;
mod dev;
mod environment;
mod failure;
mod logs;
mod manage;
mod program;
mod readiness;
mod serve;
mod terminal;

pub use program::{keystone, keystone_manage};
