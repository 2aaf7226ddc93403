//! The signals of recall: one table with every signal, its weights, their defaults and their documentation. The types,
//! the configuration keys and the request fields follow from it.
//!
//! To add a signal: one entry here, its score in [`super::fuse`], the field of the same name in the SDK's wire type (a test
//! compares the names), and a measurement (docs/adding/signal.md).

/// One weight of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeightEntry {
    /// Name in requests.
    pub name: &'static str,
    /// Key in the configuration.
    pub config_key: &'static str,
    /// The signal that it belongs to.
    pub signal: SignalName,
    /// Default value.
    pub default: f32,
    /// One sentence for users.
    pub doc: &'static str,
}

macro_rules! signals {
    ($(
        $(#[doc = $signal_doc:literal])+
        $signal:ident = $signal_name:literal {
            $($(#[doc = $doc:literal])+ $weight:ident: $default:literal,)*
        }
    )+) => {
        /// A signal: one source of evidence about a candidate.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum SignalName {
            $($(#[doc = $signal_doc])+ $signal,)+
        }

        impl SignalName {
            /// All signals, in the order of the table.
            pub const ALL: &[SignalName] = &[$(SignalName::$signal),+];

            /// Name in explanations.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(SignalName::$signal => $signal_name,)+
                }
            }
        }

        /// Weights of the signals. Inside the scan: `similarity * cosine + retention * R + importance * I`. The scan as
        /// a whole and the other signals are then fused, see [`super::fuse`].
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct Weights {
            $($($(#[doc = $doc])+ pub $weight: f32,)*)+
        }

        impl Default for Weights {
            /// Found on development data: see ADR 0017, 0018 and 0024.
            fn default() -> Self {
                Self { $($($weight: $default,)*)+ }
            }
        }

        /// Weights that a request sets itself; none takes the setting of the engine.
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        pub struct RequestedWeights {
            $($($(#[doc = $doc])+ pub $weight: Option<f32>,)*)+
        }

        impl RequestedWeights {
            /// The weights by name, in the order of the table.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, Option<f32>)> {
                [$($((stringify!($weight), self.$weight),)*)+].into_iter()
            }

            /// Sets a weight by name; false for a name that is not in the table.
            pub fn set(&mut self, name: &str, value: Option<f32>) -> bool {
                match name {
                    $($(stringify!($weight) => self.$weight = value,)*)+
                    _ => return false,
                }
                true
            }
        }

        impl Weights {
            /// Every weight of the table.
            pub const TABLE: &[WeightEntry] = &[
                $($(WeightEntry {
                    name: stringify!($weight),
                    config_key: concat!("recall.weights.", stringify!($weight)),
                    signal: SignalName::$signal,
                    default: $default,
                    doc: concat!($($doc),+),
                },)*)+
            ];

            /// These weights, with those that a request sets itself.
            pub fn with(self, requested: RequestedWeights) -> Self {
                Self { $($($weight: requested.$weight.unwrap_or(self.$weight),)*)+ }
            }

            /// The weights by name, in the order of the table.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, f32)> {
                [$($((stringify!($weight), self.$weight),)*)+].into_iter()
            }
        }
    };
}

signals! {
    /// Similarity of meaning by the embedder, with retention and importance where they have weight.
    Dense = "dense" {
        /// Weight of the cosine similarity, inside the scan.
        similarity: 1.0,
        /// Weight of retention, inside the scan. Zero by default: on conversations whose evidence has any age,
        /// forgetting costs recall; it pays where memory is short or the world changes.
        retention: 0.0,
        /// Weight of importance, inside the scan.
        importance: 0.0,
    }
    /// BM25 of the memory's best row.
    Lexical = "lexical" {
        /// Weight of BM25 over the memory, against the scan as 1.
        lexical: 0.6,
    }
    /// BM25 of the window: the turn and the turns right before and after it, read as one text.
    Window = "window" {
        /// Weight of BM25 over the window of a turn.
        window: 0.6,
    }
    /// The own scores of the turns right before and after.
    Neighbours = "neighbours" {
        /// Share of the scores of the turns right before and after.
        neighbours: 0.2,
        /// Share of a question's score for the turn after it: an answer repeats little of what it answers.
        replies: 0.6,
    }
    /// The query names the author of the turn.
    Speaker = "speaker" {
        /// Weight of an author whom the query names.
        speaker: 0.3,
    }
    /// The memory happened at a time that the query names.
    Time = "time" {
        /// Weight of a time that the query names.
        time: 0.6,
    }
    /// Gain over memories of other sessions that the memory supersedes: older ones if the query asks for the present state,
    /// newer ones if it asks for an earlier state.
    Supersession = "supersession" {
        /// Weight of superseding other matches, where the query asks for the present or an earlier state.
        supersession: 3.0,
    }
    /// Activation by the best matches of the query: along similarity and shared rare terms, and along links and evidence.
    Graph = "graph" {
        /// Weight of the activation by the best matches along similarity and shared rare terms.
        graph: 0.3,
        /// Weight of the activation by the best matches along links, evidence and entities. The first recall of an owner with it
        /// loads the graph of the owner.
        links: 0.0,
    }
    /// Score of the cross-encoder. It replaces the fused score of the candidates that it reads.
    Rerank = "rerank" {}
}

impl SignalName {
    /// The signals that are fused, in the order of the table.
    pub(crate) const FUSED: [SignalName; 8] = [
        SignalName::Dense,
        SignalName::Lexical,
        SignalName::Window,
        SignalName::Neighbours,
        SignalName::Speaker,
        SignalName::Time,
        SignalName::Supersession,
        SignalName::Graph,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_weight_of_the_table_has_a_name_a_default_and_a_sentence() {
        let defaults: Vec<(&str, f32)> = Weights::default().iter().collect();
        let table: Vec<(&str, f32)> =
            Weights::TABLE.iter().map(|entry| (entry.name, entry.default)).collect();
        assert_eq!(defaults, table);
        assert!(Weights::TABLE.iter().all(|entry| entry.doc.trim().ends_with('.')));
        let names: std::collections::BTreeSet<&str> = table.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), table.len(), "each name once");
        let signals = SignalName::ALL.iter().filter(|signal| **signal != SignalName::Rerank);
        assert!(signals.eq(&SignalName::FUSED), "all signals but the last are fused");
    }

    #[test]
    fn a_requested_weight_replaces_the_setting_and_others_keep_it() {
        let mut requested = RequestedWeights::default();
        assert!(requested.set("lexical", Some(2.0)) && !requested.set("nonsense", Some(1.0)));
        let weights = Weights::default().with(requested);
        assert_eq!(weights, Weights { lexical: 2.0, ..Weights::default() });
        assert_eq!(requested.iter().filter(|(_, weight)| weight.is_some()).count(), 1);
    }
}
