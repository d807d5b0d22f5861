//! The msgpack values that payloads are made of, written and read.
//!
//! Written as `msgpack` 1.x for Python writes them. Read from either generation: before 1.0 it
//! had no type for bytes and wrote them as strings, so both are accepted wherever one is due.

use base64::{Engine, engine::GeneralPurpose, engine::GeneralPurposeConfig};
use base64::{alphabet::URL_SAFE, engine::DecodePaddingMode, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Datelike, NaiveDateTime};
use keystone_python::uuid_digits;
use rmp::{Marker, decode, encode, encode::buffer::ByteBuf};
use uuid::Uuid;

use crate::error::{Error, Result};

const INFALLIBLE: &str = "a buffer in memory takes every write";

/// As lenient as Python about the bits that the last character has to spare.
const AUDIT_ID: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Writes a payload.
#[derive(Default)]
pub(crate) struct Packer(ByteBuf);

impl Packer {
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0.into_vec()
    }

    pub(crate) fn array(&mut self, len: usize) {
        let len = u32::try_from(len).expect("nobody has four billion groups");
        encode::write_array_len(&mut self.0, len).expect(INFALLIBLE);
    }

    pub(crate) fn uint(&mut self, value: u64) {
        encode::write_uint(&mut self.0, value).expect(INFALLIBLE);
    }

    pub(crate) fn text(&mut self, value: &str) {
        encode::write_str(&mut self.0, value).expect(INFALLIBLE);
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) {
        encode::write_bin(&mut self.0, value).expect(INFALLIBLE);
    }

    /// An id as a pair: 16 bytes if it reads as a UUID, itself otherwise.
    pub(crate) fn id(&mut self, id: &str) {
        let uuid = parse_uuid(id);
        self.flag(uuid.is_some());
        match uuid {
            Some(uuid) => self.bytes(uuid.as_bytes()),
            None => self.text(id),
        }
    }

    /// An id that may be absent.
    pub(crate) fn optional_id(&mut self, id: Option<&str>) {
        if let Some(id) = id {
            self.id(id);
        } else {
            self.flag(false);
            encode::write_nil(&mut self.0).expect(INFALLIBLE);
        }
    }

    /// A pair that holds a text even if it reads as a UUID.
    pub(crate) fn plain_pair(&mut self, value: &str) {
        self.flag(false);
        self.text(value);
    }

    /// Seconds since the epoch, with the fraction.
    pub(crate) fn time(&mut self, time: NaiveDateTime) {
        let time = time.and_utc();
        // Below 2^53 microseconds the quotient is rounded once, as Python rounds it.
        #[expect(clippy::cast_precision_loss, reason = "exact until the year 2255")]
        let seconds = match time.timestamp_subsec_micros() {
            0 => time.timestamp() as f64,
            _ => time.timestamp_micros() as f64 / 1e6,
        };
        encode::write_f64(&mut self.0, seconds).expect(INFALLIBLE);
    }

    pub(crate) fn audit_ids(&mut self, ids: &[String]) -> Result<()> {
        self.array(ids.len());
        for id in ids {
            let bytes = AUDIT_ID.decode(id).map_err(|_| Error::NotRepresentable {
                field: "audit id",
                value: id.clone(),
            })?;
            self.bytes(&bytes);
        }
        Ok(())
    }

    fn flag(&mut self, is_uuid: bool) {
        self.array(2);
        encode::write_bool(&mut self.0, is_uuid).expect(INFALLIBLE);
    }
}

/// Reads a payload.
pub(crate) struct Unpacker<'a>(&'a [u8]);

impl<'a> Unpacker<'a> {
    pub(crate) fn new(payload: &'a [u8]) -> Self {
        Self(payload)
    }

