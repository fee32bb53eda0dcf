//! Smart encoding: replaces look-alikes by their GSM-7 twins, so that one curly
//! apostrophe does not double the price of a text.
//!
//! The choice of characters covers Twilio's published smart-encoding map
//! (TwilioDevEd/message-segment-calculator) by Unicode names and blocks. It
//! never touches letters with accents, and it never translates.

use super::segments::{gsm7_units, segments};

/// Returns `body` with look-alikes replaced, when that makes the text GSM-7
/// and does not make it longer in segments; otherwise `body` as it was.
///
/// A text that stays UCS-2 anyhow (it holds an emoji, or is in Russian) keeps
/// its typographic characters: replacing them would cost room and, for
/// zero-width joiners, break emoji. Apply before counting and before storing.
#[must_use]
pub fn smart_encode(body: &str) -> String {
    if gsm7_units(body).is_some() {
        return body.to_owned();
    }
    let mut plain = String::with_capacity(body.len());
    for c in body.chars() {
        match twin(c) {
            Some(text) => plain.push_str(text),
            None => plain.push(full_width(c)),
        }
    }
    if gsm7_units(&plain).is_some() && segments(&plain).count <= segments(body).count {
        plain
    } else {
        body.to_owned()
    }
}

/// Full-width forms U+FF01 to U+FF5E stand in the order of ASCII.
pub(super) fn full_width(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        _ => c,
    }
}

/// The GSM-7 text for a character that is not in GSM-7, by what it looks like.
fn twin(c: char) -> Option<&'static str> {
    quote(c)
        .or_else(|| line(c))
        .or_else(|| mark(c))
        .or_else(|| blank(c))
        .or_else(|| small_capital(c))
        .or_else(|| (c == '\u{ff40}').then_some("'"))
}

fn quote(c: char) -> Option<&'static str> {
    Some(match c {
        '«' | '»' | '“' | '”' | '„' | '‟' | '〝' | '〞' | '〟' | '″' => "\"",
        '\u{2ba}' | '\u{2ee}' | '❝' | '❞' => "\"",
        '‘' | '’' | '‛' | '´' | '`' | '‹' | '›' | '′' | '‗' => "'",
        '\u{2b9}' | '\u{2bb}'..='\u{2bd}' | '\u{2c8}' | '\u{2ca}' | '\u{2cb}' => "'",
        '❛' | '❜' | '\u{313}' | '\u{314}' | '\u{fe10}' | '\u{fe11}' => "'",
        _ => return None,
    })
}

fn line(c: char) -> Option<&'static str> {
    Some(match c {
        // Hyphens, dashes, bullets, the minus sign and box lines.
        '\u{2010}'..='\u{2015}' | '•' | '⁃' | '−' | '⎼' | '⎽' | '﹣' | '﹘' => "-",
        '\u{332}' => "_",
        '÷' | '⁄' | '∕' | '⧸' | '\u{337}' | '\u{338}' => "/",
        '⧹' | '⧵' | '\u{20e5}' | '﹨' => "\\",
        '∣' | '⎸' | '⎹' | '⏐' | '⎜' | '⎟' | '\u{20d2}' | '\u{20d3}' => "|",
        _ => return None,
    })
}

fn mark(c: char) -> Option<&'static str> {
    Some(match c {
        '…' => "...",
        '¼' => "1/4",
        '½' => "1/2",
        '¾' => "3/4",
        '‼' => "!!",
        '﹫' => "@",
        '﹩' => "$",
        '﹟' => "#",
        '﹪' => "%",
        '﹠' => "&",
        'ǃ' | '︕' | '﹗' => "!",
        '︖' | '﹖' => "?",
        '‚' | '、' | '､' | '﹐' | '﹑' | '\u{326}' => ",",
        '。' | '｡' | '﹒' => ".",
        '❨' | '❪' | '﹙' | '⟮' | '⦅' => "(",
        '❩' | '❫' | '﹚' | '⟯' | '⦆' => ")",
        '❴' | '﹛' => "{",
        '❵' | '﹜' => "}",
        '⁎' | '∗' | '⊛' | '⧆' | '﹡' => "*",
        '✢'..='✥' | '✱'..='✳' | '✺'..='✽' | '❃' | '❉'..='❋' => "*",
        '˖' | '﹢' => "+",
        'ː' | '˸' | '⦂' | '꞉' | '︓' => ":",
        '⁏' | '︔' | '﹔' => ";",
        '﹤' => "<",
        '﹥' => ">",
        '﹦' | '꞊' | '\u{347}' => "=",
        'ˆ' | '\u{302}' | '\u{1dcd}' => "^",
        '˜' | '˷' | '∼' | '\u{303}' | '\u{330}' | '\u{334}' => "~",
        _ => return None,
    })
}

fn blank(c: char) -> Option<&'static str> {
    Some(match c {
        '\t' => " ",
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => {
            " "
        }
        // The C1 controls that Twilio's map shows as a space.
        '\u{80}' | '\u{8d}' | '\u{90}' | '\u{9b}' | '\u{9f}' => " ",
        // Line and paragraph separators mean a new line.
        '\u{2028}' | '\u{2029}' => "\n",
        // Zero-width characters, direction marks, soft hyphen, variation
        // selectors (only reached when nothing else needs UCS-2).
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' => "",
        '\u{ad}' | '\u{feff}' | '\u{fe0e}' | '\u{fe0f}' => "",
        // Control characters that no telephone shows.
        '\0'..='\u{8}' | '\u{b}' | '\u{e}'..='\u{1f}' | '\u{7f}' => "",
        _ => return None,
    })
}

/// Small capitals, which "fancy text" keyboards write.
fn small_capital(c: char) -> Option<&'static str> {
    Some(match c {
        'ᴀ' => "A",
        'ʙ' => "B",
        'ᴄ' => "C",
        'ᴅ' => "D",
        'ᴇ' => "E",
        'ꜰ' => "F",
        'ɢ' => "G",
        'ʜ' => "H",
        'ɪ' => "I",
        'ᴊ' => "J",
        'ᴋ' => "K",
        'ʟ' => "L",
        'ᴍ' => "M",
        'ɴ' => "N",
        'ᴏ' => "O",
        'ᴘ' => "P",
        'ʀ' => "R",
        'ꜱ' => "S",
        'ᴛ' => "T",
        'ᴜ' => "U",
        'ᴠ' => "V",
        'ᴡ' => "W",
        'ʏ' => "Y",
        'ᴢ' => "Z",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
