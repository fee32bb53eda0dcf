//! The provider's own list of texts, with the filters that Twilio documents for
//! it (API reference, Message resource, "Read multiple messages"): `To`, `From`,
//! `DateSent`, `PageSize`, `Page`. It answers as Twilio would and does no I/O.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde_json::{Value, json};

use crate::twilio::ACCOUNT;

/// Texts of a page, as long as nobody wants another number of them.
const PAGE: usize = 50;
/// The most there can be.
const MOST: usize = 1000;

/// A text that the provider took.
#[derive(Clone, Debug)]
struct Text {
    serial: u64,
    from: String,
    body: String,
    at: Timestamp,
}

/// All texts, by the number they went to.
#[derive(Debug, Default)]
pub(crate) struct Book(Mutex<HashMap<String, Vec<Text>>>);

/// The id of a text.
pub(crate) fn sid(serial: u64) -> String {
    format!("SM{serial:032x}")
}

impl Book {
    /// Writes a text down.
    pub(crate) fn add(&self, serial: u64, form: &[u8], at: Timestamp) {
        let (mut to, mut from, mut body) = (String::new(), String::new(), String::new());
        for (name, value) in form_urlencoded::parse(form) {
            match &*name {
                "To" => to = value.into_owned(),
                "From" => from = value.into_owned(),
                "Body" => body = value.into_owned(),
                _ => {}
            }
        }
        let text = Text {
            serial,
            from,
            body,
            at,
        };
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        book.entry(to).or_default().push(text);
    }

    /// A page of the list, newest first. `path` is the request's, for the address
    /// of the next page.
    pub(crate) fn list(&self, path: &str, query: &str) -> Value {
        let (mut to, mut from, mut size, mut page) = (None, None, PAGE, 0);
        let mut dates = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "To" => to = Some(value.into_owned()),
                "From" => from = Some(value.into_owned()),
                "PageSize" => size = value.parse().unwrap_or(PAGE).clamp(1, MOST),
                "Page" => page = value.parse().unwrap_or(0),
                "DateSent" | "DateSent<" | "DateSent>" => {
                    dates.push((name.into_owned(), value.into_owned()));
                }
                _ => {}
            }
        }
        let book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let some: Vec<(&String, &Text)> = match &to {
            Some(to) => {
                let found = book.get_key_value(to);
                let texts = found.map(|(to, texts)| texts.iter().map(move |text| (to, text)));
                texts.into_iter().flatten().collect()
            }
            None => {
                let all = book.iter();
                all.flat_map(|(to, texts)| texts.iter().map(move |text| (to, text)))
                    .collect()
            }
        };
        let mut some: Vec<_> = some
            .into_iter()
            .filter(|(_, text)| from.as_ref().is_none_or(|from| *from == text.from))
            .filter(|(_, text)| dates.iter().all(|(name, day)| fits(text.at, name, day)))
            .collect();
        some.sort_by_key(|(_, text)| std::cmp::Reverse(text.serial));
        let more = some.len() > size.saturating_mul(page + 1);
        let some = some.into_iter().skip(size.saturating_mul(page)).take(size);
        let messages: Vec<Value> = some.map(|(to, text)| show(to, text)).collect();
        let next = more.then(|| next_page(path, query, page + 1));
        json!({ "messages": messages, "page": page, "page_size": size, "next_page_uri": next })
    }
}

/// Whether a text's day (in UTC, as at Twilio) is the one asked for, or on the
/// side of it that is asked for; both sides include the day.
fn fits(at: Timestamp, name: &str, day: &str) -> bool {
    let sent = at.strftime("%Y-%m-%d").to_string();
    match name {
        "DateSent<" => sent.as_str() <= day,
        "DateSent>" => sent.as_str() >= day,
        _ => sent == day,
    }
}

fn next_page(path: &str, query: &str, page: usize) -> String {
    let pairs = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "Page");
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .append_pair("Page", &page.to_string())
        .finish();
    format!("{path}?{query}")
}

fn show(to: &str, text: &Text) -> Value {
    let date = rfc2822::to_string(&text.at.to_zoned(jiff::tz::TimeZone::UTC)).unwrap_or_default();
    json!({
        "sid": sid(text.serial), "account_sid": ACCOUNT, "direction": "outbound-api",
        "status": "sent", "to": to, "from": text.from, "body": text.body,
        "num_segments": "1", "date_created": date, "date_sent": date, "date_updated": date,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book() -> Book {
        let book = Book::default();
        for (serial, form, at) in [
            (1, "To=%2B1&From=%2B9&Body=a+b", "2026-03-01T23:59:59Z"),
            (2, "To=%2B1&From=%2B9&Body=c", "2026-03-02T00:00:00Z"),
            (3, "To=%2B2&From=%2B9&Body=d", "2026-03-02T00:00:01Z"),
            (4, "To=%2B1&From=%2B8&Body=e", "2026-03-03T00:00:00Z"),
        ] {
            book.add(serial, form.as_bytes(), at.parse().unwrap());
        }
        book
    }

    #[test]
    fn lists_what_is_asked_for() {
        let check = |query: &str, expected: &[u64], more: Option<&str>| {
            let list = book().list("/Messages.json", query);
            let sids = list["messages"].as_array().unwrap().iter();
            let sids: Vec<&str> = sids.map(|one| one["sid"].as_str().unwrap()).collect();
            let expected: Vec<String> = expected.iter().map(|serial| sid(*serial)).collect();
            assert_eq!(sids, expected, "{query}");
            assert_eq!(list["next_page_uri"].as_str(), more, "{query}");
        };
        check("", &[4, 3, 2, 1], None);
        check("To=%2B1", &[4, 2, 1], None);
        check("To=%2B3", &[], None);
        check("To=%2B1&From=%2B9", &[2, 1], None);
        check("To=%2B1&DateSent%3E=2026-03-02&PageSize=100", &[4, 2], None);
        check("DateSent%3C=2026-03-01", &[1], None);
        check("DateSent=2026-03-02", &[3, 2], None);
        let second = "/Messages.json?To=%2B1&PageSize=2&Page=1";
        check("To=%2B1&PageSize=2", &[4, 2], Some(second));
        check("To=%2B1&PageSize=2&Page=1", &[1], None);
    }

    #[test]
    fn shows_a_text_as_twilio_does() {
        let list = book().list("/Messages.json", "To=%2B2");
        let text = &list["messages"][0];
        assert_eq!(text["body"], "d");
        assert_eq!(text["direction"], "outbound-api");
        assert_eq!(text["date_created"], "Mon, 2 Mar 2026 00:00:01 +0000");
    }
}
