//! The two commands, run as an operator runs them.

mod bootstrap;
mod configuration;
mod database;
mod dev;
mod keys;
mod policy;
mod serve;
mod world;
