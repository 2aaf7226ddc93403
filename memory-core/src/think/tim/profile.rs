//! Profiles of `TiM`: the mechanism as published, and the default with its known faults corrected.

/// Behaviour of grouping, forgetting and merging.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// `tim.paper`: a group is a bucket, and a forgotten thought is excluded from recall. The exclusion is a version and
    /// can be undone; the paper deletes.
    Paper,
    /// `tim.corrected`: a group is a bucket united with the thoughts of one entity, and a contradiction ends the validity
    /// of the older thought. What the model holds for false without a contradiction stays.
    #[default]
    Corrected,
}

impl Profile {
    /// Name in settings and derivations.
    pub const fn as_str(self) -> &'static str {
        match self {
            Profile::Paper => "tim.paper",
            Profile::Corrected => "tim.corrected",
        }
    }

    /// Profile with this name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Paper, Self::Corrected].into_iter().find(|profile| profile.as_str() == text)
    }
}
