//! Loading of the configuration: defaults, then a file, then environment variables, then flags.
//!
//! The environment is a parameter, so that tests control it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Format, Serialized, Toml};

use super::{BadConfig, Config, DEFAULTS};

/// Values of command-line flags; they take precedence over every other source.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--listen`.
    pub listen: Option<SocketAddr>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--embedder`.
    pub embedder: Option<String>,
    /// `--log-level`.
    pub log_level: Option<String>,
}

/// Failure to load the configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is missing or unreadable.
    #[error("cannot read the configuration {}", .path.display())]
    Unreadable {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        #[source]
        error: std::io::Error,
    },
    /// A key is unknown or has the wrong type, or the file is not TOML.
    #[error("the configuration cannot be used: {}", told(.0))]
    Malformed(Box<figment::Error>),
    /// The values are invalid.
    #[error(transparent)]
    Contradiction(#[from] BadConfig),
}

/// Key and error. figment's own message would also name the place in our source that reads it.
fn told(error: &figment::Error) -> String {
    match error.path.is_empty() {
        true => error.kind.to_string(),
        false => format!("{}: {}", error.path.join("."), error.kind),
    }
}

/// Loads the configuration of `file`, changed by `environment` (names and values) and `overrides`.
pub fn load(
    file: Option<&Path>,
    environment: &[(String, String)],
    overrides: &Overrides,
) -> Result<Config, LoadError> {
    let mut figment = Figment::from(Toml::string(DEFAULTS));
    if let Some(path) = file {
        let text = std::fs::read_to_string(path)
            .map_err(|error| LoadError::Unreadable { path: path.to_owned(), error })?;
        figment = figment.merge(Toml::string(&text));
    }
    for (name, value) in environment {
        if let Some(key) = key_of(name) {
            figment = figment.merge(Serialized::default(&key, value_of(value)));
        }
    }
    let mut config: Config = figment.extract().map_err(|error| LoadError::Malformed(Box::new(error)))?;
    apply(overrides, &mut config);
    fill_in_directories(&mut config, environment);
    config.check()?;
    Ok(config)
}

/// Key of an environment variable: `limits.body_bytes` for `ENGRAIN_LIMITS__BODY_BYTES`. Names without a section are
/// other variables.
fn key_of(name: &str) -> Option<String> {
    let key = name.strip_prefix("ENGRAIN_")?;
    key.contains("__").then(|| key.to_ascii_lowercase().replace("__", "."))
}

/// Number or boolean where the text is one; figment converts nothing by itself.
fn value_of(text: &str) -> figment::value::Value {
    text.parse().unwrap_or_else(|never: std::convert::Infallible| match never {})
}

fn apply(overrides: &Overrides, config: &mut Config) {
    let Overrides { listen, data_dir, embedder, log_level } = overrides.clone();
    config.server.listen = listen.unwrap_or(config.server.listen);
    config.store.data_dir = data_dir.unwrap_or_else(|| std::mem::take(&mut config.store.data_dir));
    config.model.embedder = embedder.unwrap_or_else(|| std::mem::take(&mut config.model.embedder));
    config.log.level = log_level.unwrap_or_else(|| std::mem::take(&mut config.log.level));
}

fn fill_in_directories(config: &mut Config, environment: &[(String, String)]) {
    let directory = |own: &str, base: &str, under_home: &[&str]| {
        let variable = |name: &str| {
            let found = environment.iter().find(|(candidate, _)| candidate == name);
            found.map(|(_, value)| PathBuf::from(value)).filter(|value| !value.as_os_str().is_empty())
        };
        variable(own)
            .or_else(|| variable(base).map(|base| base.join("engrain")))
            .or_else(|| variable("HOME").map(|home| home.join(under_home.iter().collect::<PathBuf>())))
    };
    if config.store.data_dir.as_os_str().is_empty() {
        let found = directory("ENGRAIN_DATA_DIR", "XDG_DATA_HOME", &[".local", "share", "engrain"]);
        config.store.data_dir = found.unwrap_or_default();
    }
    if config.model.cache_dir.as_os_str().is_empty() {
        let found = directory("ENGRAIN_CACHE", "XDG_CACHE_HOME", &[".cache", "engrain"]);
        config.model.cache_dir = found.unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(environment: &[(&str, &str)]) -> Result<Config, LoadError> {
        let pairs = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let environment: Vec<_> = pairs.chain([("HOME".to_owned(), "/home/ann".to_owned())]).collect();
        load(None, &environment, &Overrides::default())
    }

    #[test]
    fn the_defaults_are_complete() {
        let config = loaded(&[]).expect("the defaults");
        assert_eq!(config.server.listen.to_string(), "127.0.0.1:7070");
        assert_eq!(config.store.data_dir, Path::new("/home/ann/.local/share/engrain"));
        assert_eq!(config.model.cache_dir, Path::new("/home/ann/.cache/engrain"));
    }

    /// The documentation has every key: what it lacks could be set but not found.
    #[test]
    fn every_key_is_documented() {
        let config = loaded(&[]).expect("the defaults");
        let value = serde_json::to_value(&config).expect("a tree");
        let mut sections = vec![(String::new(), &value)];
        while let Some((path, value)) = sections.pop() {
            for (key, value) in value.as_object().into_iter().flatten() {
                if value.is_object() {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    assert!(DEFAULTS.contains(&format!("\n[{path}]\n")), "{path}");
                    sections.push((path, value));
                } else {
                    let set = format!("\n{key} = ");
                    let commented = format!("\n# {key} = ");
                    assert!(DEFAULTS.contains(&set) || DEFAULTS.contains(&commented), "{path}.{key}");
                }
            }
        }
    }

    #[test]
    fn later_sources_take_precedence() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join("engrain.toml");
        std::fs::write(
            &file,
            "[limits]\nbody_bytes = 1000\nconcurrent_requests = 5\n[log]\nlevel = 'warn'\n",
        )
        .expect("written");
        let environment = [
            ("ENGRAIN_LIMITS__BODY_BYTES".to_owned(), "2000".to_owned()),
            ("ENGRAIN_DATA_DIR".to_owned(), "/data".to_owned()),
            ("ENGRAIN_SERVER".to_owned(), "http://x".to_owned()),
            ("ENGRAIN_RECALL__RERANK".to_owned(), "true".to_owned()),
        ];
        let overrides = Overrides { log_level: Some("debug".to_owned()), ..Overrides::default() };
        let config = load(Some(&file), &environment, &overrides).expect("a configuration");
        assert_eq!((config.limits.body_bytes, config.limits.concurrent_requests), (2_000, 5));
        assert_eq!((config.log.level.as_str(), config.recall.rerank), ("debug", true));
        assert_eq!(config.store.data_dir, Path::new("/data"));
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let error = loaded(&[("ENGRAIN_LIMITS__BODY_BITES", "7")]).expect_err("unknown").to_string();
        assert!(error.contains("body_bites"), "{error}");
        let error = loaded(&[("ENGRAIN_LIMITS__BODY_BYTES", "many")]).expect_err("no number").to_string();
        assert!(error.contains("limits.body_bytes: ") && !error.contains(".rs"), "{error}");
        let missing = load(Some(Path::new("/nowhere/engrain.toml")), &[], &Overrides::default());
        assert!(matches!(missing, Err(LoadError::Unreadable { .. })));
    }

    #[test]
    fn a_secret_of_digits_stays_a_text() {
        let config = loaded(&[("ENGRAIN_MODEL__REMOTE__API_KEY", "\"123\"")]).expect("a configuration");
        assert_eq!(config.model.remote.api_key.reveal(), "123");
    }
}
