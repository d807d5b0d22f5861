//! Published weaknesses of Keystone as tests, each named after its row of README.md.

mod credentials;
mod endings;
mod grants;
mod input;
mod load;
mod logins;
mod logs;
mod together;
mod tokens;
mod world;
