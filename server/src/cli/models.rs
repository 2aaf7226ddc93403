//! `engrain models`: list and fetch models. The only command that downloads.
//!
//! It works on the cache without a server: a server downloads nothing and refers to this command instead.

use std::fmt::Write as _;

use memory_core::model::catalogue::ModelCache;
use memory_core::model::inventory::{ListedModel, Source, State, inventory};

use super::args::{Global, ModelsCommand};
use super::connect::configuration;
use super::failure::Failure;
use super::print;
use crate::config::Overrides;

/// Runs the subcommand: list or fetch.
pub(super) async fn models(global: &Global, command: ModelsCommand) -> Result<(), Failure> {
    let config = configuration(global, Overrides::default())?;
    let cache = ModelCache::new(&config.model.cache_dir);
    match command {
        ModelsCommand::List => list(global, &cache),
        ModelsCommand::Fetch { names } => fetch(global, &cache, &names).await,
    }
}

fn list(global: &Global, cache: &ModelCache) -> Result<(), Failure> {
    let models = inventory(cache)?;
    if global.json {
        return print::json(&serde_json::json!({"cache": cache.directory(), "models": models}));
    }
    let mut text = format!("The cache is {}.\n", cache.directory().display());
    for (source, about) in [
        (Source::Catalogue, "Pinned by this version (`make setup` fetches the defaults):"),
        (Source::Own, "Your own folders:"),
        (Source::Hub, "By name from the hub (`engrain models fetch NAME` fetches one):"),
    ] {
        let mut of_source = models.iter().filter(|model| model.source == source).peekable();
        if of_source.peek().is_some() {
            let _ = writeln!(text, "\n{about}");
            of_source.for_each(|model| text.push_str(&line(model)));
        }
    }
    print::text(&text)
}

fn line(model: &ListedModel) -> String {
    let state = match model.state {
        State::Here => "here",
        State::NotHere => "-",
        State::Unusable => "unusable",
    };
    let task = model.task.map_or("?", memory_core::model::catalogue::Task::verb);
    let dimension = model.dimension.map(|dimension| dimension.to_string()).unwrap_or_default();
    let fault =
        model.fault.as_deref().map(|fault| format!("  {}", print::printable(fault))).unwrap_or_default();
    let line = format!("  {state:8}  {task:6}  {dimension:>4}  {}{fault}", print::printable(&model.name));
    format!("{}\n", line.trim_end())
}

#[cfg(feature = "hub")]
async fn fetch(global: &Global, cache: &ModelCache, names: &[String]) -> Result<(), Failure> {
    use memory_core::model::hub::{Fetched, HubSettings, Progress, fetch};

    let settings = HubSettings::from_environment(|name| std::env::var_os(name));
    let mut told = Vec::new();
    for name in names {
        let bar = super::import_export::bytes_bar();
        let mut progress = |step: Progress<'_>| {
            bar.set_length(step.total_bytes);
            bar.set_position(step.done_bytes);
            bar.set_message(print::printable(step.file));
        };
        let fetched = Box::pin(fetch(cache, &settings, name, &mut progress)).await;
        bar.finish_and_clear();
        let (model, is_new) = match fetched? {
            Fetched::New(model) => (model, true),
            Fetched::Here(model) => (model, false),
        };
        let revision = model.entry.origin.as_ref().map_or("", |origin| origin.revision.as_str());
        let folder = model.folder().display().to_string();
        if !global.json {
            let how = if is_new { "fetched into" } else { "is here, and as it was pinned, in" };
            print::text(&format!("{name} {how} {folder} (revision {revision})\n"))?;
        }
        told.push(serde_json::json!({
            "name": name, "fetched": is_new, "folder": folder, "revision": revision, "task": model.entry.task,
        }));
    }
    if global.json { print::json(&serde_json::json!({"models": told})) } else { Ok(()) }
}

#[cfg(not(feature = "hub"))]
async fn fetch(_global: &Global, _cache: &ModelCache, _names: &[String]) -> Result<(), Failure> {
    std::future::ready(()).await;
    Err(Failure::Usage("fetching models needs a build with the feature `hub`".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_printed_as_one_line() {
        let model = ListedModel {
            name: "a/b".to_owned(),
            task: None,
            dimension: None,
            source: Source::Own,
            state: State::Unusable,
            revision: None,
            fault: Some("bad\u{1b}[2J".to_owned()),
        };
        assert_eq!(line(&model), "  unusable  ?             a/b  bad\u{fffd}[2J\n");
    }
}
