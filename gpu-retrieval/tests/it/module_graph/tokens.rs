//! A lexer for paths in Rust sources: enough to tell code from comments and strings.

/// Identifiers, `::`, and single punctuation marks; no comments, no string contents, no lifetimes.
pub(super) fn tokens(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let (mut tokens, mut at) = (Vec::new(), 0);
    while at < letters.len() {
        let rest = &letters[at..];
        let word = rest.iter().take_while(|letter| is_word(**letter)).count();
        at += match rest {
            ['/', '/', ..] => rest.iter().take_while(|letter| **letter != '\n').count(),
            ['/', '*', ..] => block_comment_length(rest),
            ['r', '"' | '#', ..] | ['b', 'r', '"' | '#', ..] if raw_string_length(rest).is_some() => {
                raw_string_length(rest).unwrap()
            }
            ['"', ..] => quoted_length(rest),
            ['b', '"', ..] => 1 + quoted_length(&rest[1..]),
            ['\'', '\\', ..] => quoted_length(rest),
            ['\'', _, '\'', ..] => 3,
            [':', ':', ..] => {
                tokens.push("::".to_owned());
                2
            }
            _ if word > 0 => {
                tokens.push(rest[..word].iter().collect());
                word
            }
            [letter, ..] => {
                if !letter.is_whitespace() {
                    tokens.push(letter.to_string());
                }
                1
            }
            [] => 0,
        };
    }
    tokens
}

pub(super) fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn block_comment_length(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// Of `r"…"`, `r#"…"#`, `br"…"` and so on; none for a raw identifier.
fn raw_string_length(rest: &[char]) -> Option<usize> {
    let prefix = rest.iter().take_while(|letter| ['b', 'r'].contains(letter)).count();
    let marks = rest[prefix..].iter().take_while(|letter| **letter == '#').count();
    let body = prefix + marks + 1;
    (rest.get(body - 1) == Some(&'"')).then(|| {
        let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', marks)).collect();
        let found = rest[body..].windows(end.len()).position(|part| part == end);
        found.map_or(rest.len(), |at| body + at + end.len())
    })
}

fn quoted_length(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != rest[0] {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}
