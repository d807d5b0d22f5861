//! A Keystone for tests: a cloud, its users, and requests.
