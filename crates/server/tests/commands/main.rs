//! The two commands, run as an operator runs them.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops at the first thing that fails"
)]

mod bootstrap;
mod configuration;
mod database;
mod dev;
mod doctor;
mod key_sets;
mod keys;
mod mapping;
mod operations;
mod policy;
mod saml;
mod sandbox;
mod security;
mod serve;
mod setup;
mod sockets;
mod status;
mod surface;
mod tls;
mod who_can;
