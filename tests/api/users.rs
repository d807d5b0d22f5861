//! `/v3/users`: what no recording can show, because Keystone would have to wait for days or to federate.

mod compliance;
mod federated;
