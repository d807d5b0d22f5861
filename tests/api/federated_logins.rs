//! Logins at identity providers, and what becomes of their users and tokens.

mod access_tokens;
mod browsers;
mod cases;
mod provider;
mod saml;
mod saml_forgeries;
mod saml_providers;
mod steps;
mod world;
