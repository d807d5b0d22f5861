//! Logins at identity providers, and what becomes of their users and tokens.

mod access_tokens;
mod browsers;
mod cases;
mod provider;
mod saml;
mod steps;
mod world;
