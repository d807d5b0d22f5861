//! From what serialises to text, without a [`serde_json::Value`] between: for lists of many rows.

use std::fmt::{self, Display, Write as _};
use std::ops::Range;

use serde::ser::{
    self, Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple,
    SerializeTupleStruct,
};

use super::write::push_text;
use crate::value::float;

/// Writes an object behind a text as [`write()`](super::write()) writes its value, with one member more at its end. Returns
/// false, and writes nothing, where that takes a value: two members have one name, one stands under [`UNREADABLE`](super::UNREADABLE), or
/// there is something that JSON has no place for.
pub fn append_with<T, U>(object: &T, name: &'static str, more: &U, out: &mut String) -> bool
where
    T: Serialize + ?Sized,
    U: Serialize + ?Sized,
{
    let start = out.len();
    let written = write_with(object, name, more, out);
    if written.is_err() {
        out.truncate(start);
    }
    written.is_ok()
}

/// The same for anything that serialises, and nothing at its end.
pub fn append_serialized<T: Serialize + ?Sized>(value: &T, out: &mut String) -> bool {
    let start = out.len();
    let mut writer = Writer {
        out,
        depth: 0,
        reserved: "",
    };
    let written = value.serialize(&mut writer);
    if written.is_err() {
        out.truncate(start);
    }
    written.is_ok()
}

fn write_with<T, U>(
    object: &T,
    name: &'static str,
    more: &U,
    out: &mut String,
) -> Result<(), Unusual>
where
    T: Serialize + ?Sized,
    U: Serialize + ?Sized,
{
    let mut reserved = String::new();
    push_text(name, &mut reserved);
    let mut writer = Writer {
        out,
        depth: 0,
        reserved: &reserved,
    };
    object.serialize(&mut writer)?;
    // Anything but an object ends otherwise.
    writer.out.pop().filter(|end| *end == '}').ok_or(Unusual)?;
    if !writer.out.ends_with('{') {
        writer.out.push_str(", ");
    }
    writer.out.push_str(writer.reserved);
    writer.out.push_str(": ");
    more.serialize(&mut writer)?;
    writer.out.push('}');
    Ok(())
}

/// The members past which their names are no longer compared one by one.
const FEW: usize = 64;

/// [`UNREADABLE`](super::UNREADABLE) as it is written.
const UNREADABLE_WRITTEN: &str = r#""\udbff\udfff\udb82\udc01""#;

/// What only a value can be made of.
#[derive(Debug)]
struct Unusual;

impl Display for Unusual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value has to be made of it")
    }
}

impl std::error::Error for Unusual {}

impl ser::Error for Unusual {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

struct Writer<'a> {
    out: &'a mut String,
    /// How many lists and objects are open.
    depth: usize,
    /// The name that no member of the outermost object has, as it is written.
    reserved: &'a str,
}

/// A list or an object that is being written.
struct Open<'w, 'a> {
    writer: &'w mut Writer<'a>,
    end: char,
    empty: bool,
    /// Where the names are, if they may not be distinct: members that are flattened into others can have their names.
    names: Option<Vec<Range<usize>>>,
}

impl Writer<'_> {
    fn push_display(&mut self, value: impl Display) {
        write!(self.out, "{value}").expect("a String takes what is written");
    }
}

impl<'w, 'a> Open<'w, 'a> {
    fn new(writer: &'w mut Writer<'a>, brackets: [char; 2]) -> Self {
        let [start, end] = brackets;
        writer.out.push(start);
        writer.depth += 1;
        Self {
            writer,
            end,
            empty: true,
            names: None,
        }
    }

    fn item<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Unusual> {
        self.separate();
        item.serialize(&mut *self.writer)
    }

    fn name<T: Serialize + ?Sized>(&mut self, name: &T) -> Result<(), Unusual> {
        self.separate();
        let start = self.writer.out.len();
        name.serialize(&mut *self.writer)?;
        let (before, new) = self.writer.out.split_at(start);
        let reserved = self.writer.depth == 1 && new == self.writer.reserved;
        if reserved || !new.starts_with('"') || new == UNREADABLE_WRITTEN {
            return Err(Unusual);
        }
        if let Some(names) = &mut self.names {
            let is_seen = |range: &Range<usize>| before.get(range.clone()) == Some(new);
            if names.len() == FEW || names.iter().any(is_seen) {
                return Err(Unusual);
            }
            names.push(start..start + new.len());
        }
        self.writer.out.push_str(": ");
        Ok(())
    }

