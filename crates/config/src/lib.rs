#![doc = include_str!("../README.md")]

mod config;
mod convert;
mod diagnostic;
mod families;
mod ignored_options;
mod ini;
mod interpolate;
mod resolve;
mod settings;
mod sources;
mod table;
mod unknown_options;
mod uri;

pub use config::{Change, Config};
pub use diagnostic::{Diagnostic, Location, Problems};
pub use settings::{domain_of_file, files_below};
pub use sources::{ConfigSource, Program, Sources, file_options};
