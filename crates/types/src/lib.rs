#![doc = include_str!("../README.md")]

mod clock;
mod error;
mod extra;
mod listing;
mod overlay;
mod resource;
mod secret;
mod validate;

pub use clock::{Clock, render_time, render_zoneless_time};
pub use error::{Error, Result, check_length, check_name};
pub use extra::Extra;
pub use keystone_python::json;
pub use keystone_python::json::write as to_python_json;
pub use listing::{Case, Comparison, Filter, Listing, Page, filter_is_true};
pub use overlay::overlay;
pub use resource::{Resource, new_id, same_id};
pub use secret::Secret;
pub use validate::{NotValidated, TokenBody, Validate, Wanted};
