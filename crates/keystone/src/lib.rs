//! An OpenStack Keystone as a library.
