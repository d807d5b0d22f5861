//! Keystone's Fernet tokens and receipts, and their key repositories.
