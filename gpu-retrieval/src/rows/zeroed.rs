//! Zero-initialised memory of a block: a heap allocation if small, an anonymous mapping if large.
//!
//! A block reserves memory for its full capacity before its rows exist. Invariants: the bytes begin at a multiple of 64,
//! are zero until written, and never move. Unwritten pages of a mapping are not resident. Dropping a mapping returns its
//! memory to the system.

use memmap2::MmapMut;

/// Alignment of rows, in bytes: a cache line.
const LINE_BYTES: usize = 64;

/// The size in bytes of x86-64's and, usually, ARM's huge pages.
const HUGE_PAGE_BYTES: usize = 2 << 20;

/// From so many bytes on, memory is mapped, in whole huge pages: at most a quarter more than was asked for.
const MAPPED_FROM_BYTES: usize = 4 * HUGE_PAGE_BYTES;

pub(super) enum Zeroed {
    Mapped(MmapMut),
    Allocated(Vec<Line>),
}

#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
pub(super) struct Line([u8; LINE_BYTES]);

impl Zeroed {
    pub(super) fn new(bytes: usize) -> Self {
        let map = if bytes >= MAPPED_FROM_BYTES { map(bytes) } else { None };
        map.map_or_else(|| Self::Allocated(bytemuck::zeroed_vec(bytes.div_ceil(LINE_BYTES))), Self::Mapped)
    }

    /// As many as were asked for, or a few more.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Allocated(lines) => bytemuck::cast_slice(lines),
        }
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Allocated(lines) => bytemuck::cast_slice_mut(lines),
        }
    }
}

/// `None` where the system has no memory to map; the allocator then says so in its own way.
fn map(bytes: usize) -> Option<MmapMut> {
    let map = MmapMut::map_anon(bytes.next_multiple_of(HUGE_PAGE_BYTES)).ok()?;
    // A scan of a large store meets a new page of 4 KB every ten rows: huge ones spare up to a fifth of its time.
    // Without huge pages the advice is refused, and nothing else changes.
    #[cfg(target_os = "linux")]
    let _ = map.advise(memmap2::Advice::HugePage);
    Some(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_zeroed_aligned_and_as_long_as_asked_for() {
        for asked in [64, 76_288, MAPPED_FROM_BYTES - 64, MAPPED_FROM_BYTES, MAPPED_FROM_BYTES + 64] {
            let mut memory = Zeroed::new(asked);
            let bytes = memory.bytes_mut();
            assert!(bytes.len() >= asked && bytes.len() <= asked + asked / 4);
            assert_eq!(bytes.as_ptr().addr() % LINE_BYTES, 0);
            assert!(bytes.iter().all(|byte| *byte == 0));
            (bytes[0], bytes[asked - 1]) = (1, 2);
            assert_eq!((memory.bytes()[0], memory.bytes()[asked - 1]), (1, 2));
            assert_eq!(matches!(memory, Zeroed::Mapped(_)), asked >= MAPPED_FROM_BYTES);
        }
    }
}
