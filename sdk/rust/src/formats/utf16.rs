//! Decoder of UTF-16 files to UTF-8. Unpaired surrogates become U+FFFD.

use std::io::{self, Read};

/// Bytes read at once.
const PIECE_BYTES: usize = 16 << 10;

/// Byte order of a file in UTF-16, and whether it begins with a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    /// Byte order of a file with this beginning: by the mark, or by the zero byte beside an ASCII character, with which
    /// every JSON text begins (RFC 4627, section 3). None for UTF-8.
    pub(super) fn of(beginning: &[u8]) -> Option<Self> {
        match beginning {
            [0xff, 0xfe, ..] | [1..=0x7f, 0, ..] => Some(Self::Little),
            [0xfe, 0xff, ..] | [0, 1..=0x7f, ..] => Some(Self::Big),
            _ => None,
        }
    }
}

/// UTF-8 bytes of a source in UTF-16.
pub(super) struct Utf16<R> {
    source: R,
    order: ByteOrder,
    /// Bytes that are not decoded yet: half a unit, or half a pair of surrogates.
    left: Vec<u8>,
    decoded: Vec<u8>,
    given: usize,
    ended: bool,
}

impl<R: Read> Utf16<R> {
    pub(super) fn new(source: R, order: ByteOrder) -> Self {
        Self { source, order, left: Vec::new(), decoded: Vec::new(), given: 0, ended: false }
    }

    fn decode_piece(&mut self) -> io::Result<()> {
        let mut piece = vec![0; PIECE_BYTES];
        let count = self.source.read(&mut piece)?;
        self.ended = count == 0;
        self.left.extend_from_slice(piece.get(..count).unwrap_or_default());
        let unit = |pair: &[u8; 2]| match self.order {
            ByteOrder::Little => u16::from_le_bytes(*pair),
            ByteOrder::Big => u16::from_be_bytes(*pair),
        };
        let (pairs, odd) = self.left.as_chunks::<2>();
        let mut units: Vec<u16> = pairs.iter().map(unit).collect();
        let mut kept = odd.len();
        if !self.ended && units.pop_if(|unit| (0xd800..0xdc00).contains(unit)).is_some() {
            kept += 2;
        }
        let text: String =
            char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        self.left.drain(..self.left.len() - kept);
        (self.decoded, self.given) = (text.into_bytes(), 0);
        Ok(())
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.decoded.len() && !self.ended {
            self.decode_piece()?;
        }
        let count = self.decoded.get(self.given..).unwrap_or_default().read(buffer)?;
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Source that returns few bytes at once.
    struct Drip(Vec<u8>, usize);

    impl Read for Drip {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0.drain(..count);
            Ok(count)
        }
    }

    proptest! {
        #[test]
        fn texts_survive_utf16_in_pieces(text in "\\PC{0,40}", step in 1_usize..5, big: bool) {
            let bytes = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
            let source = Drip(text.encode_utf16().flat_map(bytes).collect(), step);
            let order = if big { ByteOrder::Big } else { ByteOrder::Little };
            let mut decoded = String::new();
            Utf16::new(source, order).read_to_string(&mut decoded).unwrap();
            prop_assert_eq!(decoded, text);
        }
    }
}
