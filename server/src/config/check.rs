//! Validation of the configuration: ranges and dependencies between keys. It runs once, before the server listens.

use std::ops::RangeInclusive;

use memory_core::recall::signals::Weights;
use memory_core::think::settings::Profile;

use super::{Config, LanguageModel};

/// Invalid configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadConfig {
    /// Number outside its range.
    #[error("{key} is {found}; it must be between {low} and {high}")]
    OutOfRange {
        /// Key of the value.
        key: &'static str,
        /// Value found.
        found: String,
        /// Minimum.
        low: String,
        /// Maximum.
        high: String,
    },
    /// Address that other machines can reach, without permission.
    #[error(
        "server.listen is {listen}, which other machines can reach. There are no API keys, so everyone who reaches it \
         can read and erase everything. Listen on 127.0.0.1, or set server.allow_remote_without_keys = true"
    )]
    RemoteWithoutKeys {
        /// Address to listen on.
        listen: std::net::SocketAddr,
    },
    /// Missing value of a required key.
    #[error("{key} must be set {because}")]
    Missing {
        /// Key of the value.
        key: &'static str,
        /// Reason why the key is required.
        because: &'static str,
    },
    /// Name that is not known.
    #[error("{key} names {found:?}, which is not one of: {known}")]
    NotOneOf {
        /// Key of the value.
        key: &'static str,
        /// Value found.
        found: String,
        /// Known names.
        known: String,
    },
    /// Field of the forgetting policy out of its bounds.
    #[error("forgetting.policy.{field} {rule}")]
    Policy {
        /// Field.
        field: &'static str,
        /// Rule that it breaks.
        rule: String,
    },
    /// Two limits in the wrong order.
    #[error("{small} must not be greater than {large}")]
    Order {
        /// Key of the smaller limit.
        small: &'static str,
        /// Key of the larger limit.
        large: &'static str,
    },
}

impl Config {
    /// Checks every value and the dependencies between values.
    pub fn check(&self) -> Result<(), BadConfig> {
        self.check_server()?;
        self.check_recall()?;
        self.check_model()?;
        self.check_thinking()?;
        self.check_forgetting()?;
        self.check_limits()
    }

    fn check_server(&self) -> Result<(), BadConfig> {
        let listen = self.server.listen;
        if !listen.ip().is_loopback() && !self.server.allow_remote_without_keys {
            return Err(BadConfig::RemoteWithoutKeys { listen });
        }
        if self.store.data_dir.as_os_str().is_empty() {
            let because = "because none of ENGRAIN_DATA_DIR, XDG_DATA_HOME and HOME is set";
            return Err(BadConfig::Missing { key: "store.data_dir", because });
        }
        within("store.read_connections", self.store.read_connections, 1..=64)?;
        within("index.memory_budget_bytes", self.index.memory_budget_bytes, 1 << 20..=1 << 46)?;
        within("index.graph_budget_bytes", self.index.graph_budget_bytes, 1 << 20..=1 << 46)?;
        within("index.threads", self.index.threads, 0..=1_024)
    }

    fn check_recall(&self) -> Result<(), BadConfig> {
        if self.recall.zone().is_none() {
            let known =
                "names in the IANA time-zone database, and offsets from UTC such as +08:00".to_owned();
            let found = self.recall.timezone.clone();
            return Err(BadConfig::NotOneOf { key: "recall.timezone", found, known });
        }
        let (recall, bounds) = (&self.recall, self.engine_limits());
        within("recall.limit", recall.limit, 1..=bounds.recall_limit)?;
        within("recall.budget_tokens", recall.budget_tokens, 0..=bounds.budget_tokens)?;
        within("recall.rerank_candidates", recall.rerank_candidates, 1..=bounds.rerank_candidates)?;
        for (entry, (_, weight)) in Weights::TABLE.iter().zip(recall.weights.0.iter()) {
            within(entry.config_key, weight, 0.0..=100.0)?;
        }
        if recall.rerank && recall.reranker.is_empty() {
            return Err(BadConfig::Missing { key: "recall.reranker", because: "for recall.rerank = true" });
        }
        Ok(())
    }

    fn check_model(&self) -> Result<(), BadConfig> {
        within("model.threads", self.model.threads, 0..=256)?;
        if self.model.embedder.is_empty() {
            let because = "to auto, remote, or the name of a model";
            return Err(BadConfig::Missing { key: "model.embedder", because });
        }
        if self.model.embedder != "remote" {
            return Ok(());
        }
        let remote = &self.model.remote;
        let because = "for model.embedder = \"remote\"";
        let needed = [
            ("model.remote.url", remote.url.is_empty()),
            ("model.remote.model", remote.model.is_empty()),
            ("model.remote.dimension", remote.dimension == 0),
        ];
        match needed.into_iter().find(|(_, is_missing)| *is_missing) {
            Some((key, _)) => Err(BadConfig::Missing { key, because }),
            None => Ok(()),
        }
    }

