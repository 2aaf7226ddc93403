//! Rules by which a check decides that a memory is forgotten, pure: fixed thresholds, and the draws of MemoryBank's paper.
//!
//! The draw of the released code, which compares the whole R at each check, is no rule: it is
//! [`fresh_draw_forgets`](super::fresh_draw_forgets), for reproductions.

use serde::{Deserialize, Serialize};

/// Rule by which memories fade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// A memory is forgotten while its retention is below a threshold of its own, which is fixed: a hash of its id, uniform in
    /// (0, 1). How often a sweep looks changes nothing.
    #[default]
    FixedThreshold,
    /// Each sweep is a check, which a memory survives with probability R(now) / R(previous check), by a new draw. So it is
    /// remembered at any instant with probability R, however often sweeps run, but which memories are left depends on them.
    /// What the paper of MemoryBank (arXiv 2305.10250) means.
    ConditionalDraw,
    /// Nothing fades; only the quota forgets.
    QuotaAlone,
}

impl Rule {
    /// All rules.
    pub const ALL: [Self; 3] = [Self::FixedThreshold, Self::ConditionalDraw, Self::QuotaAlone];

    /// Name in configuration and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FixedThreshold => "fixed_threshold",
            Self::ConditionalDraw => "conditional_draw",
            Self::QuotaAlone => "quota_alone",
        }
    }

    /// True if a check forgets a memory with retention `retention`, which at the check before (or when learned or used since)
    /// had `previous`. `draw` is the threshold of the memory for [`Rule::FixedThreshold`], else that of the check. With a
    /// retention of 0, no draw is survived: the quotient of two retentions that have both become 0 is none.
    pub fn forgets(self, retention: f64, previous: f64, draw: f64) -> bool {
        match self {
            Self::FixedThreshold => retention < draw,
            Self::ConditionalDraw => retention <= 0.0 || retention < draw * previous,
            Self::QuotaAlone => false,
        }
    }
}

/// Check of a memory under [`Rule::ConditionalDraw`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DrawnCheck {
    /// Retention at the check, 0 to 1.
    pub retention: f64,
    /// Retention at the check before, or at the last event if that is later, 0 to 1.
    pub previous: f64,
    /// Draw, a number in (0, 1).
    pub draw: f64,
}

impl DrawnCheck {
    /// Retention below which the check forgets the memory, 0 to 1.
    pub fn threshold(self) -> f64 {
        (self.draw * self.previous).clamp(0.0, 1.0)
    }

    /// True if the check forgets the memory.
    pub fn forgets(self) -> bool {
        Rule::ConditionalDraw.forgets(self.retention, self.previous, self.draw)
    }
}
