//! Facts that changed: which of their states a question asks for, and the sessions that tell of them. Pure.

use serde::Serialize;

/// State of a changed fact that a question asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// State after the last change.
    Present,
    /// State before a change.
    Earlier,
}

/// Evidence of a changed fact: at least two sessions.
#[derive(Clone, Debug)]
pub(crate) struct ChangedFact {
    /// State that the question asks for.
    pub(crate) asked: State,
    /// Sessions with evidence, oldest first.
    pub(crate) sessions: Vec<String>,
}

impl State {
    /// Reads the state from the words of a question, independently of the server's own parser. An earlier state that
    /// follows "than" is only compared with: the question asks for the present.
    pub(crate) fn of(question: &str) -> Self {
        const EARLIER: [&str; 9] = [
            "previous",
            "previously",
            "former",
            "formerly",
            "earlier",
            "initial",
            "initially",
            "original",
            "originally",
        ];
        let text = question.to_lowercase();
        let mut words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
        let (mut before, mut is_compared) = ("", false);
        let is_earlier = words.any(|word| {
            let found = EARLIER.contains(&word) || (before == "used" && word == "to");
            is_compared |= word == "than";
            before = word;
            found && !is_compared
        });
        if is_earlier { Self::Earlier } else { Self::Present }
    }

    /// Name for readers.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Present => "present state, newest session",
            Self::Earlier => "earlier state, oldest session",
        }
    }
}

impl ChangedFact {
    /// True if the session with the asked state is ranked, and no other evidence session before it.
    pub(crate) fn is_in_order(&self, ranking: &[String]) -> bool {
        let wanted = match self.asked {
            State::Present => self.sessions.last(),
            State::Earlier => self.sessions.first(),
        };
        ranking.iter().find(|session| self.sessions.contains(session)) == wanted && wanted.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_an_earlier_state_are_told_from_a_comparison_with_it() {
        for text in [
            "What was my previous job?",
            "Where did I use to swim, and where I used to run?",
            "Who led it originally?",
        ] {
            assert_eq!(State::of(text), State::Earlier, "{text}");
        }
        for text in
            ["Where do I work?", "Do I run more often than I did previously?", "Where is my old bike?"]
        {
            assert_eq!(State::of(text), State::Present, "{text}");
        }
    }
}
