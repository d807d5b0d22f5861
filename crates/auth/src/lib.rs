//! From credentials to a scope to a token, and back.
