use super::*;

fn masked(line: &str) -> String {
    Report::new("a.toml", line).masked(0, line).0
}

fn check(line: &str, expected: &str) {
    assert_eq!(masked(line), expected);
}

#[test]
fn what_looks_like_a_secret_is_left_out() {
    check("auth_token = \"abc\"", "auth_token = \"…\"");
    check("auth_token = 'abc' # mine", "auth_token = '…' # mine");
    check("auth_token = abc", "auth_token = …");
    check("auth_token = \"abc", "auth_token = \"…");
    check("\"Auth_Token\" = \"a b\"", "\"Auth_Token\" = \"…\"");
    check("api_keys = [\"abc\", \"de\"]", "api_keys = [\"…\", \"…\"]");
    check(
        "webhook = { url = \"https://x\", secret = \"abc\" }",
        "webhook = { url = \"https://x\", secret = \"…\" }",
    );
}

#[test]
fn sources_and_ordinary_values_stay() {
    for line in [
        "auth_token = { env = \"NAME\" }",
        "auth_token = { file='a b' }",
        "[connections.main]",
        "listen = \"127.0.0.1:7070\"",
        "auth_token",
        "",
    ] {
        check(line, line);
    }
}

#[test]
fn a_known_secret_is_left_out_wherever_it_stands() {
    let source = "a = \"x\"\nb = [\"süß\"]\n";
    let report = Report::new("a.toml", source);
    report.hide(14..18);
    report.error(8..9, "no", None);
    let (errors, _) = report.finish();
    let shown = errors.first().map(Diagnostic::render).unwrap_or_default();
    assert!(!shown.contains('ü'), "{shown}");
}

#[test]
fn a_place_past_the_end_is_the_end() {
    let report = Report::new("a.toml", "ä");
    report.error(1..900, "no", Some("yes".to_owned()));
    let (errors, _) = report.finish();
    let shown: Vec<String> = errors.iter().map(Diagnostic::render).collect();
    assert_eq!(
        shown,
        ["a.toml:1:1: error: no\n  1 | ä\n    | ^\n  help: yes"]
    );
}

#[test]
fn the_mark_stands_below_what_is_left_out() {
    let source = "auth_token = my very secret token x";
    let check = |span: Range<usize>, expected: &str| {
        let report = Report::new("a.toml", source);
        report.error(span, "no", None);
        let (errors, _) = report.finish();
        let shown: Vec<String> = errors.iter().map(Diagnostic::render).collect();
        assert_eq!(shown, [expected]);
    };
    check(
        16..20,
        "a.toml:1:17: error: no\n  1 | auth_token = …\n    |              ^",
    );
    check(
        0..10,
        "a.toml:1:1: error: no\n  1 | auth_token = …\n    | ^^^^^^^^^^",
    );
    check(
        35..35,
        "a.toml:1:36: error: no\n  1 | auth_token = …\n    |               ^",
    );
}
