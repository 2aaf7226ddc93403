//! Recipe of index rows, and its number in the store.

/// Number that the store assigns to a [`RowRecipe`]. Rows are written, read and compared under one number only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbedderId(pub i64);

/// Everything besides a memory's own text and author that its index rows are derived from. Rows of different recipes are
/// different data: the store keeps them apart by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowRecipe {
    /// Identity of the embedder: model, version, and the settings that change its vectors.
    pub embedder: String,
    /// Identity of the tokenizer of the term vectors; empty in a store from before it was recorded.
    pub tokenizer: String,
    /// Version of the key recipe (heading of the author, chunk boundaries); 0 in a store from before it was recorded.
    pub key_recipe: u32,
}
