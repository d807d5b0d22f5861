//! Regions, services, endpoints and the catalog in a token.
