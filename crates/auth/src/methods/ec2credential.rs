//! `ec2credential`: the mark of tokens that signed requests were exchanged for. Nobody logs in with it.

use keystone_types::Error;

use crate::delegation::EC2;

pub(super) const NAME: &str = EC2;

pub(super) fn refusal() -> Error {
    Error::unauthorized("tokens for signed requests are at /v3/ec2tokens and /v3/s3tokens")
}
