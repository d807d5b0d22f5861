#![doc = include_str!("../README.md")]

mod arguments;
mod configuration;
mod dev;
mod environment;
mod error;
mod logs;
mod manage;
mod program;
mod readiness;
mod serve;
mod status;
mod terminal;

pub use program::{keystone, keystone_manage, keystone_status};
