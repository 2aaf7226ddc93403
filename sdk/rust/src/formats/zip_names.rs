//! Names of all members of a ZIP archive. The reader of archives keeps one member of each name.

use std::collections::HashMap;
use std::io::{self, Read, Seek, SeekFrom};

/// Signature of an entry of the central directory.
const ENTRY: &[u8] = b"PK\x01\x02";

/// Length of an entry of the central directory without its name, extra field and comment (APPNOTE 4.3.12).
const ENTRY_BYTES: usize = 46;

/// Names that more than one entry of the central directory has although their contents differ, sorted. It begins at
/// `start`; at most `max_members` entries are read.
pub(super) fn repeated(
    mut file: impl Read + Seek,
    start: u64,
    max_members: usize,
) -> io::Result<Vec<String>> {
    file.seek(SeekFrom::Start(start))?;
    // The checksum and both lengths tell contents apart.
    let mut contents: HashMap<Vec<u8>, [u8; 12]> = HashMap::new();
    let mut repeated = Vec::new();
    for _ in 0..max_members {
        let mut entry = Vec::with_capacity(ENTRY_BYTES);
        file.by_ref().take(ENTRY_BYTES as u64).read_to_end(&mut entry)?;
        let Some((content, lengths)) = parts(&entry) else { break };
        let [name_bytes, extra_bytes, comment_bytes] = lengths;
        let mut name = Vec::new();
        file.by_ref().take(u64::from(name_bytes)).read_to_end(&mut name)?;
        io::copy(
            &mut file.by_ref().take(u64::from(extra_bytes) + u64::from(comment_bytes)),
            &mut io::sink(),
        )?;
        let text = String::from_utf8_lossy(&name).into_owned();
        if contents.insert(name, content).is_some_and(|other| other != content) {
            repeated.push(text);
        }
    }
    repeated.sort();
    Ok(repeated)
}

/// Checksum and lengths of the content, and the lengths of name, extra field and comment.
fn parts(entry: &[u8]) -> Option<([u8; 12], [u16; 3])> {
    if entry.len() < ENTRY_BYTES || !entry.starts_with(ENTRY) {
        return None;
    }
    let length = |at: usize| Some(u16::from_le_bytes(entry.get(at..at + 2)?.try_into().ok()?));
    Some((entry.get(16..28)?.try_into().ok()?, [length(28)?, length(30)?, length(32)?]))
}
