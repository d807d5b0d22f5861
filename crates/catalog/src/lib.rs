#![doc = include_str!("../README.md")]

mod attributes;
mod catalog;
mod endpoint;
#[cfg(test)]
mod fixture;
mod region;
mod scope;
mod service;
mod url;

pub use catalog::{Catalog, Settings};
pub use endpoint::Endpoint;
pub use region::Region;
pub use scope::{CatalogEndpoint, CatalogService};
pub use service::Service;
