//! The API, asked through the whole router: a module for each resource.

mod auth;
mod bad_input;
mod cascade;
mod credentials;
mod domain_config;
mod extremes;
mod health;
mod implied_roles;
mod library;
mod limits;
mod listings;
mod many;

mod revocation_events;
mod role_assignments;
mod rows;
mod scopes;
mod users;
