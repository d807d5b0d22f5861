//! The Identity API v3 as an axum router.
