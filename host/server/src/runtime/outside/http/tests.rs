//! Against a server on the loopback address that tells what it was asked.

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap as Asked, StatusCode as Status, Uri};
use axum::response::IntoResponse;
use axum::routing::any;
use ringback_core::engine::Http;

use super::*;

/// Answers by the path; `/echo` tells the request.
async fn answer(
    uri: Uri,
    method: axum::http::Method,
    headers: Asked,
    body: Bytes,
) -> axum::response::Response {
    let header = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    match uri.path() {
        "/echo" => axum::Json(json!({
            "method": method.as_str(),
            "key": header("idempotency-key"),
            "auth": header("authorization"),
            "kind": header("content-type"),
            "body": String::from_utf8_lossy(&body),
            "query": uri.query(),
        }))
        .into_response(),
        "/moved" => (Status::FOUND, [("location", "http://127.0.0.1:1/")], "").into_response(),
        "/large" => "x".repeat(ANSWER_LIMIT + 1).into_response(),
        "/cookie" => ([("set-cookie", "secret=1")], "yes").into_response(),
        path => {
            let status = path.trim_start_matches('/').parse().unwrap_or(404);
            (Status::from_u16(status).unwrap(), "as you wish").into_response()
        }
    }
}

async fn server() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().fallback(any(answer));
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}

fn request(method: &str, url: String) -> Http {
    Http {
        method: method.to_owned(),
        url,
        headers: Vec::new(),
        body: Body::Empty,
        expect: Vec::new(),
    }
}

async fn perform(base: &str, request: &Http) -> WorkResult {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::new(&[base.to_owned()]).unwrap();
    let secrets = BTreeMap::from([("CRM".to_owned(), Secret::new("s3cret"))]);
    client.perform(request, "run_1:step:0", &secrets).await
}

#[tokio::test]
async fn what_is_asked_and_answered() {
    let base = server().await;
    let mut post = request("POST", format!("{base}/echo?a=b"));
    post.body = Body::Form(vec![("x y".to_owned(), "&".to_owned())]);
    post.headers = vec![("Authorization".to_owned(), "Bearer secret:CRM".to_owned())];
    let WorkResult::Done(done) = perform(&base, &post).await else {
        panic!()
    };
    assert_eq!(done["status"], 200);
    assert_eq!(
        done["body"],
        json!({
            "method": "POST",
            "key": "run_1:step:0",
            "auth": "Bearer s3cret",
            "kind": "application/x-www-form-urlencoded",
            "body": "x+y=%26",
            "query": "a=b",
        })
    );
    let WorkResult::Done(done) = perform(&base, &request("GET", format!("{base}/echo"))).await
    else {
        panic!()
    };
    assert_eq!(done["body"]["key"], "", "a GET needs no key");
    let WorkResult::Done(done) = perform(&base, &request("GET", format!("{base}/cookie"))).await
    else {
        panic!()
    };
    assert_eq!(done["headers"].get("set-cookie"), None);
}

#[tokio::test]
async fn what_an_answer_is_worth() {
    async fn check(method: &str, path: &str, expect: &[u16], expected: &str) {
        let base = server().await;
        let mut asked = request(method, format!("{base}{path}"));
        asked.expect = expect.to_vec();
        let got = match perform(&base, &asked).await {
            WorkResult::Done(done) => format!("done {}", done["status"]),
            WorkResult::Failed { problem, again } => format!("failed {again} {}", problem.text),
            WorkResult::Unknown(problem) => format!("unknown {}", problem.text),
        };
        assert!(got.starts_with(expected), "{method} {path}: {got}");
    }
    check("POST", "/204", &[], "done 204").await;
    check(
        "POST",
        "/404",
        &[],
        "failed false 127.0.0.1 answered 404: as you wish",
    )
    .await;
    check("POST", "/404", &[200, 404], "done 404").await;
    check(
        "POST",
        "/200",
        &[404],
        "failed false 127.0.0.1 answered 200",
    )
    .await;
    check("POST", "/429", &[], "failed true").await;
    check("GET", "/503", &[], "failed true").await;
    check("POST", "/503", &[], "unknown 127.0.0.1 answered 503").await;
    check("GET", "/moved", &[], "failed false 127.0.0.1 answered 302").await;
    check(
        "GET",
        "/large",
        &[],
        "failed false the answer of 127.0.0.1 is larger than 64 KiB",
    )
    .await;
}

#[tokio::test]
async fn where_nobody_goes() {
    async fn check(url: &str, expected: &str) {
        let got = perform("http://127.0.0.1:9", &request("GET", url.to_owned())).await;
        let WorkResult::Failed { problem, again } = got else {
            panic!("{url}: {got:?}")
        };
        assert!(problem.text.contains(expected), "{url}: {}", problem.text);
        assert_eq!(again, problem.code == "not_sent", "{url}");
    }
    check("http://127.0.0.1:8/", reach::NOT_PUBLIC).await;
    check("http://169.254.169.254/latest", reach::NOT_PUBLIC).await;
    check("http://[::1]:9/", reach::NOT_PUBLIC).await;
    check("http://localhost:9/", reach::NOT_PUBLIC).await;
    check("http://0x7f.1/", reach::NOT_PUBLIC).await;
    check("http://2130706433/", reach::NOT_PUBLIC).await;
    check("file:///etc/passwd", "is not http or https").await;
    check("http://a:b@example.com/", "must not carry a user name").await;
    check("nonsense", "is not an address").await;
    check("http://127.0.0.1:9/", "no connection").await;
}

#[tokio::test]
async fn a_secret_that_is_not_there() {
    let mut get = request("GET", "http://127.0.0.1:9/".to_owned());
    get.headers = vec![("x".to_owned(), "secret:OTHER".to_owned())];
    let WorkResult::Failed { problem, .. } = perform("http://127.0.0.1:9", &get).await else {
        panic!()
    };
    assert_eq!(problem.text, "there is no secret \"OTHER\" under [secrets]");
}
