//! The commands keystone and keystone-manage.
