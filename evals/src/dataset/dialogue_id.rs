//! Parser of LoCoMo's turn ids: `D1:3` is the third turn of the first session. The released file has malformed ones:
//! two in one text (`D8:6; D9:17`), an extra colon (`D:11:26`), leading zeros (`D30:05`), or no number (`D`).

/// Id of a turn: session and position in it, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct DialogueId {
    session: u32,
    turn: u32,
}

/// Parses all ids in `text`; returns them with the number of malformed pieces.
pub(super) fn parse_all(text: &str) -> (Vec<DialogueId>, usize) {
    let pieces = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != ':');
    let read: Vec<_> = pieces.filter(|piece| !piece.is_empty()).map(parse).collect();
    let malformed = read.iter().filter(|id| id.is_none()).count();
    // A text without any candidate counts as one malformed id.
    (read.iter().copied().flatten().collect(), if read.is_empty() { 1 } else { malformed })
}

/// Parses a single id.
pub(super) fn parse(piece: &str) -> Option<DialogueId> {
    let numbers = piece.strip_prefix('D')?;
    let (session, turn) = numbers.strip_prefix(':').unwrap_or(numbers).split_once(':')?;
    // `u32` parsing would accept a sign.
    let number =
        |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?;
    Some(DialogueId { session: number(session)?, turn: number(turn)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(session: u32, turn: u32) -> DialogueId {
        DialogueId { session, turn }
    }

    #[test]
    fn every_way_of_writing_a_name_is_read() {
        assert_eq!(parse_all("D1:3"), (vec![id(1, 3)], 0));
        assert_eq!(parse_all("D8:6; D9:17"), (vec![id(8, 6), id(9, 17)], 0));
        assert_eq!(parse_all("D9:1 D4:4 D4:6"), (vec![id(9, 1), id(4, 4), id(4, 6)], 0));
        assert_eq!(parse_all("D:11:26"), (vec![id(11, 26)], 0));
        assert_eq!(parse_all("D30:05"), (vec![id(30, 5)], 0));
    }

    #[test]
    fn what_cannot_be_read_is_counted() {
        for text in ["D", "", " ; ", "D1", "D1:", "D:1", "1:3", "E1:3", "D1:x", "D1:2:3", "D1:99999999999"] {
            assert_eq!(parse_all(text), (vec![], 1), "{text}");
        }
        assert_eq!(parse_all("D1:3, D, D2:4"), (vec![id(1, 3), id(2, 4)], 1));
    }
}
