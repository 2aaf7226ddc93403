//! JSON of curves, effects and kinds of uses by their names, for serde's `with`.

use super::CurveId;
use crate::domain::uses::UseKind;

macro_rules! by_name {
    ($module:ident, $type:ident) => {
        pub(super) mod $module {
            use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

            use super::$type;

            pub(in crate::retention) fn serialize<S: Serializer>(
                value: &$type,
                to: S,
            ) -> Result<S::Ok, S::Error> {
                to.serialize_str(value.as_str())
            }

            pub(in crate::retention) fn deserialize<'de, D: Deserializer<'de>>(
                from: D,
            ) -> Result<$type, D::Error> {
                let name = String::deserialize(from)?;
                let known = || $type::ALL.map($type::as_str).join(", ");
                $type::parse(&name).ok_or_else(|| {
                    D::Error::custom(format!("{name:?} is unknown; it must be one of {}", known()))
                })
            }
        }
    };
}

by_name!(curve, CurveId);
by_name!(use_kind, UseKind);

/// An effect, or `none`.
pub(super) mod effect {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    use crate::domain::forgotten::Effect;

    /// Name of no effect.
    const NONE: &str = "none";

    #[expect(clippy::ref_option, reason = "the signature that serde calls")]
    pub(in crate::retention) fn serialize<S: Serializer>(
        effect: &Option<Effect>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(effect.map_or(NONE, Effect::as_str))
    }

    pub(in crate::retention) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Effect>, D::Error> {
        let name = String::deserialize(from)?;
        if name == NONE {
            return Ok(None);
        }
        let known = || Effect::ALL.map(Effect::as_str).join(", ");
        Effect::parse(&name).map(Some).ok_or_else(|| {
            D::Error::custom(format!("{name:?} is unknown; it must be one of {NONE}, {}", known()))
        })
    }
}
