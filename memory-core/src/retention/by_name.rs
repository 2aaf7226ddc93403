//! JSON of curves, effects and kinds of uses by their names, for serde's `with`.

macro_rules! by_name {
    ($module:ident, $type:ty) => {
        pub(super) mod $module {
            use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

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
                <$type>::parse(&name).ok_or_else(|| D::Error::custom(format!("{name:?} is unknown")))
            }
        }
    };
}

by_name!(curve, crate::retention::CurveId);
by_name!(use_kind, crate::domain::uses::UseKind);

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
        let known = Effect::parse(&name).ok_or_else(|| D::Error::custom(format!("{name:?} is unknown")))?;
        Ok(Some(known))
    }
}