    fn check_thinking(&self) -> Result<(), BadConfig> {
        let thinking = &self.thinking;
        if Profile::parse(&thinking.profile).is_none() {
            return Err(BadConfig::NotOneOf {
                key: "thinking.profile",
                found: thinking.profile.clone(),
                known: Profile::ALL.map(Profile::as_str).join(", "),
            });
        }
        within("thinking.workers", thinking.workers, 1..=64)?;
        within("thinking.working_memory_turns", thinking.working_memory_turns, 8..=512)?;
        within("thinking.turns_per_call", thinking.turns_per_call, 1..=64)?;
        within("thinking.prompt_tokens", thinking.prompt_tokens, 256..=100_000)?;
        within("thinking.reply_tokens", thinking.reply_tokens, 64..=32_768)?;
        within("thinking.reply_cache_bytes", thinking.reply_cache_bytes, 0..=1 << 30)?;
        within("thinking.budget.cost_per_day", thinking.budget.cost_per_day, 0.0..=1e9)?;
        for (_, back_end) in thinking.tasks.iter() {
            if !back_end.is_empty() && !self.language_models.contains_key(back_end) {
                return Err(BadConfig::NotOneOf {
                    key: "thinking.tasks",
                    found: back_end.to_owned(),
                    known: self.language_models.keys().cloned().collect::<Vec<_>>().join(", "),
                });
            }
        }
        self.language_models.values().try_for_each(Self::check_language_model)
    }

    fn check_language_model(model: &LanguageModel) -> Result<(), BadConfig> {
        let because = "for a language model";
        for (key, value) in [("language_models.*.url", &model.url), ("language_models.*.model", &model.model)]
        {
            if value.is_empty() {
                return Err(BadConfig::Missing { key, because });
            }
        }
        within("language_models.*.timeout_ms", model.timeout_ms, 100..=3_600_000)?;
        within("language_models.*.retries", model.retries, 0..=10)?;
        within("language_models.*.concurrent_calls", model.concurrent_calls, 1..=256)?;
        let prices = [
            ("language_models.*.price_per_million_prompt_tokens", model.price_per_million_prompt_tokens),
            ("language_models.*.price_per_million_reply_tokens", model.price_per_million_reply_tokens),
        ];
        prices.into_iter().try_for_each(|(key, price)| within(key, price, 0.0..=1e6))
    }

    fn check_forgetting(&self) -> Result<(), BadConfig> {
        within("forgetting.sweep_interval_hours", self.forgetting.sweep_interval_hours, 0..=8_784)?;
        match self.forgetting.policy.violation() {
            Some((field, rule)) => Err(BadConfig::Policy { field, rule }),
            None => Ok(()),
        }
    }

    fn check_limits(&self) -> Result<(), BadConfig> {
        const HOUR_MS: u64 = 3_600_000;
        let limits = &self.limits;
        within("limits.body_bytes", limits.body_bytes, 1_024..=256 << 20)?;
        within("limits.bodies_bytes", limits.bodies_bytes, 1_024..=1 << 40)?;
        within("limits.connections", limits.connections, 1..=65_536)?;
        within("limits.idle_timeout_ms", limits.idle_timeout_ms, 100..=HOUR_MS)?;
        within("limits.body_timeout_ms", limits.body_timeout_ms, 100..=HOUR_MS)?;
        within("limits.send_timeout_ms", limits.send_timeout_ms, 100..=HOUR_MS)?;
        within("limits.request_timeout_ms", limits.request_timeout_ms, 100..=HOUR_MS)?;
        within("limits.admin_timeout_ms", limits.admin_timeout_ms, 100..=24 * HOUR_MS)?;
        within("limits.drain_timeout_ms", limits.drain_timeout_ms, 0..=HOUR_MS)?;
        within("limits.concurrent_requests", limits.concurrent_requests, 1..=65_536)?;
        within("limits.concurrent_exports", limits.concurrent_exports, 1..=64)?;
        within("limits.fan_out_partitions", limits.fan_out_partitions, 1..=4_096)?;
        within("limits.commits_waiting", limits.commits_waiting, 1..=65_536)?;
        within("limits.recalls_kept", limits.recalls_kept, 0..=1_000_000)?;
        within("limits.requests_kept_days", limits.requests_kept_days, 1..=365)?;
        let orders = [
            (
                "limits.body_timeout_ms",
                limits.body_timeout_ms,
                "limits.request_timeout_ms",
                limits.request_timeout_ms,
            ),
            (
                "limits.body_bytes",
                limits.body_bytes as u64,
                "limits.bodies_bytes",
                limits.bodies_bytes as u64,
            ),
        ];
        match orders.into_iter().find(|(_, less, _, more)| less > more) {
            Some((small, _, large, _)) => Err(BadConfig::Order { small, large }),
            None => Ok(()),
        }
    }
}

