//! A `Deserializer` around another one that is stricter than serde's derive, and that bounds the memory of what it makes.
//!
//! Strict: a struct is read from an object alone (the derive also takes an array of its fields), and an enum from its name
//! alone. Enums of requests have no content.
//!
//! Not strict: an integer may be written as `197.0`, because a client cannot always choose how its numbers are written.
//!
//! Bounded: every value is charged to a [`Budget`] before it is made, by the size of its type. A body of `{"and":[]}` would
//! otherwise take some hundred times its bytes. Strings are not charged: they take as many bytes as the body gives them.

use std::cell::Cell;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Memory that a body of no bytes may take, in bytes: enough for the most turns or memories of one call with short texts.
pub(super) const MEMORY_BASE: usize = 8 << 20;
/// Memory that each byte of a body may take in addition, in bytes.
pub(super) const MEMORY_PER_BYTE: usize = 8;
/// Charge of one field of a struct: no field of a request is larger.
const FIELD_BYTES: usize = 32;
/// Charge of a map's first entry: the first node of a B-tree of names and JSON values.
const FIRST_ENTRY_BYTES: usize = 640;
/// Charge of each further entry, of a node that may be half empty.
const ENTRY_BYTES: usize = 128;
/// Capacity of a vector with one element, in elements; after that it doubles.
const FIRST_CAPACITY: usize = 4;
const GROWTH: usize = 2;
/// Magnitude below which every integer is a double and no other integer rounds to it: 2^53.
const EXACT_BELOW: f64 = 9_007_199_254_740_992.0;

/// Memory that the values of one body may still take.
#[derive(Debug)]
pub(super) struct Budget {
    left: Cell<usize>,
    is_exhausted: Cell<bool>,
}

impl Budget {
    /// Budget of a body of so many bytes.
    pub(super) fn of_body(bytes: usize) -> Self {
        let total = bytes.saturating_mul(MEMORY_PER_BYTE).saturating_add(MEMORY_BASE);
        Self { left: Cell::new(total), is_exhausted: Cell::new(false) }
    }

    /// True if the body was refused for the memory that it would take.
    pub(super) fn is_exhausted(&self) -> bool {
        self.is_exhausted.get()
    }

    fn charge<E: Error>(&self, bytes: usize) -> Result<(), E> {
        let Some(left) = self.left.get().checked_sub(bytes) else {
            self.is_exhausted.set(true);
            return Err(E::custom("too many values"));
        };
        self.left.set(left);
        Ok(())
    }
}

/// The strict and bounded form of a deserializer or a seed.
pub(super) struct Strict<'b, T> {
    inner: T,
    budget: &'b Budget,
}

impl<'b, T> Strict<'b, T> {
    pub(super) fn new(inner: T, budget: &'b Budget) -> Self {
        Self { inner, budget }
    }

    fn visitor<V>(&self, inner: V, shape: Shape) -> StrictVisitor<'b, V> {
        StrictVisitor { inner, budget: self.budget, shape }
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Strict<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Strict::new(reader, self.budget))
    }
}

/// Methods whose visitor is given no other values.
macro_rules! scalars {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method(visitor)
        })*
    };
}

/// Methods that ask for an integer.
macro_rules! integers {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method(IntegerVisitor(visitor))
        })*
    };
}

