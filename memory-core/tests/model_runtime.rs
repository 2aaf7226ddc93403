//! Errors for an unusable ONNX Runtime. A program of its own, because a process can load the runtime only once.
//!
//! A library that is too old is made here with the C compiler (which the build needs anyway): real old ones are large.

use std::path::Path;
use std::process::Command;

use memory_core::model::ModelError;
use memory_core::model::catalogue::ModelCache;
use memory_core::model::runtime::environment;

#[test]
fn a_wrong_runtime_is_an_error_with_a_remedy_and_the_right_one_still_loads() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("nothing.so");
    assert!(matches!(environment(&missing), Err(ModelError::RuntimeMissing { .. })));

    let text = directory.path().join("text.so");
    std::fs::write(&text, "this is no library").unwrap();
    assert!(matches!(environment(&text), Err(ModelError::RuntimeUnusable { .. })));

    let stranger = compiled(directory.path(), "stranger", "int nothing_of_interest(void) { return 1; }");
    assert!(matches!(environment(&stranger), Err(ModelError::RuntimeUnusable { .. })));

    let old = compiled(directory.path(), "old", &runtime_of_version("1.20.1"));
    let error = environment(&old).unwrap_err();
    assert!(matches!(&error, ModelError::RuntimeTooOld { found, .. } if found == "1.20.1"), "{error:?}");
    for part in ["1.24", "make setup", old.to_str().unwrap()] {
        assert!(error.to_string().contains(part), "{error}");
    }

    let cache =
        ModelCache::from_environment(|name| std::env::var_os(name)).expect("HOME or ENGRAIN_CACHE is set");
    let library = cache.runtime_library().unwrap();
    if let Err(error) = environment(&library) {
        panic!("this test needs the runtime: python3 scripts/fetch_models.py. {error}");
    }
    assert!(environment(&missing).is_ok(), "the runtime that is loaded serves every later call");
}

/// The only two functions that are called before the version is known.
fn runtime_of_version(version: &str) -> String {
    format!(
        r#"
        struct base {{ const void *(*get_api)(unsigned); const char *(*get_version)(void); }};
        static const void *api(unsigned version) {{ return 0; }}
        static const char *version(void) {{ return "{version}"; }}
        static const struct base base = {{ api, version }};
        const struct base *OrtGetApiBase(void) {{ return &base; }}
        "#
    )
}

fn compiled(directory: &Path, name: &str, code: &str) -> std::path::PathBuf {
    let source = directory.join(format!("{name}.c"));
    let library = directory.join(format!("{name}.so"));
    assert!(std::fs::write(&source, code).is_ok(), "{} cannot be written", source.display());
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let status = Command::new(&compiler).args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status();
    assert!(status.is_ok_and(|status| status.success()), "this test needs a C compiler (`{compiler}`)");
    library
}
