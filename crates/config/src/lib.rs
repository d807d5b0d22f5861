//! keystone.conf in oslo.config's dialect.