    /// Checks that the input is at its end.
    pub(crate) fn finish(self) -> Result<()> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Error::Malformed("trailing bytes"))
        }
    }

    pub(crate) fn array(&mut self) -> Result<usize> {
        let len = decode::read_array_len(&mut self.0).map_err(|_| Error::Malformed("array"))?;
        Ok(len as usize)
    }

    pub(crate) fn uint(&mut self) -> Result<u64> {
        decode::read_int(&mut self.0).map_err(|_| Error::Malformed("integer"))
    }

    pub(crate) fn text(&mut self) -> Result<String> {
        as_text(self.bytes()?)
    }

    /// Bytes or a string.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8]> {
        self.bytes_or_nil()?.ok_or(Error::Malformed("nil"))
    }

    pub(crate) fn id(&mut self) -> Result<String> {
        self.optional_id()?.ok_or(Error::Malformed("nil"))
    }

    pub(crate) fn optional_id(&mut self) -> Result<Option<String>> {
        if self.array()? != 2 {
            return Err(Error::Malformed("pair"));
        }
        let is_uuid = decode::read_bool(&mut self.0).map_err(|_| Error::Malformed("pair"))?;
        match (is_uuid, self.bytes_or_nil()?) {
            (true, Some(bytes)) => render_uuid(bytes).map(Some),
            (false, Some(bytes)) => as_text(bytes).map(Some),
            (false, None) => Ok(None),
            (true, None) => Err(Error::Malformed("uuid")),
        }
    }

    /// Whole seconds: rounds to microseconds and then drops them, as `datetime.fromtimestamp` and
    /// `keystone/token/token_formatters.py` do.
    pub(crate) fn time(&mut self) -> Result<NaiveDateTime> {
        let time = decode::read_f64(&mut self.0).map_err(|_| Error::Malformed("time"))?;
        if time.is_nan() {
            return Err(Error::Malformed("time"));
        }
        let micros = (time.fract() * 1e6).round_ties_even();
        let carry = if micros >= 1e6 {
            1.0
        } else {
            -f64::from(micros < 0.0)
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "saturates, which is out of range"
        )]
        let seconds = (time.trunc() + carry) as i64;
        from_timestamp(seconds)
    }

    pub(crate) fn audit_ids(&mut self) -> Result<Vec<String>> {
        let ids = self.array()?;
        (0..ids)
            .map(|_| Ok(BASE64_URL_SAFE_NO_PAD.encode(self.bytes()?)))
            .collect()
    }

    fn bytes_or_nil(&mut self) -> Result<Option<&'a [u8]>> {
        const WRONG: Error = Error::Malformed("bytes");
        let len = match self.0.first().map(|first| Marker::from_u8(*first)) {
            Some(Marker::Null) => {
                self.0 = &self.0[1..];
                return Ok(None);
            }
            Some(Marker::Bin8 | Marker::Bin16 | Marker::Bin32) => decode::read_bin_len(&mut self.0),
            _ => decode::read_str_len(&mut self.0),
        };
        let len = len.map_err(|_| WRONG)? as usize;
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(WRONG)?;
        self.0 = rest;
        Ok(Some(bytes))
    }
}

/// A time in whole seconds, if Python could render it.
pub(crate) fn from_timestamp(seconds: i64) -> Result<NaiveDateTime> {
    DateTime::from_timestamp(seconds, 0)
        .filter(|time| (1..=9999).contains(&time.year()))
        .map(|time| time.naive_utc())
        .ok_or(Error::Malformed("time"))
}

/// 16 bytes as 32 hexadecimal digits.
pub(crate) fn render_uuid(bytes: &[u8]) -> Result<String> {
    let uuid = Uuid::from_slice(bytes).map_err(|_| Error::Malformed("uuid"))?;
    Ok(uuid.simple().to_string())
}

/// Parses a UUID as leniently as Python's `uuid.UUID()`.
pub(crate) fn parse_uuid(text: &str) -> Option<Uuid> {
    uuid_digits(text).and_then(|digits| Uuid::try_parse(&digits).ok())
}

fn as_text(bytes: &[u8]) -> Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Error::Malformed("text"))
}
