//! The oslo.policy rule language with Keystone's default rules.
