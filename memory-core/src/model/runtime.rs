//! Loader of ONNX Runtime: from a file, once per process, with an error where `ort` would panic.
//!
//! `ort` searches for the library at its first use and panics if it finds none or an old one. Every session is
//! therefore made through [`environment`], which loads a named file first. Telemetry of the runtime is off.

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use ort::LoadDynamicError;
use ort::environment::Environment;
use parking_lot::Mutex;

use super::ModelError;
use super::catalogue::catalogue;

/// Runtime of this process, loaded from `library` if none is loaded yet.
///
/// A process has one runtime: a later call with another file returns the one that is loaded.
///
/// # Errors
/// [`ModelError::RuntimeMissing`], [`ModelError::RuntimeTooOld`] and [`ModelError::RuntimeUnusable`]; a call with
/// another file may succeed afterwards.
pub fn environment(library: &Path) -> Result<Environment, ModelError> {
    static LOADED: Mutex<Option<Environment>> = Mutex::new(None);
    let mut loaded = LOADED.lock();
    if let Some(environment) = loaded.as_ref() {
        return Ok(environment.clone());
    }
    let environment = load(library)?;
    *loaded = Some(environment.clone());
    Ok(environment)
}

fn load(library: &Path) -> Result<Environment, ModelError> {
    let needed = &catalogue()?.runtime.minimum;
    // The loader resolves a relative path against the executable's folder.
    let path = std::path::absolute(library).unwrap_or_else(|_| library.to_owned());
    if !path.is_file() {
        return Err(ModelError::RuntimeMissing { path, needed: needed.clone() });
    }
    let unusable =
        |reason: String| ModelError::RuntimeUnusable { path: path.clone(), needed: needed.clone(), reason };
    // `ort` asserts properties of the library that only a broken one lacks.
    let loaded = catch_unwind(|| match ort::init_from(&path) {
        Ok(builder) => builder
            .with_name("engrain")
            .with_telemetry(false)
            .build()
            .map_err(|error| unusable(error.to_string())),
        Err(error) => Err(refused(error, &path, needed)),
    });
    loaded.unwrap_or_else(|_| Err(unusable("it panicked while loading".to_owned())))
}

fn refused(error: LoadDynamicError, path: &Path, needed: &str) -> ModelError {
    let (path, needed): (PathBuf, String) = (path.to_owned(), needed.to_owned());
    match error {
        LoadDynamicError::BadVersion { version_str, .. } => {
            ModelError::RuntimeTooOld { path, found: version_str, needed }
        }
        other => ModelError::RuntimeUnusable { path, needed, reason: other.to_string() },
    }
}
