//! Model names, and the cache folder of each.
//!
//! A name is `repository`, `owner/repository` or `owner/repository:variant`; the last two are names of a model hub,
//! whose repositories may have one model in several precisions. Invariant: a name maps to one folder inside the cache,
//! on any system: the folder's name has no separator, no colon, and does not begin with a dot.

/// Maximum length of a name, in bytes; file systems allow 255 for a folder.
const MAX_NAME_BYTES: usize = 200;

/// Cache folder of a model; `None` for an invalid name.
///
/// `intfloat/multilingual-e5-small` is in `intfloat--multilingual-e5-small`, as in the hub's own cache. Two names may
/// map to one folder; its `model.json` says which of them it contains.
pub(super) fn folder(name: &str) -> Option<String> {
    let (repository, variant) = match name.split_once(':') {
        Some((repository, variant)) if repository.contains('/') => (repository, Some(variant)),
        Some(_) => return None,
        None => (name, None),
    };
    let (owner, repository) = match repository.split_once('/') {
        Some((owner, repository)) => (Some(owner), repository),
        None => (None, repository),
    };
    let parts: Vec<&str> = owner.into_iter().chain([repository]).chain(variant).collect();
    (name.len() <= MAX_NAME_BYTES && parts.iter().all(|part| is_plain(part))).then(|| parts.join("--"))
}

fn is_plain(part: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !part.is_empty() && !part.starts_with('.') && part.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_maps_to_one_folder() {
        for (name, expected) in [
            ("bge-small-en-v1.5", "bge-small-en-v1.5"),
            ("intfloat/multilingual-e5-small", "intfloat--multilingual-e5-small"),
            ("nomic-ai/nomic-embed-text-v1.5:quantized", "nomic-ai--nomic-embed-text-v1.5--quantized"),
        ] {
            assert_eq!(folder(name).as_deref(), Some(expected));
        }
    }

    #[test]
    fn no_name_maps_outside_the_cache() {
        let long = "a".repeat(MAX_NAME_BYTES + 1);
        for name in [
            "", ".", "..", "../x", "x/..", "/x", "x/", "a/b/c", "a\\b", "a/b:", ":a", "a:b", "a/b:c/d",
            "a/b:..", "a/.b", ".a/b", "a b", "a/b:c:d", "ä", "a\0b", "C:x", "a/b\n", &long,
        ] {
            assert_eq!(folder(name), None, "{name:?}");
        }
    }
}
