#![doc = include_str!("../README.md")]

mod client;
mod tls;

pub use client::{Answer, Client, Failure, Limits};
pub use tls::{Trust, Unusable, tls_config};
