//! Published weaknesses of Keystone as tests, each named after its row of README.md.

mod application_credentials;
mod certificates;
mod credentials;
mod ec2;
mod endings;
mod federation;
mod grants;
mod input;
mod known_differences;
mod lifecycle;
mod load;
mod logins;
mod logs;
mod matrix;
mod oauth1;
mod proxies;
mod receipts;
mod snapshot;
mod suites;
mod tokens;
mod trusts;
mod world;
