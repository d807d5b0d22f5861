//! The API, asked through the whole router: a module for each resource.

mod auth;