    fn separate(&mut self) {
        if !self.empty {
            self.writer.out.push_str(", ");
        }
        self.empty = false;
    }

    #[expect(clippy::unnecessary_wraps, reason = "what serde's traits return")]
    fn close(self) -> Result<(), Unusual> {
        self.writer.out.push(self.end);
        self.writer.depth -= 1;
        Ok(())
    }
}

impl<'w, 'a> ser::Serializer for &'w mut Writer<'a> {
    type Ok = ();
    type Error = Unusual;
    type SerializeSeq = Open<'w, 'a>;
    type SerializeTuple = Open<'w, 'a>;
    type SerializeTupleStruct = Open<'w, 'a>;
    type SerializeTupleVariant = Impossible<(), Unusual>;
    type SerializeMap = Open<'w, 'a>;
    type SerializeStruct = Open<'w, 'a>;
    type SerializeStructVariant = Impossible<(), Unusual>;

    fn serialize_bool(self, value: bool) -> Result<(), Unusual> {
        self.out.push_str(if value { "true" } else { "false" });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), Unusual> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), Unusual> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), Unusual> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), Unusual> {
        self.push_display(value);
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Result<(), Unusual> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), Unusual> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), Unusual> {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), Unusual> {
        self.push_display(value);
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), Unusual> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Unusual> {
        if !value.is_finite() {
            return Err(Unusual);
        }
        self.out.push_str(&float(value));
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Unusual> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Unusual> {
        push_text(value, self.out);
        Ok(())
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), Unusual> {
        Err(Unusual)
    }

    fn serialize_none(self) -> Result<(), Unusual> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unusual> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Unusual> {
        self.out.push_str("null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Unusual> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Unusual> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Unusual> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Unusual> {
        Err(Unusual)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Open<'w, 'a>, Unusual> {
        Ok(Open::new(self, ['[', ']']))
    }

    fn serialize_tuple(self, _: usize) -> Result<Open<'w, 'a>, Unusual> {
        Ok(Open::new(self, ['[', ']']))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Open<'w, 'a>, Unusual> {
        Ok(Open::new(self, ['[', ']']))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Impossible<(), Unusual>, Unusual> {
        Err(Unusual)
    }

    fn serialize_map(self, count: Option<usize>) -> Result<Open<'w, 'a>, Unusual> {
        let mut open = Open::new(self, ['{', '}']);
        // A map knows how many members it has, unlike a struct with flattened ones.
        if count.is_none() {
            open.names = Some(Vec::new());
        }
        Ok(open)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Open<'w, 'a>, Unusual> {
        Ok(Open::new(self, ['{', '}']))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Impossible<(), Unusual>, Unusual> {
        Err(Unusual)
    }
}

impl SerializeSeq for Open<'_, '_> {
    type Ok = ();
    type Error = Unusual;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Unusual> {
        self.item(item)
    }

    fn end(self) -> Result<(), Unusual> {
        self.close()
    }
}

impl SerializeTuple for Open<'_, '_> {
    type Ok = ();
    type Error = Unusual;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Unusual> {
        self.item(item)
    }

    fn end(self) -> Result<(), Unusual> {
        self.close()
    }
}

impl SerializeTupleStruct for Open<'_, '_> {
    type Ok = ();
    type Error = Unusual;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Unusual> {
        self.item(item)
    }

    fn end(self) -> Result<(), Unusual> {
        self.close()
    }
}

impl SerializeMap for Open<'_, '_> {
    type Ok = ();
    type Error = Unusual;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, name: &T) -> Result<(), Unusual> {
        self.name(name)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unusual> {
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Result<(), Unusual> {
        self.close()
    }
}

impl SerializeStruct for Open<'_, '_> {
    type Ok = ();
    type Error = Unusual;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Unusual> {
        self.name(name)?;
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Result<(), Unusual> {
        self.close()
    }
}
