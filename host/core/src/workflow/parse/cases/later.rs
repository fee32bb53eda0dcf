//! What happens in a test after its start.

use super::super::super::case::{Approving, CallEnd, Fate, Happening, Later, When};
use super::super::super::yaml::Span;
use super::super::reader::{Reader, Record};
use super::super::values::Datum;

pub(super) fn later(
    reader: &mut Reader<'_>,
    span: Option<Span>,
    mut block: Record,
) -> Option<Later> {
    let span = span?;
    let written = |keys: &[&str]| keys.iter().any(|key| block.place(key).is_some());
    let (has_when, has_what) = (
        written(&["after", "at"]),
        written(&["receive", "call", "approve", "delivery"]),
    );
    let when = match (block.number("after"), block.instant("at")) {
        (Some(seconds), None) => Some(When::After(seconds)),
        (None, Some(at)) => Some(When::At(at)),
        // A value that was refused was told about already.
        (None, None) if has_when => None,
        (None, None) => {
            reader.error_help(span, "nothing says when this happens", "write after: 1d");
            None
        }
        (Some(_), Some(_)) => {
            reader.error(span, "`after` and `at` cannot both say when this happens");
            None
        }
    };
    let receive = block.text("receive").map(Happening::Receive);
    let call = block.word("call").map(|word| {
        Happening::Call(match word {
            "answered" => CallEnd::Answered,
            "completed" => CallEnd::Completed,
            _ => CallEnd::Missed,
        })
    });
    let delivery = block.word("delivery").map(|word| {
        Happening::Delivery(match word {
            "delivered" => Fate::Delivered,
            "undelivered" => Fate::Undelivered,
            "failed" => Fate::Failed,
            _ => Fate::Refused,
        })
    });
    let approve = approving(reader, &mut block).map(Happening::Approve);
    let mut all = [receive, call, approve, delivery].into_iter().flatten();
    match (all.next(), all.next()) {
        (Some(what), None) => Some(Later { when: when?, what }),
        (None, _) if has_what => None,
        (None, _) => {
            reader.error_help(
                span,
                "nothing happens here",
                "write one of receive, call, approve or delivery: receive: \"yes\"",
            );
            None
        }
        (Some(_), Some(_)) => {
            reader.error_help(
                span,
                "two things cannot happen in one entry",
                "write two entries",
            );
            None
        }
    }
}

/// What somebody answers who has to approve a text.
fn approving(reader: &mut Reader<'_>, block: &mut Record) -> Option<Approving> {
    let (word, body, reason) = match block.take("approve")? {
        Datum::Choice(word) => (word, None, None),
        Datum::Block(mut own) => {
            let word = own.word("answer")?;
            let stray = match word {
                "send" => own.place("reason").map(|span| (span, "reason", "reject")),
                "reject" => own.place("body").map(|span| (span, "body", "send")),
                _ => {
                    let body = own.place("body").map(|span| (span, "body", "send"));
                    body.or(own.place("reason").map(|span| (span, "reason", "reject")))
                }
            };
            if let Some((span, key, with)) = stray {
                reader.error(
                    span,
                    format!("`{key}` goes with `answer: {with}`, not with `{word}`"),
                );
                return None;
            }
            (word, own.text("body"), own.text("reason"))
        }
        _ => return None,
    };
    Some(match word {
        "send" => Approving::Send { body },
        "reject" => Approving::Reject { reason },
        _ => Approving::Nobody,
    })
}
