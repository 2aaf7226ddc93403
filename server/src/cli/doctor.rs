//! `engrain doctor`: diagnosis of the store and its environment.
//!
//! The environment is checked first and without a server, to explain why a server cannot start. Then the server checks
//! its store.

mod leftovers;

use std::path::Path;

use engrain::wire::{CheckReport, CheckRequest, Health};
use serde::Serialize;

use super::args::{DoctorArgs, Global};
use super::connect::{configuration, running_at, with_server};
use super::failure::Failure;
use super::print;
use crate::config::{Config, Overrides};
use crate::serve::descriptors;

/// Free disk space below which a store may fail, in bytes; a backup needs as much as the store itself.
const LOW_DISK_BYTES: u64 = 1 << 30;

/// Severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Grade {
    Ok,
    Warning,
    Problem,
}

/// Result of one check.
#[derive(Clone, Debug, Serialize)]
struct Finding {
    grade: Grade,
    subject: &'static str,
    detail: String,
}

/// Runs all checks, prints the results, and fails if one found a problem.
pub(super) async fn doctor(global: &Global, args: DoctorArgs) -> Result<(), Failure> {
    let mut findings = Vec::new();
    if global.server.is_none() {
        let config = configuration(global, Overrides::default())?;
        findings.push(data_directory(&config.store.data_dir));
        findings.push(disk_space(&config.store.data_dir));
        findings.push(open_files(config.limits.connections));
        findings.extend(leftovers::leftovers(&config.store.data_dir));
        findings.extend(leftovers::modes(&config.store.data_dir));
        findings.push(owner(&config).await);
        findings.extend(models(&config));
    }
    let request = CheckRequest { repair: args.repair };
    let checked = with_server(global, async |server| {
        let purge = server.client.purge().await?;
        let report = server.client.check(&request).await?;
        let ready = match server.client.ready().await {
            // The report says what is damaged.
            Err(error) if error.code() == Some("store_damaged") => None,
            ready => Some(ready?),
        };
        Ok((report, purge, ready))
    })
    .await;
    match checked {
        Ok((report, purge, ready)) => {
            findings.extend(store_findings(report));
            findings.extend(ready.as_ref().map(vectors));
            findings.push(leftovers::purge(&purge));
        }
        Err(failure) => {
            findings.push(Finding { grade: Grade::Problem, subject: "store", detail: failure.to_string() });
        }
    }
    let problems = findings.iter().filter(|finding| finding.grade == Grade::Problem).count();
    if global.json {
        print::json(&serde_json::json!({"healthy": problems == 0, "findings": findings}))?;
    } else {
        for finding in &findings {
            let mark = match finding.grade {
                Grade::Ok => "ok     ",
                Grade::Warning => "warning",
                Grade::Problem => "PROBLEM",
            };
            print::text(&format!("{mark}  {}: {}\n", finding.subject, print::printable(&finding.detail)))?;
        }
    }
    match problems {
        0 => Ok(()),
        1 => Err(Failure::Failed("there is a problem".to_owned())),
        many => Err(Failure::Failed(format!("there are {many} problems"))),
    }
}

fn store_findings(report: CheckReport) -> Vec<Finding> {
    let summary = format!("{} memories of {} owners", report.memories, report.partitions);
    let grade = if report.healthy { Grade::Ok } else { Grade::Problem };
    let mut findings = vec![Finding { grade, subject: "store", detail: summary }];
    findings.extend(report.findings.into_iter().map(|found| Finding {
        grade: if found.repaired { Grade::Warning } else { Grade::Problem },
        subject: "store",
        detail: format!(
            "{} ({}, {} times){}",
            found.detail,
            found.code,
            found.count,
            if found.repaired { ": repaired" } else { "" }
        ),
    }));
    findings
}

/// Vectors that are yet to be made, and why.
fn vectors(ready: &Health) -> Finding {
    let rows = ready.rows_without_vectors.unwrap_or(0);
    let (grade, detail) = match (rows, &ready.embedder_fault) {
        (0, None) => (Grade::Ok, "all are made".to_owned()),
        (rows, None) => (
            Grade::Warning,
            format!("{rows} are made in the background; until then words alone find these texts"),
        ),
        (rows, Some(code)) => (
            Grade::Warning,
            format!(
                "the embedder failed last ({code}); {rows} are yet to be made, and `GET /v1/jobs?kind=embed` shows the job"
            ),
        ),
    };
    Finding { grade, subject: "vectors", detail }
}

fn data_directory(directory: &Path) -> Finding {
    let subject = "data directory";
    if !directory.exists() {
        let detail = format!("{} is not there yet: the server makes it", directory.display());
        return Finding { grade: Grade::Ok, subject, detail };
    }
    match tempfile::NamedTempFile::new_in(directory) {
        Ok(_removed_at_once) => readable_by_others(directory, subject),
        Err(error) => {
            let detail = format!("cannot write into {}: {error}", directory.display());
            Finding { grade: Grade::Problem, subject, detail }
        }
    }
}

