//! Logins at identity providers, and what becomes of their users and tokens.

mod access_tokens;
mod cases;
mod steps;
mod world;
