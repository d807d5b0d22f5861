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
<<<<<<< HEAD
mod setup;
mod status;
mod surface;
=======
mod sockets;
>>>>>>> 2d0604e (Answer /metrics and /ready on a listener of their own, and take sockets of systemd and files)
mod tls;
