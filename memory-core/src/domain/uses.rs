//! Uses of a memory, which the forgetting curves replay: the newest ones with their times and kinds, bounded.

use super::time::Timestamp;

/// Maximum number of uses that are kept of one memory with their times.
pub const MAX_USES: usize = 64;

/// Version of the encoding.
const ENCODING: u8 = 1;

/// Kind of a use, by the evidence that the memory was of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UseKind {
    /// A recall returned it.
    Returned,
    /// It was put into the context of a prompt.
    InContext,
    /// An answer cited it.
    Cited,
    /// It was confirmed.
    Confirmed,
    /// It was contradicted.
    Contradicted,
}

impl UseKind {
    /// All kinds, in the order of their codes.
    pub const ALL: [UseKind; 5] =
        [UseKind::Returned, UseKind::InContext, UseKind::Cited, UseKind::Confirmed, UseKind::Contradicted];

    /// Number in the store.
    pub const fn code(self) -> u8 {
        match self {
            UseKind::Returned => 1,
            UseKind::InContext => 2,
            UseKind::Cited => 3,
            UseKind::Confirmed => 4,
            UseKind::Contradicted => 5,
        }
    }

    /// Kind with this number.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            UseKind::Returned => "returned",
            UseKind::InContext => "in_context",
            UseKind::Cited => "cited",
            UseKind::Confirmed => "confirmed",
            UseKind::Contradicted => "contradicted",
        }
    }

    /// Kind with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// One use of a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Use {
    /// Time.
    pub at: Timestamp,
    /// Kind.
    pub kind: UseKind,
}

/// Uses of a memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// Number of uses before the newest ones.
    pub earlier: u32,
    /// Newest uses, at most [`MAX_USES`], oldest first, at strictly ascending times.
    pub newest: Vec<Use>,
}

/// Encoded uses that cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the uses of a memory cannot be decoded")]
pub struct UndecodableUses;

impl Uses {
    /// Records a use; returns true if that changed anything. A use at or before the newest one is ignored. One within the
    /// refractory interval after the newest, in microseconds, is no use of its own: it raises the kind of the newest.
    pub fn record(&mut self, one: Use, refractory_us: u64) -> bool {
        if let Some(newest) = self.newest.last_mut() {
            if one.at <= newest.at {
                return false;
            }
            let since = one.at.as_micros().abs_diff(newest.at.as_micros());
            if since < refractory_us {
                let raises = one.kind > newest.kind;
                if raises {
                    newest.kind = one.kind;
                }
                return raises;
            }
        }
        self.newest.push(one);
        if self.newest.len() > MAX_USES {
            self.newest.remove(0);
            self.earlier = self.earlier.saturating_add(1);
        }
        true
    }

    /// Number of all uses.
    pub fn count(&self) -> u64 {
        u64::from(self.earlier).saturating_add(self.newest.len() as u64)
    }

    /// Newest use.
    pub fn last(&self) -> Option<Use> {
        self.newest.last().copied()
    }

    /// Encoded form: the version, `earlier` in 4 bytes, then 9 bytes for each use, little-endian.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![ENCODING];
        bytes.extend(self.earlier.to_le_bytes());
        for one in &self.newest {
            bytes.extend(one.at.as_micros().to_le_bytes());
            bytes.push(one.kind.code());
        }
        bytes
    }

    /// Decodes what [`Uses::encode`] wrote.
    ///
    /// # Errors
    /// [`UndecodableUses`] for other bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, UndecodableUses> {
        let Some((&ENCODING, rest)) = bytes.split_first() else { return Err(UndecodableUses) };
        let (earlier, rest) = rest.split_first_chunk::<4>().ok_or(UndecodableUses)?;
        let (uses, left) = rest.as_chunks::<9>();
        if !left.is_empty() || uses.len() > MAX_USES {
            return Err(UndecodableUses);
        }
        let mut newest: Vec<Use> = Vec::with_capacity(uses.len());
        for [a, b, c, d, e, f, g, h, kind] in uses {
            let at = Timestamp::from_micros(i64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]));
            let kind = UseKind::from_code(*kind).ok_or(UndecodableUses)?;
            if newest.last().is_some_and(|before| before.at >= at) {
                return Err(UndecodableUses);
            }
            newest.push(Use { at, kind });
        }
        Ok(Self { earlier: u32::from_le_bytes(*earlier), newest })
    }
}
