#![doc = include_str!("../README.md")]

mod config;
mod convert;
mod effect;
mod finding;
mod ini;
mod interpolate;
mod resolve;
mod settings;
mod sources;
mod strangers;
mod table;
mod uri;

pub use config::{Change, Config};
pub use finding::{Finding, Origin, Problems};
pub use sources::{Program, Source, Sources};
