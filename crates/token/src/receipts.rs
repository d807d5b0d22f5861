//! Receipts: proof of the methods that succeeded so far, where a user needs more than one.

use std::sync::Arc;

use chrono::NaiveDateTime;

use crate::container;
use crate::error::{Error, Result};
use crate::methods::Methods;
use crate::msgpack::{Packer, Unpacker};
use crate::ring::KeyRing;

/// A decoded receipt; times are UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The user who authenticates.
    pub user_id: String,
    /// The methods that succeeded, as far as `[auth] methods` names them.
    pub methods: Vec<String>,
    /// When it was made, in whole seconds.
    pub issued_at: NaiveDateTime,
    /// When it ends; an opened receipt has whole seconds.
    pub expires_at: NaiveDateTime,
}

/// Turns receipts into text and back.
#[derive(Clone, Debug)]
pub struct Receipts {
    keys: Arc<KeyRing>,
    methods: Methods,
}

impl Receipts {
    /// `methods` is `[auth] methods` in its order.
    pub fn new(keys: Arc<KeyRing>, methods: Vec<String>) -> Self {
        Self {
            keys,
            methods: Methods::new(methods),
        }
    }

    /// The receipt as text, sealed with the primary key.
    pub fn seal(&self, receipt: &Receipt) -> Result<String> {
        let mut out = Packer::default();
        out.array(3);
        out.id(&receipt.user_id);
        out.uint(self.methods.bits(&receipt.methods));
        out.time(receipt.expires_at);
        container::seal(&*self.keys.keys()?, &out.into_bytes(), receipt.issued_at)
    }

    /// Opens a receipt that one of the keys has sealed, expired or not.
    pub fn open(&self, sealed: &str) -> Result<Receipt> {
        let (payload, issued_at) = container::open(&*self.keys.keys()?, sealed)?;
        let mut input = Unpacker::new(&payload);
        if input.array()? != 3 {
            return Err(Error::Malformed("number of fields"));
        }
        let user_id = input.id()?;
        let methods = self.methods.names(input.uint()?);
        let expires_at = input.time()?;
        input.finish()?;
        Ok(Receipt {
            user_id,
            methods,
            issued_at,
            expires_at,
        })
    }
}
