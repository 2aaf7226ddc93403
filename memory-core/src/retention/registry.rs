//! Curves by their names: what settings and requests may choose from.

use gpu_retrieval::Decay;

use super::{
    ActR, Curve, Fsrs6, HalfLifeRegression, MemoryBankAsReleased, MemoryBankIntended, MemoryBankPaper,
    NoForgetting, State, Trace, Wixted,
};
use crate::domain::time::Timestamp;

/// Name of a curve. The default is `memorybank.paper`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CurveId {
    /// `none`: [`NoForgetting`].
    None,
    /// `memorybank.paper`: [`MemoryBankPaper`].
    #[default]
    MemoryBankPaper,
    /// `memorybank.intended`: [`MemoryBankIntended`].
    MemoryBankIntended,
    /// `memorybank.asreleased`: [`MemoryBankAsReleased`], for reproductions.
    MemoryBankAsReleased,
    /// `wixted`: [`Wixted`].
    Wixted,
    /// `actr`: [`ActR`].
    ActR,
    /// `fsrs6`: [`Fsrs6`].
    Fsrs6,
    /// `hlr`: [`HalfLifeRegression`].
    Hlr,
}

impl CurveId {
    /// All curves.
    pub const ALL: [Self; 8] = [
        Self::None,
        Self::MemoryBankPaper,
        Self::MemoryBankIntended,
        Self::MemoryBankAsReleased,
        Self::Wixted,
        Self::ActR,
        Self::Fsrs6,
        Self::Hlr,
    ];

    /// The curve.
    pub fn curve(self) -> &'static dyn Curve {
        match self {
            Self::None => &NoForgetting,
            Self::MemoryBankPaper => &MemoryBankPaper,
            Self::MemoryBankIntended => &MemoryBankIntended,
            Self::MemoryBankAsReleased => &MemoryBankAsReleased,
            Self::Wixted => &Wixted,
            Self::ActR => &ActR,
            Self::Fsrs6 => &Fsrs6,
            Self::Hlr => &HalfLifeRegression,
        }
    }

    /// Name of the curve.
    pub fn as_str(self) -> &'static str {
        self.curve().name()
    }

    /// The curve with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|id| id.as_str() == name)
    }
}

/// The curve of this name.
impl Curve for CurveId {
    fn name(&self) -> &'static str {
        self.as_str()
    }

    fn state(&self, trace: &Trace<'_>, now: Timestamp) -> State {
        self.curve().state(trace, now)
    }

    fn retention(&self, trace: &Trace<'_>, now: Timestamp) -> f64 {
        self.curve().retention(trace, now)
    }

    fn decay(&self, trace: &Trace<'_>) -> Option<Decay> {
        self.curve().decay(trace)
    }
}
