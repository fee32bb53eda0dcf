use proptest::prelude::*;

use super::{Keyword, keyword};

fn check(expected: Option<Keyword>, bodies: &[&str]) {
    for body in bodies {
        assert_eq!(keyword(body), expected, "{body:?}");
    }
}

#[test]
fn stop_words_and_their_wrappings() {
    let bodies = [
        "stop",
        "\"STOP.\"",
        "Stop!!",
        " STOP \n",
        "opt out",
        "OPT-OUT",
        "OptOut",
        "END",
        "Quit",
        "CANCEL",
        "UNSUBSCRIBE",
        "revoke",
        "stopall",
        "Stop all",
        "“Stop”",
        "🛑 STOP 🛑",
        "*stop*",
        "STOP STOP STOP",
        "ＳＴＯＰ",
        "S\u{200b}TOP",
        "'stop'",
        "(stop)",
        "-- stop --",
    ];
    check(Some(Keyword::Stop), &bodies);
}

#[test]
fn unmistakable_phrases() {
    let bodies = [
        "Stop please",
        "Please stop.",
        "stop, please!",
        "Stop texting me",
        "unsubscribe me",
        "Please remove me from your list",
        "don’t text me again",
        "Do not contact me",
        "opt me out",
        "No more texts!",
    ];
    check(Some(Keyword::Stop), &bodies);
}

#[test]
fn french() {
    let bodies = [
        "ARRET",
        "Arrêt",
        "arrête",
        "arre\u{302}t",
        "ARRETT",
        "Arrêtez!",
        "désabonner",
    ];
    check(Some(Keyword::Stop), &bodies);
    check(Some(Keyword::Help), &["AIDE"]);
}

#[test]
fn not_an_opt_out() {
    let bodies = [
        "",
        "   ",
        "🛑",
        "...",
        "don't stop now",
        "dont stop",
        "can you cancel my appointment",
        "cancel please",
        "please cancel my booking",
        "the end",
        "stop by at 5?",
        "bus stop",
        "nonstop",
        "I can't stop laughing",
        "cancel 5pm",
        "stop 1",
        "end of the week works",
        "when does it end?",
        "quit smoking class",
        "stopp",
    ];
    check(None, &bodies);
}

#[test]
fn start_yes_and_help() {
    check(Some(Keyword::Start), &["START", "unstop", "Start."]);
    check(Some(Keyword::Yes), &["Yes", "YES!", "yes 👍"]);
    check(Some(Keyword::Help), &["HELP", "info", "Help?", "\"help\""]);
    check(
        None,
        &[
            "yes please",
            "yes 10am",
            "start at 5",
            "help me choose",
            "can you help",
            "more info",
        ],
    );
}

proptest! {
    #[test]
    fn never_panics(body in "\\PC{0,200}") {
        let _ = keyword(&body);
    }

    #[test]
    fn case_and_wrapping_do_not_matter(
        body in "(stop|opt out|yes|start|help|don't stop|hello|stop please|[a-z ]{0,12})",
        before in "[ \n\"'!.*🛑]{0,4}",
        after in "[ \n\"'!.?*🛑]{0,4}",
    ) {
        let expected = keyword(&body);
        prop_assert_eq!(keyword(&body.to_uppercase()), expected);
        prop_assert_eq!(keyword(&format!("{before}{body}{after}")), expected);
        prop_assert_eq!(keyword(body.trim()), expected);
    }
}
