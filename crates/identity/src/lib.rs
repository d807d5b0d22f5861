//! Domains, projects, users, groups, roles and assignments.
