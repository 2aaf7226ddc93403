//! Weights of the signals in the configuration. Their names and defaults are those of the table of signals.

use std::collections::BTreeMap;

use memory_core::recall::signals::{RequestedWeights, Weights};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// Weights by name, as `[recall.weights]` gives them. A name that is not in the table is refused; one that is missing has
/// its default.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SignalWeights(pub Weights);

impl<'de> Deserialize<'de> for SignalWeights {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut set = RequestedWeights::default();
        for (name, weight) in BTreeMap::<String, f32>::deserialize(from)? {
            if !set.set(&name, Some(weight)) {
                let known: Vec<&str> = Weights::TABLE.iter().map(|entry| entry.name).collect();
                let detail = format!("unknown field: found `{name}`, expected one of {}", known.join(", "));
                return Err(D::Error::custom(detail));
            }
        }
        Ok(Self(Weights::default().with(set)))
    }
}

impl Serialize for SignalWeights {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Overrides, load};

    #[test]
    fn the_default_configuration_lists_the_table_of_signals() {
        let listed: Vec<&str> = crate::config::DEFAULTS
            .split("[recall.weights]")
            .nth(1)
            .and_then(|rest| rest.split("\n[").next())
            .into_iter()
            .flat_map(str::lines)
            .filter_map(|line| line.split_once(" = ").map(|(name, _)| name))
            .collect();
        let table: Vec<&str> = Weights::TABLE.iter().map(|entry| entry.name).collect();
        assert_eq!(listed, table);
        let environment = [("HOME".to_owned(), "/nowhere".to_owned())];
        let config = load(None, &environment, &Overrides::default()).expect("the defaults");
        assert_eq!(config.recall.weights, SignalWeights::default());
    }
}
