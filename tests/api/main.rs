//! The API, asked through the whole router: a module for each resource.

mod application_credentials;
mod auth;
mod bad_input;
mod cascade;
mod certificates;
mod credentials;
mod domain_config;
mod ec2;
mod extremes;
mod facts;
mod guard;
mod health;
mod implied_roles;
mod library;
mod limits;
mod listings;
mod long_lists;
mod many;
mod oauth1;
mod revocation_events;
mod role_assignments;
mod rows;
mod scopes;
mod trusts;
mod users;
mod validator;
