//! Published weaknesses of Keystone as tests, each named after its row of README.md.

mod credentials;
mod endings;
mod grants;
mod input;
mod known_differences;
mod lifecycle;
mod load;
mod logins;
mod logs;
mod matrix;
mod snapshot;
mod suites;
mod tokens;
mod world;
