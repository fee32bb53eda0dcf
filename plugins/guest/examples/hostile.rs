//! A plugin that misbehaves in the way a text's body names. The tests of the
//! sandbox run it, to see that it harms nobody but itself.

use std::hint::black_box;

use ringback_guest::connector::Description;
use ringback_guest::http::{Answer, Body, Credential, Failure};
use ringback_guest::message::{post, reason};
use ringback_guest::texting::{
    DeliveryReport, FindStep, IncomingText, OutgoingText, Receipt, SendStep,
};
use ringback_guest::webhook::{ParseError, Reply, Request};
use ringback_guest::{Connector, Texting, host};

/// The plugin.
pub struct Hostile;

ringback_guest::export!(Hostile: texting);

impl Connector for Hostile {
    fn describe() -> Description {
        Description {
            title: "Hostile".to_owned(),
            settings: Vec::new(),
            idempotent: true,
            handles_opt_out: false,
        }
    }

    fn verify(request: Request) -> Result<bool, String> {
        match request.body.as_slice() {
            b"genuine" => Ok(true),
            b"forged" => Ok(false),
            other => Err(String::from_utf8_lossy(other).into_owned()),
        }
    }
}

impl Texting for Hostile {
    fn send(text: OutgoingText, _: Option<Answer>) -> Result<SendStep, Failure> {
        deed(&text.body)
    }

    fn find(_: OutgoingText, _: String, _: Option<Answer>) -> Result<FindStep, Failure> {
        Ok(FindStep::Unsupported)
    }

    fn read_text(_: Request) -> Result<(IncomingText, Reply), ParseError> {
        Err(ParseError::Ignore)
    }

    fn read_report(_: Request) -> Result<(Vec<DeliveryReport>, Reply), ParseError> {
        Err(ParseError::Ignore)
    }
}

#[expect(clippy::expect_used, reason = "one of the deeds is a panic")]
fn deed(name: &str) -> Result<SendStep, Failure> {
    let mut said = name.to_owned();
    match name {
        "spin" => loop {
            black_box(());
        },
        "sleep" => std::thread::sleep(std::time::Duration::from_secs(3600)),
        "hoard" => {
            let mut hoard = Vec::new();
            loop {
                hoard.push(black_box(vec![1_u8; 1 << 20]));
            }
        }
        "panic" => {
            let nobody: Option<u8> = black_box(None);
            nobody.expect("nobody is home");
        }
        "recurse" => said = recurse(black_box(1)).to_string(),
        "exit" => std::process::exit(7),
        "giant" => said = "x".repeat(32 << 20),
        "flood" => (0..100_000).for_each(|_| host::warn("flood")),
        "state" => {
            let mut ask = post(String::new(), Credential::None, Body::Empty);
            ask.state = vec![0; (64 << 10) + 1];
            return Ok(SendStep::Ask(ask));
        }
        // Seen from inside: what the sandbox denies looks like an empty machine.
        "snoop" => {
            let file = std::fs::read("/etc/passwd")
                .map(|_| "read")
                .unwrap_or("no file");
            let socket = std::net::TcpStream::connect("127.0.0.1:80");
            let socket = socket.map(|_| "connected").unwrap_or("no socket");
            let variables = std::env::vars().count();
            let secret = host::setting("auth_token").unwrap_or("no secret".to_owned());
            said = format!("{file}, {socket}, {variables} variables, {secret}");
        }
        "fail" => return Err(Failure::Rejected(reason("1", "as asked"))),
        _ => host::warn(&format!("a line\nand {name}")),
    }
    Ok(SendStep::Done(Receipt {
        provider_id: said,
        segments: None,
    }))
}

#[expect(unconditional_recursion, reason = "that is the deed")]
fn recurse(depth: u64) -> u64 {
    let room = black_box([depth; 64]);
    room.iter().sum::<u64>() + recurse(depth + 1)
}
