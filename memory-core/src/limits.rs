//! Named bounds of the engine. Every input and every result has one.

/// Bounds on requests, and on the data kept about them.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Turns in one call.
    pub turns_per_call: usize,
    /// Finished memories in one call.
    pub memories_per_call: usize,
    /// Bytes of one text.
    pub text_bytes: usize,
    /// Bytes of all texts of one call.
    pub text_bytes_per_call: usize,
    /// Tags of one memory; also subjects, and participants of a turn.
    pub names_per_list: usize,
    /// Sources of one memory.
    pub sources_per_memory: usize,
    /// Links that start from one memory.
    pub links_per_memory: usize,
    /// Bytes of a query text.
    pub query_bytes: usize,
    /// Memories that one recall returns.
    pub recall_limit: u32,
    /// Memories on one page of a list.
    pub page_size: u32,
    /// Bytes of the texts of a page of memories or turns, after which the page ends; of a recall, in which later texts are
    /// shorter excerpts.
    pub page_text_bytes: usize,
    /// LLM tokens of a context block.
    pub budget_tokens: u32,
    /// Candidates that a cross-encoder reads.
    pub rerank_candidates: u32,
    /// Partitions that a recall without an owner searches.
    pub fan_out_partitions: u32,
    /// Memories that one grant names.
    pub memories_per_grant: usize,
    /// Grants of one owner that are kept, open and ended ones; the oldest ended one gives way to a new one.
    pub grants_per_owner: u32,
    /// Open grants to one user, agent, app or run.
    pub grants_per_grantee: u32,
    /// Reads that the audit log of one grant keeps.
    pub grant_uses_kept: u32,
    /// Milliseconds that a recall may ask for.
    pub deadline_ms: u32,
    /// Memories that one deletion by filter erases.
    pub erasures_per_call: usize,
    /// Memories that one undo changes.
    pub memories_per_undo: usize,
    /// Chunks that a request embeds before it answers; the vectors of a larger one are all made later.
    pub chunks_embedded_at_once: usize,
    /// Bytes of these chunks.
    pub bytes_embedded_at_once: usize,
    /// Milliseconds that a request waits for the embedder; vectors that are missing by then are made later.
    pub embedding_wait_ms: u64,
    /// Bytes of the graphs of partitions in memory together, and of one graph.
    pub graph_bytes: usize,
    /// Hops of a search for neighbours.
    pub graph_hops: u8,
    /// Edges of a path between two memories.
    pub graph_path_hops: u8,
    /// Memories of one cluster that an answer names.
    pub graph_cluster_memories: usize,
    /// Change sets that wait to be committed; further ones are refused as busy.
    pub commits_waiting: usize,
    /// Change sets in one transaction.
    pub sets_per_commit: usize,
    /// Recalls of one partition that the access log keeps.
    pub recalls_kept: u32,
    /// Days for which an idempotency key is kept.
    pub requests_kept_days: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            turns_per_call: 1_000,
            memories_per_call: 1_000,
            text_bytes: 1024 * 1024,
            text_bytes_per_call: 8 * 1024 * 1024,
            names_per_list: 64,
            sources_per_memory: 256,
            links_per_memory: 64,
            query_bytes: 32 * 1024,
            recall_limit: 200,
            page_size: 1_000,
            page_text_bytes: 8 * 1024 * 1024,
            budget_tokens: 100_000,
            rerank_candidates: 200,
            fan_out_partitions: 64,
            memories_per_grant: 256,
            grants_per_owner: 256,
            grants_per_grantee: 256,
            grant_uses_kept: 1_000,
            deadline_ms: 60_000,
            erasures_per_call: 10_000,
            memories_per_undo: 2_000,
            chunks_embedded_at_once: 256,
            bytes_embedded_at_once: 64 * 1024,
            embedding_wait_ms: 10_000,
            graph_bytes: 256 * 1024 * 1024,
            graph_hops: 3,
            graph_path_hops: 6,
            graph_cluster_memories: 100,
            commits_waiting: 1_024,
            sets_per_commit: 128,
            recalls_kept: 1_000,
            requests_kept_days: 7,
        }
    }
}
