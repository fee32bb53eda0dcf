//! Opt-out, opt-in and help words in an incoming text.
//!
//! Providers match a body that is exactly the word. The law asks for more: any
//! reasonable wording counts (47 CFR 64.1200(a)(10)). So this module strips
//! what surrounds the words and knows a short list of unmistakable phrases.
//! Free language ("I don't want these any more") is not recognised here, and
//! nothing here changes a contact's state.

/// What a whole body asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Keyword {
    /// Opt out, at once.
    Stop,
    /// Opt in again: START or UNSTOP.
    Start,
    /// The word YES. It opts in only a contact who is opted out, and only when
    /// nothing awaits an answer; to everyone else it is an ordinary reply.
    Yes,
    /// Tell who sends and how to stop.
    Help,
}

/// Longest text, in characters after cleaning, that can be a keyword.
const LONGEST: usize = 40;

/// Twilio's default words with the two of May 2025, the FCC's "reasonable per
/// se" words, and the French words of Canada (Twilio's Proxy page; `aide` and
/// the infinitives are ours).
const STOP_WORDS: &[&str] = &[
    "stop",
    "stopall",
    "unsubscribe",
    "cancel",
    "end",
    "quit",
    "revoke",
    "optout",
    "opt out",
    "stop all",
    "arret",
    "arrete",
    "arretez",
    "arreter",
    "arrett",
    "desabonner",
    "desabonnement",
];

/// Phrases that nobody writes for another reason. `cancel please` and `end
/// please` are missing on purpose: they may be about an appointment.
const STOP_PHRASES: &[&str] = &[
    "stop please",
    "please stop",
    "stop now",
    "stop it",
    "stop this",
    "stop thanks",
    "stop thank you",
    "stop texting",
    "stop texting me",
    "please stop texting",
    "please stop texting me",
    "stop messaging me",
    "please stop messaging me",
    "stop contacting me",
    "please stop contacting me",
    "stop sending me texts",
    "stop sending me messages",
    "stop sending texts",
    "stop sending messages",
    "stop all texts",
    "stop all messages",
    "stop text",
    "stop texts",
    "stop messages",
    "text stop",
    "reply stop",
    "unsubscribe me",
    "unsubscribe please",
    "please unsubscribe",
    "please unsubscribe me",
    "unsub",
    "opt me out",
    "please opt me out",
    "opt out please",
    "please opt out",
    "i opt out",
    "i want to opt out",
    "remove me",
    "please remove me",
    "remove me please",
    "remove me from your list",
    "remove me from this list",
    "remove me from the list",
    "please remove me from your list",
    "take me off your list",
    "take me off this list",
    "take me off the list",
    "please take me off your list",
    "remove my number",
    "please remove my number",
    "no more texts",
    "no more messages",
    "no more texts please",
    "do not text me",
    "dont text me",
    "do not text me again",
    "dont text me again",
    "do not text me anymore",
    "dont text me anymore",
    "do not contact me",
    "dont contact me",
    "do not contact me again",
    "dont contact me again",
    "do not message me",
    "dont message me",
    "revoke consent",
    "i revoke consent",
    "i revoke my consent",
];

const START_WORDS: &[&str] = &["start", "unstop"];
const HELP_WORDS: &[&str] = &["help", "info", "aide"];

/// Reads a whole body as a keyword.
///
/// Case, accents, punctuation, quotes, emoji and spaces around and between the
/// words do not matter, nor does a word written several times (`STOP STOP`).
/// A body with anything else in it is `None`: `don't stop now` and `can you
/// cancel my appointment` are no opt-outs.
#[must_use]
pub fn keyword(body: &str) -> Option<Keyword> {
    let text = clean(body)?;
    let text = text.as_str();
    if STOP_WORDS.contains(&text) || STOP_PHRASES.contains(&text) {
        Some(Keyword::Stop)
    } else if START_WORDS.contains(&text) {
        Some(Keyword::Start)
    } else if text == "yes" {
        Some(Keyword::Yes)
    } else if HELP_WORDS.contains(&text) {
        Some(Keyword::Help)
    } else {
        None
    }
}

/// Lower-case words with one space between them, or `None` when the body is
/// empty of words or too long to be a keyword.
fn clean(body: &str) -> Option<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut length = 0;
    for c in body.chars().chain([' ']) {
        if c.is_alphanumeric() {
            length += 1;
            if length > LONGEST {
                return None;
            }
            word.extend(plain_letters(c));
        } else if joins(c) {
            // `don't` is one word, and so is an `e` with a combining accent.
        } else if !word.is_empty() {
            // `STOP STOP STOP` is one wish.
            if words.last() != Some(&word) {
                words.push(std::mem::take(&mut word));
            }
            word.clear();
        }
    }
    (!words.is_empty()).then(|| words.join(" "))
}

fn joins(c: char) -> bool {
    matches!(c, '\'' | '’' | '‘' | 'ʼ' | '´' | '`')
        || matches!(c, '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200d}' | '\u{ad}' | '\u{feff}')
}

/// Folds case, the accents of French and full-width letters.
fn plain_letters(c: char) -> impl Iterator<Item = char> {
    super::smart::full_width(c).to_lowercase().map(|c| match c {
        'à' | 'â' | 'ä' => 'a',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'î' | 'ï' => 'i',
        'ô' | 'ö' => 'o',
        'ù' | 'û' | 'ü' => 'u',
        'ç' => 'c',
        c => c,
    })
}

#[cfg(test)]
mod tests;
