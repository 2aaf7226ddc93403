//! Lenient deserialisers for the fields of benchmark files: null means absent, and numbers pass for texts.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::content::text_of;
use super::fields::list_of;

/// Text; empty for null.
pub(super) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Ok(text_of(Some(&Value::deserialize(from)?)).unwrap_or_default())
}

/// Text of something that was said; empty for null. A text in an unknown form is an error, not a blank one.
pub(super) fn words<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let value = Value::deserialize(from)?;
    text_of(Some(&value)).ok_or_else(|| serde::de::Error::custom("the text is in no known form"))
}

/// Text that is not blank; none for null.
pub(super) fn optional_text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    text(from).map(|text| Some(text).filter(|text| !text.trim().is_empty()))
}

/// Texts; none for null, one for a text.
pub(super) fn texts<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let value = Value::deserialize(from)?;
    Ok(list_of(&value).iter().map(|text| text_of(Some(text)).unwrap_or_default()).collect())
}

/// Truth value; none for anything else than a truth value or the numbers 0 and 1.
pub(super) fn optional_bool<'de, D: Deserializer<'de>>(from: D) -> Result<Option<bool>, D::Error> {
    let value = Value::deserialize(from)?;
    Ok(value.as_bool().or_else(|| value.as_u64().filter(|number| *number < 2).map(|number| number == 1)))
}

/// Small number, also written as a text; 0 for anything else.
pub(super) fn small_number<'de, D: Deserializer<'de>>(from: D) -> Result<u8, D::Error> {
    let value = Value::deserialize(from)?;
    let number = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
    Ok(number.and_then(|number| u8::try_from(number).ok()).unwrap_or_default())
}

/// Elements that have the right shape; none for null.
pub(super) fn sound_elements<'de, D, T>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let value = Value::deserialize(from)?;
    Ok(list_of(&value).iter().filter_map(|element| T::deserialize(element).ok()).collect())
}
