//! Sessions, sign-in over HTTP, and what the page's files may hold.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::http::{HeaderValue, header};
use jiff::Timestamp;
use tokio::net::TcpListener;

use super::sessions::CSRF_HEADER;
use super::*;

/// Knows one key.
#[derive(Default)]
struct Door {
    revoked: Mutex<bool>,
}

impl Gatekeeper for Door {
    type Grant = &'static str;

    fn check_key(&self, key: &str) -> Option<Self::Grant> {
        (key == "rb_key +1").then_some("admin")
    }

    fn stands(&self, _: &Self::Grant) -> bool {
        !*self.revoked.lock().unwrap()
    }
}

fn noon() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn sessions(secure: bool) -> Sessions<Door> {
    Sessions::new(Arc::new(Door::default()), secure, noon)
}

/// The headers a browser sends back after these cookies.
fn headers(cookies: &[(header::HeaderName, String)], csrf: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let pairs: Vec<_> = cookies
        .iter()
        .map(|(_, cookie)| cookie.split(';').next().unwrap())
        .collect();
    let line = format!("other=1; {}", pairs.join("; "));
    headers.insert(header::COOKIE, HeaderValue::from_str(&line).unwrap());
    if let Some(csrf) = csrf {
        headers.insert(CSRF_HEADER, HeaderValue::from_str(csrf).unwrap());
    }
    headers
}

fn value(cookie: &str) -> &str {
    cookie.split(['=', ';']).nth(1).unwrap()
}

#[test]
fn a_session_needs_its_cookie_and_for_effects_its_token() {
    let sessions = sessions(true);
    assert!(sessions.begin("rb_key").is_none());
    let cookies = sessions.begin("rb_key +1").unwrap();
    let [(_, session), (_, csrf)] = &cookies;
    assert!(session.starts_with("ringback_session="));
    assert!(session.ends_with("; HttpOnly; Path=/; SameSite=Strict; Max-Age=604800; Secure"));
    assert!(csrf.starts_with("ringback_csrf=") && !csrf.contains("HttpOnly"));
    let (token, csrf) = (value(session), value(csrf));
    assert_eq!((token.len(), csrf.len()), (64, 64));
    assert_ne!(token, csrf);

    let check = |given: Option<&str>, effect, expected: bool| {
        let found = sessions.check(&headers(&cookies, given), effect);
        assert_eq!(found.is_some(), expected, "{given:?} {effect}");
    };
    check(None, false, true);
    check(None, true, false);
    check(Some("wrong"), true, false);
    check(Some(csrf), true, true);
    assert!(sessions.check(&HeaderMap::new(), false).is_none());
    let found = sessions.check(&headers(&cookies, None), false).unwrap();
    assert_eq!(found.grant, "admin");

    let cleared = sessions.end(&headers(&cookies, None));
    assert!(cleared[0].1.contains("Max-Age=0"));
    check(None, false, false);
}

#[test]
fn a_session_ends_with_its_time_and_with_its_key() {
    static NOW: AtomicI64 = AtomicI64::new(1_800_000_000);
    let clock = || Timestamp::from_second(NOW.load(Ordering::Relaxed)).unwrap();
    let door = Arc::new(Door::default());
    let sessions = Sessions::new(door.clone(), false, clock);
    let first = sessions.begin("rb_key +1").unwrap();
    assert!(!first[0].1.contains("Secure"));
    NOW.fetch_add(7 * 86_400 - 1, Ordering::Relaxed);
    assert!(sessions.check(&headers(&first, None), false).is_some());
    NOW.fetch_add(1, Ordering::Relaxed);
    assert!(sessions.check(&headers(&first, None), false).is_none());
    let second = sessions.begin("rb_key +1").unwrap();
    *door.revoked.lock().unwrap() = true;
    assert!(sessions.check(&headers(&second, None), false).is_none());
}

#[test]
fn the_number_of_sessions_is_bounded() {
    static NOW: AtomicI64 = AtomicI64::new(1_800_000_000);
    let clock = || Timestamp::from_second(NOW.fetch_add(1, Ordering::Relaxed)).unwrap();
    let sessions = Sessions::new(Arc::new(Door::default()), false, clock);
    let all: Vec<_> = (0..1_001)
        .map(|_| sessions.begin("rb_key +1").unwrap())
        .collect();
    let open = |at: usize| sessions.check(&headers(&all[at], None), false).is_some();
    assert!(!open(0));
    assert!(open(1) && open(1_000));
}

/// A dashboard on a port of its own, and a client that follows no redirect.
async fn served() -> (String, reqwest::Client) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dashboard = Dashboard::new(Arc::new(sessions(false)), || Boot {
        business: "Brightside Dental".to_owned(),
        simulator: None,
        version: "0.1.0".to_owned(),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, dashboard.routes()).await.unwrap() });
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    (base, client)
}

