//! Tables and properties of the rules of open threads.

use proptest::prelude::*;

use super::*;

/// Open threads of turns, each `speaker: text`, as kind and text.
fn threads<'a>(turns: &[&'a str]) -> Vec<(&'static str, String)> {
    let said: Vec<Said<'a>> =
        turns.iter().filter_map(|turn| turn.split_once(": ")).map(|(by, text)| Said { by, text }).collect();
    open_threads(&said).into_iter().map(|thread| (thread.kind.as_str(), thread.text)).collect()
}

#[test]
fn a_question_is_open_until_the_other_side_answers() {
    let ask = "user: Hi! Where did I park the car?";
    for open in [
        &[ask][..],
        &[ask, "user: I looked everywhere in town today."],
        &[ask, "assistant: Which car?"],
        &[ask, "assistant: Hm."],
        &[ask, "assistant: Hm.", "assistant: The weather is nice today."],
    ] {
        let found = threads(open);
        assert!(found.contains(&("question", "Where did I park the car?".to_owned())), "{open:?}: {found:?}");
    }
    for closed in [
        &[ask, "assistant: You left it behind the station."][..],
        &[ask, "assistant: Hm.", "user: Well?", "assistant: The car is parked at home."],
        &["user: Is the car parked?", "assistant: Yes."],
        &["user: Is the car parked?", "assistant: Sure, why?"],
    ] {
        assert!(!threads(closed).iter().any(|(_, text)| text.contains("car")), "{closed:?}");
    }
}

#[test]
fn questions_of_both_sides_and_of_several_people_are_threads() {
    let found = threads(&[
        "Ann: Who brings the cake?",
        "Bob: And who brings the wine?",
        "assistant: Which day is it?",
    ]);
    assert_eq!(found.len(), 3);
    assert_eq!(threads(&["user: 你什么时候来？"]), [("question", "你什么时候来？".to_owned())]);
}

#[test]
fn promises_and_requests_are_open_until_they_are_kept_or_given_up() {
    let promise = "assistant: I'll send the report tomorrow.";
    let request = "user: Please remind me to call the dentist.";
    assert_eq!(threads(&[promise]), [("promise", "I'll send the report tomorrow.".to_owned())]);
    assert_eq!(threads(&[request]), [("request", "Please remind me to call the dentist.".to_owned())]);
    for open in [
        &[promise, "user: Thanks, the report is important."][..],
        &[promise, "user: I sent the report to Bob."],
        &[promise, "assistant: I sent the invoice."],
        &[promise, "assistant: I will send the report when I am done."],
        &[request, "user: I called the plumber."],
        &[request, "assistant: Of course."],
    ] {
        assert_eq!(threads(&open[..1]).first(), threads(open).first(), "{open:?}");
    }
    for closed in [
        &[promise, "assistant: Done, the report is in your inbox."][..],
        &[promise, "assistant: Here's the report."],
        &[promise, "user: Never mind the report."],
        &[request, "assistant: This is your reminder about the dentist."],
        &[request, "user: I no longer need the dentist."],
    ] {
        assert_eq!(threads(closed), [], "{closed:?}");
    }
}

#[test]
fn statements_and_empty_questions_open_nothing() {
    for text in [
        "user: I live in Porto.",
        "user: What?",
        "user: I'll be honest, I was tired.",
        "user: If I will go there, it rains.",
        "assistant: It will rain tomorrow.",
        "user: ```\nwhere is it?\n```",
    ] {
        assert_eq!(threads(&[text]), [], "{text}");
    }
}

#[test]
fn a_turn_opens_one_thread_of_a_kind_with_its_last_sentence() {
    let found = threads(&["user: Is lunch ready? Is dinner ready? I will cook tomorrow."]);
    let expected = [("question", "Is dinner ready?"), ("promise", "I will cook tomorrow.")];
    assert_eq!(found, expected.map(|(kind, text)| (kind, text.to_owned())));
}

#[test]
fn a_long_sentence_is_cut_at_a_character() {
    let long = format!("user: Is it {}?", "schön ".repeat(100));
    let found = threads(&[&long]);
    assert!(found.iter().all(|(_, text)| text.len() <= THREAD_BYTES_AT_MOST) && found.len() == 1);
}

fn any_turns() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let text = prop_oneof![
        any::<String>(),
        "(Where is|I'll send|remind me of|I sent|Never mind) the (car|report|cake)[.?!]{1}( Yes[.]| Why[?])?",
    ];
    proptest::collection::vec((prop_oneof![Just("user"), Just("assistant"), Just("Ann")], text), 0..12)
}

proptest! {
    #[test]
    fn later_turns_close_threads_and_never_open_earlier_ones(turns in any_turns(), kept in 0_usize..12) {
        let said: Vec<Said<'_>> = turns.iter().map(|(by, text)| Said { by, text }).collect();
        let kept = kept.min(said.len());
        let before = open_threads(&said[..kept]);
        let after = open_threads(&said);
        let still: Vec<&Thread> = after.iter().filter(|thread| thread.turn < kept).collect();
        prop_assert!(still.iter().all(|thread| before.contains(thread)));
        prop_assert!(after.windows(2).all(|pair| (pair[0].turn, pair[0].kind) < (pair[1].turn, pair[1].kind)));
        prop_assert!(after.iter().all(|thread| thread.turn < said.len() && !thread.text.contains('\n')));
    }

    #[test]
    fn ones_own_later_turns_answer_no_question(text in any::<String>()) {
        let question = Said { by: "user", text: "Where did I park the car?" };
        let found = open_threads(&[question, Said { by: "user", text: &text }]);
        prop_assert!(found.iter().any(|thread| thread.turn == 0));
    }
}
