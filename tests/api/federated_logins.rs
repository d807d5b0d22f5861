//! Logins at identity providers, and what becomes of their users and tokens.

mod cases;
mod steps;
mod world;