#[cfg(unix)]
fn readable_by_others(directory: &Path, subject: &'static str) -> Finding {
    use std::os::unix::fs::PermissionsExt;

    let mode = std::fs::metadata(directory).map_or(0, |metadata| metadata.permissions().mode());
    let shown = directory.display();
    if mode & 0o007 != 0 {
        let detail = format!("{shown} is open to other users of this machine: `chmod 700` closes it");
        return Finding { grade: Grade::Warning, subject, detail };
    }
    Finding { grade: Grade::Ok, subject, detail: format!("{shown} can be written to") }
}

#[cfg(not(unix))]
fn readable_by_others(directory: &Path, subject: &'static str) -> Finding {
    Finding { grade: Grade::Ok, subject, detail: format!("{} can be written to", directory.display()) }
}

#[cfg(unix)]
fn disk_space(directory: &Path) -> Finding {
    let subject = "disk";
    let nearest = directory.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(directory);
    match rustix::fs::statvfs(nearest) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let grade = if free < LOW_DISK_BYTES { Grade::Warning } else { Grade::Ok };
            let detail = format!("{:.1} GiB are free", free as f64 / f64::from(1 << 30));
            Finding { grade, subject, detail }
        }
        Err(error) => {
            Finding { grade: Grade::Warning, subject, detail: format!("cannot tell what is free: {error}") }
        }
    }
}

#[cfg(not(unix))]
fn disk_space(_directory: &Path) -> Finding {
    Finding { grade: Grade::Ok, subject: "disk", detail: "not looked at on this system".to_owned() }
}

/// Compares the limit on open files with the connections that the configuration allows.
fn open_files(connections: usize) -> Finding {
    let subject = "open files";
    let limit = descriptors::raise_limit();
    let possible = descriptors::connections_within(limit, connections);
    let shown = limit.map_or_else(|| "without a limit".to_owned(), |limit| format!("at most {limit}"));
    if possible < connections {
        let detail =
            format!("{shown}: enough for {possible} of {connections} connections; raise it with `ulimit -n`");
        return Finding { grade: Grade::Warning, subject, detail };
    }
    Finding { grade: Grade::Ok, subject, detail: format!("{shown}, enough for {connections} connections") }
}

async fn owner(config: &Config) -> Finding {
    let subject = "server";
    match running_at(config).await {
        Ok(Some(url)) => Finding { grade: Grade::Ok, subject, detail: format!("answers at {url}") },
        Ok(None) => Finding { grade: Grade::Ok, subject, detail: "none runs; the store is free".to_owned() },
        Err(failure) => Finding { grade: Grade::Problem, subject, detail: failure.to_string() },
    }
}

/// Checks the runtime and the files of the configured models.
#[cfg(feature = "local-models")]
fn models(config: &Config) -> Vec<Finding> {
    use memory_core::model::ModelError;
    use memory_core::model::catalogue::{ModelCache, Task};
    use memory_core::model::runtime;

    let cache = ModelCache::new(&config.model.cache_dir);
    let finding = |subject: &'static str, found: Result<String, ModelError>| match found {
        Ok(detail) => Finding { grade: Grade::Ok, subject, detail },
        Err(error) => Finding { grade: Grade::Problem, subject, detail: error.to_string() },
    };
    let library = cache.runtime_library();
    let loaded = library.and_then(|path| {
        runtime::environment(&path)?;
        Ok(format!("{} loads", path.display()))
    });
    let files = |name: &str, task: Task| -> Result<String, ModelError> {
        let model = cache.model(name, task)?;
        for file in &model.entry.files {
            model.read(&file.path)?; // holds it against its checksum
        }
        Ok(format!("{name} is complete"))
    };
    let mut findings = vec![finding("ONNX Runtime", loaded)];
    if config.model.embedder != "remote" {
        let name = match config.model.embedder.as_str() {
            "auto" => crate::wiring::DEFAULT_EMBEDDER,
            name => name,
        };
        findings.push(finding("embedder", files(name, Task::Embed)));
    }
    let cross_encoder = finding("cross-encoder", files(&config.recall.reranker, Task::Rerank));
    // An unused cross-encoder may be missing.
    let grade = match cross_encoder.grade {
        Grade::Problem if !config.recall.rerank => Grade::Warning,
        grade => grade,
    };
    findings.push(Finding { grade, ..cross_encoder });
    findings
}

#[cfg(not(feature = "local-models"))]
fn models(_config: &Config) -> Vec<Finding> {
    let detail = "this build has no local models".to_owned();
    vec![Finding { grade: Grade::Ok, subject: "models", detail }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unrepaired_fault_is_a_problem() {
        let found = |repaired| engrain::wire::Finding {
            code: "orphan_row".to_owned(),
            detail: "index rows of nothing".to_owned(),
            count: 3,
            repaired,
        };
        let report = CheckReport {
            healthy: false,
            partitions: 1,
            memories: 2,
            findings: vec![found(false), found(true)],
        };
        let grades: Vec<Grade> = store_findings(report).iter().map(|finding| finding.grade).collect();
        assert_eq!(grades, [Grade::Problem, Grade::Problem, Grade::Warning]);
    }

    #[test]
    fn a_directory_that_cannot_be_written_to_is_a_problem() {
        let folder = tempfile::tempdir().expect("a directory");
        assert_eq!(data_directory(&folder.path().join("none")).grade, Grade::Ok);
        let file = folder.path().join("file");
        std::fs::write(&file, "x").expect("written");
        assert_eq!(data_directory(&file).grade, Grade::Problem);
    }
}
