#![doc = include_str!("../README.md")]

mod attributes;
mod catalog;
mod endpoint;
mod endpoint_filter;
mod endpoint_group;
mod endpoint_policy;
#[cfg(test)]
mod fixture;
mod policy;
#[cfg(test)]
mod races;
mod region;
mod scope;
mod service;
mod url;

pub use catalog::{Catalog, Settings};
pub use endpoint::Endpoint;
pub use endpoint_filter::CASCADE;
pub use endpoint_group::{EndpointGroup, Filters};
pub use endpoint_policy::{Association, PolicyEndpoint};
pub use policy::{Blob, Policy};
pub use region::Region;
pub use scope::{CatalogEndpoint, CatalogService, Choice, Sources, Template};
pub use service::Service;