/// Methods whose visitor may be given other values.
macro_rules! containers {
    ($($method:ident($($name:ident: $kind:ty),*))*) => {
        $(fn $method<V: Visitor<'de>>(self, $($name: $kind,)* visitor: V) -> Result<V::Value, D::Error> {
            let visitor = self.visitor(visitor, Shape::Any);
            self.inner.$method($($name,)* visitor)
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<'_, D> {
    type Error = D::Error;

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
    }

    scalars! {
        deserialize_bool
        deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string
        deserialize_bytes deserialize_byte_buf deserialize_unit deserialize_identifier
    }

    containers! {
        deserialize_any() deserialize_option() deserialize_seq() deserialize_map() deserialize_ignored_any()
        deserialize_unit_struct(name: &'static str)
        deserialize_newtype_struct(name: &'static str)
        deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.budget.charge(fields.len() * FIELD_BYTES)?;
        let visitor = self.visitor(visitor, Shape::Object);
        self.inner.deserialize_struct(name, fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_str(NameOfVariant { visitor, names })
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// Visitor of an enum that is given its name only.
struct NameOfVariant<V> {
    visitor: V,
    names: &'static [&'static str],
}

impl<'de, V: Visitor<'de>> Visitor<'de> for NameOfVariant<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one of `{}`", self.names.join("`, `"))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<V::Value, E> {
        self.visitor.visit_enum(StrDeserializer::new(name))
    }
}

/// Visitor of an integer, which JSON may write with a fraction of zero or an exponent: `197.0`, `1e2` (JSON Schema, Core,
/// 2020-12, section 4.2.3).
struct IntegerVisitor<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for IntegerVisitor<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<V::Value, E> {
        self.0.visit_i64(number)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<V::Value, E> {
        self.0.visit_u64(number)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<V::Value, E> {
        match whole(number) {
            Some(number) => self.0.visit_i64(number),
            None => self.0.visit_f64(number),
        }
    }
}

/// Value of a double that is an integer; `None` from 2^53 on, where a double may be another number than the one written.
fn whole(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "an integer below 2^53 is exact in both types")]
    let integer = (number.fract() == 0.0 && number.abs() < EXACT_BELOW).then_some(number as i64);
    integer
}

/// Shape of what a visitor takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Any value.
    Any,
    /// The object of a struct.
    Object,
}

struct StrictVisitor<'b, V> {
    inner: V,
    budget: &'b Budget,
    shape: Shape,
}

macro_rules! visits {
    ($($method:ident($kind:ty))*) => {
        $(fn $method<E: Error>(self, value: $kind) -> Result<V::Value, E> {
            self.inner.$method(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for StrictVisitor<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    visits! {
        visit_bool(bool) visit_i8(i8) visit_i16(i16) visit_i32(i32) visit_i64(i64) visit_i128(i128)
        visit_u8(u8) visit_u16(u16) visit_u32(u32) visit_u64(u64) visit_u128(u128)
        visit_f32(f32) visit_f64(f64) visit_char(char) visit_str(&str) visit_borrowed_str(&'de str) visit_string(String)
        visit_bytes(&[u8]) visit_borrowed_bytes(&'de [u8]) visit_byte_buf(Vec<u8>)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, reader: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(Strict::new(reader, self.budget))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, reader: D) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(Strict::new(reader, self.budget))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        if self.shape == Shape::Object {
            return Err(A::Error::invalid_type(serde::de::Unexpected::Seq, &self.inner));
        }
        self.inner.visit_seq(Elements { inner, budget: self.budget, is_first: true })
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(Entries { inner, budget: self.budget, shape: self.shape, is_first: true })
    }
}

struct Elements<'b, A> {
    inner: A,
    budget: &'b Budget,
    is_first: bool,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Elements<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let element = Charged {
            seed,
            budget: self.budget,
            capacity: if self.is_first { FIRST_CAPACITY } else { GROWTH },
        };
        self.is_first = false;
        self.inner.next_element_seed(element)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

/// Seed of an element, charged when there is one.
struct Charged<'b, S> {
    seed: S,
    budget: &'b Budget,
    capacity: usize,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Charged<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<S::Value, D::Error> {
        self.budget.charge(self.capacity * size_of::<S::Value>())?;
        self.seed.deserialize(Strict::new(reader, self.budget))
    }
}

struct Entries<'b, A> {
    inner: A,
    budget: &'b Budget,
    shape: Shape,
    is_first: bool,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Entries<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.inner.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        if self.shape == Shape::Any {
            self.budget.charge(if self.is_first { FIRST_ENTRY_BYTES } else { ENTRY_BYTES })?;
            self.is_first = false;
        }
        self.inner.next_value_seed(Strict::new(seed, self.budget))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}
