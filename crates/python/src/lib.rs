#![doc = include_str!("../README.md")]

pub mod format;
pub mod json;
mod literal;
#[cfg(feature = "patterns")]
mod regex;
#[cfg(feature = "schemas")]
pub mod schema;
pub mod template;
mod text;
#[cfg(feature = "time")]
mod time;
mod value;

pub use literal::text_list;
#[cfg(feature = "patterns")]
pub use regex::{InvalidPattern, Regex, Undecided};
pub use text::{bool_from_string, is_space, percent_encode, quote, quote_plus, uuid_digits};
#[cfg(feature = "time")]
pub use time::parse_isotime;
pub use value::{float, is_true, repr, str};
