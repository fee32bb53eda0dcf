//! What the pretend Twilio sends to the host: webhooks, signed as
//! twilio.com/docs/usage/security says.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::super::http::Answer;
use super::super::{Host, OURS, PUBLIC};
use super::{ACCOUNT, Asked, TOKEN, Twilio};

impl Twilio {
    /// Sends the host a webhook, signed. `hook` is `text`, `status`, `call` or
    /// `voice`, with a query where Twilio was given one.
    pub(crate) async fn tell(
        &self,
        host: &Host,
        hook: &str,
        form: &[(&str, &str)],
    ) -> Option<Answer> {
        let address = format!("/hooks/main/{hook}");
        let signature = sign(&format!("{PUBLIC}{address}"), form);
        self.tell_signed(host, &address, form, &signature).await
    }

    /// The same with a signature of the caller's.
    pub(crate) async fn tell_signed(
        &self,
        host: &Host,
        address: &str,
        form: &[(&str, &str)],
        signature: &str,
    ) -> Option<Answer> {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let headers = [
            (
                "content-type",
                "application/x-www-form-urlencoded; charset=UTF-8",
            ),
            ("x-twilio-signature", signature),
            (
                "i-twilio-idempotency-token",
                "f0d3a7f2-3c2e-4a51-9c39-31e1b0f0a1f7",
            ),
            ("user-agent", "TwilioProxy/1.1"),
        ];
        host.raw("POST", address, &headers, body.as_bytes()).await
    }

    /// A contact's text.
    pub(crate) async fn text(&self, host: &Host, from: &str, words: &str) -> Answer {
        self.text_to(host, from, OURS, words).await
    }

    /// A contact's text to one of our numbers.
    pub(crate) async fn text_to(&self, host: &Host, from: &str, to: &str, words: &str) -> Answer {
        let sid = self.sid("SM");
        let form = [
            ("ToCountry", "US"),
            ("SmsMessageSid", sid.as_str()),
            ("NumMedia", "0"),
            ("SmsSid", sid.as_str()),
            ("SmsStatus", "received"),
            ("Body", words),
            ("To", to),
            ("NumSegments", "1"),
            ("MessageSid", sid.as_str()),
            ("AccountSid", ACCOUNT),
            ("From", from),
            ("ApiVersion", "2010-04-01"),
        ];
        self.tell(host, "text", &form)
            .await
            .expect("an answer")
            .expect(200)
    }

    /// A delivery report about a text that was taken.
    pub(crate) async fn report(
        &self,
        host: &Host,
        text: &Asked,
        sid: &str,
        status: &str,
    ) -> Answer {
        let callback = text.field("StatusCallback");
        let query = callback
            .split_once('?')
            .map(|(_, query)| query)
            .expect("our id");
        let form = [
            ("SmsSid", sid),
            ("SmsStatus", status),
            ("MessageStatus", status),
            ("To", &text.field("To")),
            ("MessageSid", sid),
            ("AccountSid", ACCOUNT),
            ("From", OURS),
            ("ApiVersion", "2010-04-01"),
        ];
        let answer = self.tell(host, &format!("status?{query}"), &form).await;
        answer.expect("an answer")
    }
}

/// `X-Twilio-Signature` of a form: the address, then every name and value by name,
/// under HMAC-SHA1 (twilio.com/docs/usage/security).
pub(crate) fn sign(url: &str, form: &[(&str, &str)]) -> String {
    let mut sorted = form.to_vec();
    sorted.sort_unstable();
    let mut mac = Hmac::<Sha1>::new_from_slice(TOKEN.as_bytes()).expect("any length will do");
    mac.update(url.as_bytes());
    for (name, value) in sorted {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}
