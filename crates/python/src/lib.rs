#![doc = include_str!("../README.md")]

pub mod format;
pub mod json;
mod text;
#[cfg(feature = "time")]
mod time;
mod value;

pub use text::{bool_from_string, is_space, quote, quote_plus, uuid_digits};
#[cfg(feature = "time")]
pub use time::parse_isotime;
pub use value::{float, is_true, repr, str};
