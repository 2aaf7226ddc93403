//! Search for the next record of an array behind one that was cut off, where line breaks do not tell.
//!
//! A cut-off text takes the beginning of the next record in, `"b,{"role"`, and whatever follows is read with texts and
//! structure exchanged. The next record is sought before the first byte that JSON forbids: a comma, and an object whose first
//! key is that of the damaged record or of the sound one before it, so that an object inside of the damaged one is not
//! taken for a record. It must be valid JSON, and a comma or the end of the array must follow.

use serde::de::IgnoredAny;

use super::error::FormatError;
use super::scan::{Margin, Scan, Step};

/// Number of bytes that are read ahead to see the first key of an object.
const BYTES_AHEAD: usize = 1 << 10;

/// Maximum length of a key that tells records, in bytes.
const MAX_KEY_BYTES: usize = 256;

/// First key of the object that begins in `record`, with its quotes.
pub(super) fn first_key(record: &[u8]) -> Option<Vec<u8>> {
    let key = after_space(after_space(record).strip_prefix(b"{")?);
    let length = key.iter().skip(1).take(MAX_KEY_BYTES).position(|byte| *byte == b'"')?;
    let quoted = key.get(..length + 2)?;
    let is_sound = quoted.first() == Some(&b'"') && !quoted.contains(&b'\\');
    (is_sound && after_space(key.get(length + 2..)?).first() == Some(&b':')).then(|| quoted.to_vec())
}

/// Position in `window` of the next record whose comma is among the first `head` bytes. `more` appends bytes to the window;
/// false at the end of the file. At most `budget` bytes are examined, over all calls for a file.
pub(super) fn next_record(
    window: &mut Vec<u8>,
    head: usize,
    keys: &[Vec<u8>],
    budget: &mut usize,
    more: &mut dyn FnMut(&mut Vec<u8>) -> Result<bool, FormatError>,
) -> Result<Option<usize>, FormatError> {
    while window.len() < head.saturating_add(BYTES_AHEAD) && more(window)? {}
    for comma in 1..head {
        if window.get(comma) != Some(&b',') {
            continue;
        }
        let behind = window.get(comma + 1..).unwrap_or_default();
        let start = window.len() - after_space(behind).len();
        let ahead = window.get(start..).unwrap_or_default();
        let ahead = ahead.get(..BYTES_AHEAD.min(ahead.len())).unwrap_or_default();
        let is_record = first_key(ahead).is_some_and(|key| keys.contains(&key));
        if is_record && is_whole(window, start, budget, more)? {
            return Ok(Some(start));
        }
    }
    Ok(None)
}

/// True for a valid object that is followed by a comma or the end of the array.
fn is_whole(
    window: &mut Vec<u8>,
    start: usize,
    budget: &mut usize,
    more: &mut dyn FnMut(&mut Vec<u8>) -> Result<bool, FormatError>,
) -> Result<bool, FormatError> {
    let mut scan = Scan::new(Margin::default());
    let (mut at, mut end) = (start, None);
    loop {
        let Some(&byte) = window.get(at) else {
            if more(window)? {
                continue;
            }
            return Ok(false);
        };
        at += 1;
        match end {
            None if *budget == 0 => return Ok(false),
            None => {
                *budget -= 1;
                match scan.step(byte) {
                    Step::More if !scan.is_broken() => {}
                    Step::Last if !scan.is_broken() => end = Some(at),
                    _ => return Ok(false),
                }
            }
            Some(_) if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') => {}
            Some(end) => {
                let object = window.get(start..end).unwrap_or_default();
                let is_valid = serde_json::from_slice::<IgnoredAny>(object).is_ok();
                return Ok(is_valid && matches!(byte, b',' | b']'));
            }
        }
    }
}

fn after_space(bytes: &[u8]) -> &[u8] {
    let space = bytes.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
    bytes.get(space..).unwrap_or_default()
}
