//! LEB128 variable-length integers, in which small numbers take few bytes.
//!
//! Used by the stored form of a term vector and by the in-memory forward index. Invariant: a number has exactly one
//! encoding, and [`read`] refuses any other, so that equal values have equal bytes.

/// Appends `value` to `out`, seven bits a byte, lowest first.
pub(crate) fn write(mut value: u32, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads one number from the front of `bytes`; `None` if they do not begin with one in canonical form.
#[inline]
pub(crate) fn read(bytes: &mut &[u8]) -> Option<u32> {
    // Fast path: nearly all numbers are one byte.
    if let [byte, rest @ ..] = *bytes
        && *byte < 0x80
    {
        let value = u32::from(*byte);
        *bytes = rest;
        return Some(value);
    }
    let mut value = 0_u32;
    for (position, &byte) in bytes.iter().take(MAX_BYTES).enumerate() {
        let low = u32::from(byte & 0x7F);
        if position == MAX_BYTES - 1 && byte > 0x0F {
            return None;
        }
        value |= low << (7 * position);
        if byte & 0x80 == 0 {
            if byte == 0 && position > 0 {
                return None;
            }
            *bytes = &bytes[position + 1..];
            return Some(value);
        }
    }
    None
}

/// Maximum length: 32 bits at seven per byte.
const MAX_BYTES: usize = 5;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn reading_inverts_writing(values in proptest::collection::vec(any::<u32>().prop_map(|v| v >> (v % 32)), 0..50)) {
            let mut bytes = Vec::new();
            values.iter().for_each(|value| write(*value, &mut bytes));
            let mut rest = bytes.as_slice();
            let read: Vec<u32> = std::iter::from_fn(|| read(&mut rest)).collect();
            prop_assert_eq!(read, values);
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn only_canonical_bytes_are_accepted(bytes in proptest::collection::vec(any::<u8>(), 0..8)) {
            let mut rest = bytes.as_slice();
            if let Some(value) = read(&mut rest) {
                let mut canonical = Vec::new();
                write(value, &mut canonical);
                prop_assert_eq!(&bytes[..bytes.len() - rest.len()], canonical.as_slice());
            }
        }
    }
}