#[tokio::test]
async fn signs_in_by_link_and_by_form() {
    let (base, client) = served().await;
    let form = || {
        let post = client.post(format!("{base}/login"));
        post.header("content-type", "application/x-www-form-urlencoded")
    };
    let check = async |request: reqwest::RequestBuilder, status: u16, to: Option<&str>| {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status);
        let target = response.headers().get("location");
        assert_eq!(target.map(|to| to.to_str().unwrap()), to);
        response.headers().get_all("set-cookie").iter().count()
    };
    let get = |path: &str| client.get(format!("{base}{path}"));
    assert_eq!(
        check(get("/login?key=rb_key%20%2B1"), 303, Some("/")).await,
        2
    );
    assert_eq!(check(get("/login?key=other"), 401, None).await, 0);
    assert_eq!(check(get("/login"), 200, None).await, 0);
    assert_eq!(
        check(form().body("key=rb_key+%2B1"), 303, Some("/")).await,
        2
    );
    for wrong in ["key=other", "", "key=%ff", "k\u{e9}y=\n"] {
        assert_eq!(check(form().body(wrong), 401, None).await, 0);
    }
}

#[tokio::test]
async fn shows_facts_only_to_sessions_and_signs_out_only_with_the_token() {
    let (base, client) = served().await;
    let get = |path: &str| client.get(format!("{base}{path}"));
    let page = get("/").send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"));
    assert_eq!(page.headers()["cache-control"], "no-store");
    let refused = get("/dashboard/boot.json").send().await.unwrap();
    assert_eq!(refused.status(), 401);

    let door = get("/login?key=rb_key%20%2B1").send().await.unwrap();
    let set = door.headers().get_all("set-cookie").iter();
    let pairs: Vec<_> = set
        .map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap())
        .collect();
    let (cookies, csrf) = (pairs.join("; "), value(pairs[1]));
    let boot = get("/dashboard/boot.json").header("cookie", &cookies);
    let mut boot = boot.send().await.unwrap();
    let boot = boot.chunk().await.unwrap().unwrap();
    let expected = r#"{"business":"Brightside Dental","simulator":null,"version":"0.1.0"}"#;
    assert_eq!(boot, expected);

    let leave = || {
        client
            .post(format!("{base}/logout"))
            .header("cookie", &cookies)
    };
    assert_eq!(leave().send().await.unwrap().status(), 403);
    let left = leave().header(CSRF_HEADER, csrf).send().await.unwrap();
    assert_eq!(left.status(), 303);
    let boot = get("/dashboard/boot.json").header("cookie", &cookies);
    assert_eq!(boot.send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn serves_its_files_and_says_when_they_are_unchanged() {
    let (base, client) = served().await;
    for (name, media_type, _) in assets::FILES {
        let url = format!("{base}/dashboard/{name}");
        let file = client.get(&url).send().await.unwrap();
        assert_eq!(file.headers()["content-type"], media_type);
        let tag = file.headers()["etag"].clone();
        let again = client.get(&url).header("if-none-match", tag);
        assert_eq!(again.send().await.unwrap().status(), 304);
    }
    let none = client.get(format!("{base}/dashboard/mod.rs"));
    assert_eq!(none.send().await.unwrap().status(), 404);
}

/// What would let a contact's text become markup, or would want a weaker policy.
#[test]
fn no_file_reads_markup_or_needs_anything_from_elsewhere() {
    let markup = [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "DOMParser",
        "createContextualFragment",
        "eval(",
        "new Function",
        "setAttribute('on",
    ];
    let pages = [
        ("index.html", "", assets::PAGE),
        ("login.html", "", &assets::login("")),
    ];
    for (name, _, content) in assets::FILES.iter().chain(&pages) {
        for word in markup {
            assert!(!content.contains(word), "{name} has {word}");
        }
        let plain = content.replace("http://www.w3.org/2000/svg", "");
        for far in ["http://", "https://", "\"//", "@import", "url("] {
            assert!(!plain.contains(far), "{name} refers to {far}");
        }
        if name.ends_with(".html") {
            for inline in ["<style", " style=", " onclick=", " onload=", "javascript:"] {
                assert!(!content.contains(inline), "{name} has {inline}");
            }
        }
    }
}

#[test]
fn every_file_that_is_named_is_served() {
    let known = |name: &str| assets::FILES.iter().any(|(file, ..)| *file == name);
    let login = assets::login("");
    let mut seen = 0;
    for page in [assets::PAGE, &login] {
        for part in page.split("\"/dashboard/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(known(name), "{name}");
            seen += 1;
        }
    }
    for (from, _, content) in assets::FILES {
        for part in content.split(" from './").skip(1) {
            let name = part.split('\'').next().unwrap();
            assert!(known(name), "{from} wants {name}");
            seen += 1;
        }
    }
    assert!(seen > 15, "{seen}");
}
