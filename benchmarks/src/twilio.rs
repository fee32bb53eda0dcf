//! The provider's side of a missed call: who calls whom, the signed webhook that
//! says so, and which text belongs to which call. It sends nothing.

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

/// The account that the benchmark invents.
pub(crate) const ACCOUNT: &str = "AC00000000000000000000000000be9c4a";
/// The number that people call, and that the texts come from.
pub(crate) const NUMBER: &str = "+15125550100";
/// The connection's name in the configuration.
pub(crate) const CONNECTION: &str = "main";
/// The path of the webhook about calls.
pub(crate) const CALL_PATH: &str = "/hooks/main/call";

/// Another number of ours, of another agent.
pub(crate) const OTHER_NUMBER: &str = "+15125550101";

/// The area codes of the callers, all in Texas.
const AREAS: [u64; 5] = [512, 713, 214, 210, 817];
/// The first caller of an area without its code; the others follow it. It lies
/// after our own numbers.
const FIRST: u64 = 5_551_000;
/// How many callers there are in an area: up to the exchange 610, before one that
/// is no telephone exchange (611).
const OF_AREA: u64 = 559_000;
/// Digits of a number without its area code.
const LOCAL: u64 = 10_000_000;

/// How many callers there are.
pub(crate) const CALLERS: usize = OF_AREA as usize * AREAS.len();

/// The number of a caller, counted from 0.
pub(crate) fn number(caller: usize) -> String {
    let caller = caller as u64;
    let place = usize::try_from(caller / OF_AREA).unwrap_or(usize::MAX);
    let area = AREAS.get(place).copied().unwrap_or_default();
    format!("+1{area}{:07}", FIRST + caller % OF_AREA)
}

/// The caller that a number belongs to.
pub(crate) fn caller(number: &str) -> Option<usize> {
    let digits: u64 = number.strip_prefix("+1")?.parse().ok()?;
    let area = AREAS.iter().position(|area| *area == digits / LOCAL)?;
    let place = (digits % LOCAL).checked_sub(FIRST)?;
    let caller = area as u64 * OF_AREA + place;
    (place < OF_AREA).then_some(usize::try_from(caller).ok()?)
}

/// Signs webhooks as Twilio does (twilio.com/docs/usage/security): base64 of
/// HMAC-SHA1 over the address and every form parameter, sorted by name.
#[derive(Clone)]
pub(crate) struct Signer(Hmac<Sha1>);

impl Signer {
    /// # Errors
    /// Never in practice: HMAC takes a key of any length.
    pub(crate) fn new(token: &str) -> anyhow::Result<Self> {
        let mac = Hmac::new_from_slice(token.as_bytes()).context("could not use the auth token")?;
        Ok(Self(mac))
    }

    /// The value of `X-Twilio-Signature`.
    pub(crate) fn sign(&self, url: &str, fields: &[(&str, &str)]) -> String {
        let mut sorted = fields.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let mut mac = self.0.clone();
        mac.update(url.as_bytes());
        for (name, value) in sorted {
            mac.update(name.as_bytes());
            mac.update(value.as_bytes());
        }
        BASE64_STANDARD.encode(mac.finalize().into_bytes())
    }
}

/// Makes the webhooks of one target.
#[derive(Clone)]
pub(crate) struct Calls {
    signer: Signer,
    url: String,
    to: &'static str,
}

impl Calls {
    /// `public_url` is what the target believes its own address to be; the
    /// signature covers it, whatever address is really called.
    pub(crate) fn new(token: &str, public_url: &str) -> anyhow::Result<Self> {
        let signer = Signer::new(token)?;
        Ok(Self {
            signer,
            url: format!("{public_url}{CALL_PATH}"),
            to: NUMBER,
        })
    }

    /// Webhooks about calls of another number of ours.
    pub(crate) fn to(self, to: &'static str) -> Self {
        Self { to, ..self }
    }

    /// The webhook that says that nobody answered this caller: its body, and its
    /// signature.
    pub(crate) fn missed(&self, caller: usize) -> (Bytes, String) {
        let call = format!("CA{:032x}", caller as u64 + 1);
        let from = number(caller);
        let fields = [
            ("AccountSid", ACCOUNT),
            ("CallSid", call.as_str()),
            ("CallStatus", "no-answer"),
            ("Direction", "inbound"),
            ("From", from.as_str()),
            ("To", self.to),
        ];
        let mut body = form_urlencoded::Serializer::new(String::with_capacity(256));
        body.extend_pairs(fields);
        (
            Bytes::from(body.finish()),
            self.signer.sign(&self.url, &fields),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published vector of twilio-python (tests/unit/test_request_validator.py).
    #[test]
    fn signs_as_twilio_does() {
        let signer = Signer::new("12345").unwrap();
        let fields = [
            ("To", "+18005551212"),
            ("CallSid", "CA1234567890ABCDE"),
            ("Digits", "1234"),
            ("From", "+14158675309"),
            ("Caller", "+14158675309"),
        ];
        let signature = signer.sign("https://mycompany.com/myapp.php?foo=1&bar=2", &fields);
        assert_eq!(signature, "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
    }

    #[test]
    fn numbers_lead_back_to_their_callers() {
        assert_eq!(number(0), "+15125551000");
        assert_eq!(number(558_999), "+15126109999");
        assert_eq!(number(559_000), "+17135551000");
        assert_eq!(number(CALLERS - 1), "+18176109999");
        for one in [0, 1, 9_999, 558_999, 559_000, 1_234_567, CALLERS - 1] {
            assert_eq!(caller(&number(one)), Some(one));
        }
        let strangers = ["+15126110000", "15125551000", "+13055551000", "+", ""];
        for stranger in [NUMBER, OTHER_NUMBER].into_iter().chain(strangers) {
            assert_eq!(caller(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn a_missed_call_is_a_form() {
        let calls = Calls::new("12345", "https://a.example").unwrap();
        let (body, _) = calls.missed(1);
        let body = std::str::from_utf8(&body).unwrap();
        assert!(
            body.contains("CallSid=CA00000000000000000000000000000002&"),
            "{body}"
        );
        assert!(
            body.contains("From=%2B15125551001&To=%2B15125550100"),
            "{body}"
        );
    }
}
