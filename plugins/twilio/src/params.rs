//! The parameters of a webhook: exactly those that its signature covers.

use ringback_guest::form::Form;
use ringback_guest::message::header;
use ringback_guest::webhook::Request;

/// The form in the body of a POST. None for any other request: of a GET only
/// the address is signed, and of JSON only a hash.
pub(crate) fn form(request: &Request) -> Option<Form> {
    let kind = header(&request.headers, "content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let is_form = kind.eq_ignore_ascii_case("application/x-www-form-urlencoded");
    (request.method == "POST" && is_form).then(|| Form::read(&request.body))
}

/// What a webhook says: its form, or the query of a GET. A webhook may be set to
/// either in Twilio's console.
pub(crate) fn read(request: &Request) -> Form {
    match form(request) {
        Some(form) => form,
        None if request.method == "GET" => Form::query(&request.url),
        None => Form::default(),
    }
}

/// Our id, which the status address carries in its query.
pub(crate) fn our_id(request: &Request) -> Option<String> {
    Form::query(&request.url).filled("id").map(str::to_owned)
}
