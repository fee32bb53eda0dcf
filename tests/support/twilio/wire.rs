//! The pretend Twilio's side of the wire. Written out and not left to a server
//! library, because a test must be able to close a connection at any byte.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Asked, Twilio};

/// The connection ends here.
pub(super) struct Cut;

/// An answer.
pub(super) struct Reply {
    status: u16,
    pub(super) headers: Vec<(&'static str, &'static str)>,
    body: String,
    /// Only half of the body is written, and then the connection is closed.
    pub(super) half: bool,
}

impl Reply {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.to_string(),
            half: false,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Whatever\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let length = self.body.len();
        head.push_str(&format!(
            "content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        ));
        let body = if self.half {
            &self.body[..length / 2]
        } else {
            self.body.as_str()
        };
        [head.as_bytes(), body.as_bytes()].concat()
    }
}

/// Serves until the test's runtime ends.
pub(super) async fn serve(listener: TcpListener, twilio: Twilio) {
    while let Ok((stream, _)) = listener.accept().await {
        let twilio = twilio.clone();
        // A connection that breaks is the other side's affair.
        tokio::spawn(async move { connection(stream, &twilio).await });
    }
}

/// One connection, request after request. A request that does not come whole, as
/// when the host is killed while it writes, was never made.
async fn connection(mut stream: TcpStream, twilio: &Twilio) -> Result<(), Cut> {
    let mut buffer = Vec::new();
    loop {
        let asked = read(&mut stream, &mut buffer).await?;
        let reply = twilio.answer(asked).await?;
        stream.write_all(&reply.bytes()).await.map_err(|_| Cut)?;
        if reply.half {
            return Err(Cut);
        }
    }
}

async fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<(), Cut> {
    match stream.read_buf(buffer).await {
        Ok(0) | Err(_) => Err(Cut),
        Ok(_) => Ok(()),
    }
}

async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<Asked, Cut> {
    let end = loop {
        match buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            Some(end) => break end,
            None => more(stream, buffer).await?,
        }
    };
    let head = String::from_utf8(buffer[..end].to_vec()).expect("headers in ASCII");
    let mut lines = head.split("\r\n");
    let mut first = lines.next().expect("a request line").split(' ');
    let (method, target) = (
        first.next().expect("a method"),
        first.next().expect("a target"),
    );
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(':').expect("a header"))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().expect("a length"));
    while buffer.len() < end + 4 + length {
        more(stream, buffer).await?;
    }
    let mut asked = Asked {
        method: method.to_owned(),
        target: target.to_owned(),
        headers,
        body: buffer[end + 4..end + 4 + length].to_vec(),
        authorized: false,
    };
    asked.authorized = Twilio::is_authorized(&asked);
    buffer.drain(..end + 4 + length);
    Ok(asked)
}