fn within<T: PartialOrd + ToString>(
    key: &'static str,
    found: T,
    range: RangeInclusive<T>,
) -> Result<(), BadConfig> {
    if range.contains(&found) {
        return Ok(());
    }
    let (low, high) = (range.start().to_string(), range.end().to_string());
    Err(BadConfig::OutOfRange { key, found: found.to_string(), low, high })
}

#[cfg(test)]
mod tests {
    use super::super::{Overrides, load};

    #[test]
    fn every_invalid_value_is_reported_with_its_key() {
        let cases = [
            ("SERVER__LISTEN", "0.0.0.0:7070", "allow_remote_without_keys"),
            ("SERVER__LISTEN", "[::]:7070", "allow_remote_without_keys"),
            ("STORE__READ_CONNECTIONS", "0", "store.read_connections is 0; it must be between 1 and 64"),
            ("RECALL__LIMIT", "201", "recall.limit is 201"),
            ("RECALL__WEIGHTS__LEXICAL", "-1.0", "recall.weights.lexical is -1"),
            ("RECALL__WEIGHTS__SIMILARITY", "nan", "recall.weights.similarity"),
            ("MODEL__EMBEDDER", "remote", "model.remote.url must be set for"),
            ("LIMITS__BODY_BYTES", "1", "limits.body_bytes is 1"),
            ("LIMITS__BODY_TIMEOUT_MS", "70000", "limits.body_timeout_ms must not be greater than"),
            (
                "LIMITS__BODIES_BYTES",
                "1048576",
                "limits.body_bytes must not be greater than limits.bodies_bytes",
            ),
            ("LIMITS__CONNECTIONS", "0", "limits.connections is 0"),
            ("SERVER__ALLOWED_HOSTS", r#"["[::1].evil"]"#, "must be a host name or an address"),
            ("SERVER__ALLOWED_ORIGINS", r#"["evil.example"]"#, "must be an origin without a path"),
            ("LIMITS__CONCURRENT_REQUESTS", "0", "limits.concurrent_requests is 0"),
            ("INDEX__MEMORY_BUDGET_BYTES", "1", "index.memory_budget_bytes is 1"),
            ("INDEX__GRAPH_BUDGET_BYTES", "1", "index.graph_budget_bytes is 1"),
            (
                "FORGETTING__POLICY__EFFECT",
                "hide",
                "\"hide\" is unknown; it must be one of none, demote, exclude, cold, delete",
            ),
            (
                "FORGETTING__POLICY__CURVE",
                "fsrs7",
                "\"fsrs7\" is unknown; it must be one of none, memorybank",
            ),
            ("FORGETTING__POLICY__WEIGHT", "101", "forgetting.policy.weight must be 0 to 100"),
            (
                "FORGETTING__POLICY__INITIAL_STRENGTHS__TURN",
                "0",
                "forgetting.policy.initial_strengths.turn must be 0.01 to 10000",
            ),
        ];
        for (name, value, sentence) in cases {
            let environment =
                [(format!("ENGRAIN_{name}"), value.to_owned()), ("HOME".to_owned(), "/home/ann".to_owned())];
            let error = load(None, &environment, &Overrides::default()).expect_err(name).to_string();
            assert!(error.contains(sentence), "{name}={value}: {error}");
        }
        let homeless = load(None, &[], &Overrides::default()).expect_err("nowhere to keep things");
        assert!(homeless.to_string().contains("store.data_dir must be set"), "{homeless}");
    }

    #[test]
    fn listening_on_a_public_address_can_be_allowed() {
        let environment = [
            ("ENGRAIN_SERVER__LISTEN".to_owned(), "0.0.0.0:7070".to_owned()),
            ("ENGRAIN_SERVER__ALLOW_REMOTE_WITHOUT_KEYS".to_owned(), "true".to_owned()),
            ("HOME".to_owned(), "/home/ann".to_owned()),
        ];
        assert!(load(None, &environment, &Overrides::default()).is_ok());
    }
}
