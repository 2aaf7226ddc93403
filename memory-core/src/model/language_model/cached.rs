//! Cache of replies in memory: equal requests to one model are billed once.
//!
//! A job that is run again, after a kill or a lost lease, repeats its calls. The key is a digest, so that no prompt is
//! kept; replies are, and [`LanguageModel::forget_all`] drops them with every erasure. Nothing is written to disk.

use std::sync::Arc;

use async_trait::async_trait;
use hashlink::LruCache;
use parking_lot::Mutex;

use super::{Finish, LanguageModel, LanguageModelError, ModelIdentity, ModelReply, ModelRequest, Usage};

/// Bytes of an entry besides its text: key, reply and links.
const ENTRY_BYTES: usize = 160;

/// Model with a cache before it. Only complete replies ([`Finish::Stop`]) are kept, the least recently used go first.
///
/// Concurrent equal requests are not joined: each that finds nothing calls the model.
#[derive(Debug)]
pub struct CachedModel {
    model: Arc<dyn LanguageModel>,
    bytes_at_most: usize,
    kept: Mutex<Kept>,
}

struct Kept {
    replies: LruCache<[u8; 32], String>,
    bytes: usize,
    /// Number of `clear`s. A reply that was asked for before one is not kept after it.
    cleared: u64,
}

impl CachedModel {
    /// Cache of at most this many bytes of replies; 0 keeps none.
    pub fn new(model: Arc<dyn LanguageModel>, bytes_at_most: usize) -> Self {
        let kept = Kept { replies: LruCache::new_unbounded(), bytes: 0, cleared: 0 };
        Self { model, bytes_at_most, kept: Mutex::new(kept) }
    }

    /// Drops all replies. Replies to calls that are under way are not kept either.
    pub fn clear(&self) {
        let mut kept = self.kept.lock();
        kept.replies = LruCache::new_unbounded();
        kept.bytes = 0;
        kept.cleared += 1;
    }

    /// Bytes of the replies kept, with their keys.
    pub fn bytes(&self) -> usize {
        self.kept.lock().bytes
    }

    fn keep(&self, key: [u8; 32], text: &str, cleared: u64) {
        let mut kept = self.kept.lock();
        if kept.cleared != cleared || text.len() + ENTRY_BYTES > self.bytes_at_most {
            return;
        }
        kept.remove(&key);
        kept.bytes += text.len() + ENTRY_BYTES;
        kept.replies.insert(key, text.to_owned());
        while kept.bytes > self.bytes_at_most {
            let Some((_, oldest)) = kept.replies.remove_lru() else { break };
            kept.bytes -= oldest.len() + ENTRY_BYTES;
        }
    }
}

impl Kept {
    fn remove(&mut self, key: &[u8; 32]) {
        if let Some(text) = self.replies.remove(key) {
            self.bytes -= text.len() + ENTRY_BYTES;
        }
    }
}

impl std::fmt::Debug for Kept {
    /// Debug output without the replies.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Kept").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

#[async_trait]
impl LanguageModel for CachedModel {
    fn identity(&self) -> &ModelIdentity {
        self.model.identity()
    }

    async fn complete(&self, request: &ModelRequest) -> Result<ModelReply, LanguageModelError> {
        let key = request.digest(self.model.identity());
        let (known, cleared) = {
            let mut kept = self.kept.lock();
            (kept.replies.get(&key).cloned(), kept.cleared)
        };
        if let Some(text) = known {
            return Ok(ModelReply { text, usage: Usage::default(), finish: Finish::Stop, from_cache: true });
        }
        let reply = self.model.complete(request).await?;
        if reply.finish == Finish::Stop {
            self.keep(key, &reply.text, cleared);
        }
        Ok(reply)
    }

    fn forget_all(&self) {
        self.clear();
        self.model.forget_all();
    }

    fn forget(&self, request: &ModelRequest) {
        self.kept.lock().remove(&request.digest(self.model.identity()));
        self.model.forget(request);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::language_model::scripted::{ScriptedLanguageModel, ScriptedReply};

    fn request(user: &str) -> ModelRequest {
        ModelRequest::new("", user, 10)
    }

    async fn replies(model: &dyn LanguageModel, user: &str) -> (String, bool) {
        let reply = model.complete(&request(user)).await.unwrap();
        assert_eq!(reply.from_cache, reply.usage == Usage::default(), "exactly a cached reply costs nothing");
        (reply.text, reply.from_cache)
    }

    #[tokio::test]
    async fn equal_requests_are_billed_once_until_cleared_or_forgotten() {
        let model = CachedModel::new(ScriptedLanguageModel::new(|r| r.user.to_uppercase()), 1 << 20);
        assert_eq!(replies(&model, "a").await, ("A".into(), false));
        assert_eq!(replies(&model, "a").await, ("A".into(), true));
        assert_eq!(replies(&model, "b").await, ("B".into(), false));
        model.forget(&request("a"));
        assert_eq!(replies(&model, "a").await, ("A".into(), false));
        model.clear();
        assert_eq!(model.bytes(), 0);
        assert_eq!(replies(&model, "b").await, ("B".into(), false));
    }

    #[tokio::test]
    async fn the_least_recently_used_reply_is_dropped_first() {
        let model = CachedModel::new(ScriptedLanguageModel::new(|_| "x".repeat(40)), 2 * (40 + ENTRY_BYTES));
        for (user, from_cache) in
            [("a", false), ("b", false), ("a", true), ("c", false), ("a", true), ("b", false)]
        {
            assert_eq!(replies(&model, user).await.1, from_cache, "{user}");
            assert!(model.bytes() <= 2 * (40 + ENTRY_BYTES));
        }
        let tiny = CachedModel::new(ScriptedLanguageModel::new(|_| "x"), 10);
        replies(&tiny, "a").await;
        assert_eq!(tiny.bytes(), 0, "a reply over the limit is not kept");
    }

    #[tokio::test]
    async fn incomplete_replies_and_failures_are_not_kept() {
        let steps = [
            ScriptedReply::Truncated("t".into()),
            ScriptedReply::Filtered,
            ScriptedReply::Fails(LanguageModelError::TooLong),
            ScriptedReply::Text("whole".into()),
        ];
        let model = CachedModel::new(ScriptedLanguageModel::steps(steps), 1 << 20);
        for _ in 0..3 {
            let reply = model.complete(&request("a")).await;
            assert!(reply.is_err() || reply.is_ok_and(|reply| reply.finish != Finish::Stop));
        }
        assert_eq!(replies(&model, "a").await, ("whole".into(), false));
    }

    /// Cache around a model that clears it while it replies.
    #[tokio::test]
    async fn a_reply_that_was_under_way_during_a_clear_is_not_kept() {
        let cache: Arc<Mutex<Option<Arc<CachedModel>>>> = Arc::default();
        let inner = ScriptedLanguageModel::new({
            let cache = Arc::clone(&cache);
            move |_| {
                if let Some(cache) = cache.lock().as_ref() {
                    cache.clear();
                }
                "of an erased memory"
            }
        });
        let model = Arc::new(CachedModel::new(inner, 1 << 20));
        *cache.lock() = Some(Arc::clone(&model));
        replies(&*model, "a").await;
        assert_eq!(model.bytes(), 0);
    }
}
