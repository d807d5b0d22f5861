//! `external`: a web server in front vouches for the user, in Keystone. There is none in front of this server.

use keystone_types::Error;

pub(super) const NAME: &str = "external";

pub(super) fn refusal() -> Error {
    Error::unauthorized("nobody is authenticated externally")
}
