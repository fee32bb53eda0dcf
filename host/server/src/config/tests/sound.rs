//! Files that are right, and what they come to.

use super::*;
use ringback_core::engine::{Calls, Voice};
use ringback_core::model::PhoneNumber;

/// Every key of this version.
pub(super) const WHOLE: &str = r#"
[server]
listen     = "0.0.0.0:8080"
public_url = "https://followups.example.com/"
api_keys   = [{ env = "RINGBACK_API_KEY" }, { file = "token" }]

[store]
url = "sled:state"
reserve = "64MiB"

[paths]
workflows = "flows"
plugins   = "/opt/plugins"

[business]
name = "Brightside Dental"
zone = "America/Chicago"

[hours.business]
mon-fri = "09:00-18:00"
sat     = "10:00-14:00"
closed  = ["2026-12-25", 2027-01-01]

[hours.night]
zone = "Europe/Berlin"
mon-sun = "22:00-06:00"

[people.on-call]
phone = "+1 (512) 555-0199"

[templates]
proof = "Hi {{ lead.first_name }}, see https://example.com/reviews"

[secrets]
CALENDAR = { env = "TWILIO_AUTH_TOKEN" }

[limits]
duplicates  = "0s"
countries   = ["US", "ca"]
quiet_hours = false
attempts    = 3

[retention]
finished_runs = "30d"
messages      = "1y"
calls         = "52w"
events        = "36h"
webhooks      = "1h"
repeats       = "7d"

[connections.main]
connector   = "twilio"
account_sid = { env = "TWILIO_ACCOUNT_SID" }
auth_token  = { env = "TWILIO_AUTH_TOKEN" }
messaging_service_sid = "MG1"
settle      = "1s"
segments_per_second = 0.5
handles_opt_out = false

[connections.sim]
connector = "simulator"
rate = 3

[agents.front-desk]
name       = "Ava"
numbers    = ["+15125550100", "+15125550101"]
connection = "main"
calls      = { forward_to = "+15125550111", ring_for = "25s" }
voice      = { say = "Hello." }
inbound    = "off"

[agents.sales]
id         = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"
numbers    = ["+15125550102"]
connection = "sim"
calls      = "missed"
"#;

fn config(source: &str) -> Config {
    match read_plain(source) {
        Ok(loaded) => loaded.config,
        Err(errors) => panic!("{}", errors[0].render()),
    }
}

#[test]
fn every_key_means_something() {
    let loaded = read_plain(WHOLE).unwrap();
    assert_eq!(loaded.warnings, []);
    let config = loaded.config;
    assert_eq!(config.server.listen.to_string(), "0.0.0.0:8080");
    assert_eq!(
        config.server.public_url.as_deref(),
        Some("https://followups.example.com")
    );
    let keys: Vec<&str> = config.server.api_keys.iter().map(Secret::expose).collect();
    assert_eq!(keys, ["k-1", "from-file"]);
    assert_eq!(config.data, Path::new("conf/state"));
    assert_eq!(config.reserve.map(Size::bytes), Some(64 * 1024 * 1024));
    assert_eq!(config.workflows, Path::new("conf/flows"));
    assert_eq!(config.plugins, Path::new("/opt/plugins"));
    assert_eq!(config.secrets["CALENDAR"].expose(), "t-1");
    assert_eq!(config.people["on-call"].phone.as_str(), "+15125550199");
    assert_eq!(config.limits.duplicates_ms, 0);
    assert_eq!(config.limits.countries, ["US", "CA"]);
    assert!(!config.limits.quiet_hours);
    assert_eq!(config.limits.attempts, 3);
    let hours = |hours: i64| Some(jiff::SignedDuration::from_hours(hours));
    let expected = ringback_core::engine::Retention {
        finished_runs: hours(24 * 30),
        messages: hours(24 * 365),
        calls: hours(24 * 364),
        events: hours(36),
        webhooks: hours(1),
        repeats: hours(24 * 7),
    };
    assert_eq!(config.retention, expected);
    let main = &config.connections["main"];
    assert_eq!(main.settle, Duration::from_secs(1));
    assert!(main.sender_pool);
    assert_eq!(main.secrets["auth_token"].expose(), "t-1");
    assert_eq!(main.values["messaging_service_sid"], "MG1");
    assert_eq!(config.connections["sim"].values["rate"], "3");
    assert_eq!(config.connections["sim"].settle, SETTLE);
    let desk = &config.agents["front-desk"];
    assert_eq!(desk.name, "Ava");
    assert_eq!(desk.numbers.len(), 2);
    assert_eq!(
        desk.calls,
        Some(Calls::Forward {
            to: PhoneNumber::parse("+15125550111").unwrap(),
            ring_for: 25,
        })
    );
    assert_eq!(desk.voice, Some(Voice::Say("Hello.".to_owned())));
    let sales = &config.agents["1b4e28ba-2fa1-11d2-883f-0016d3cca427"];
    assert_eq!(sales.name, "sales");
    assert_eq!(sales.calls, Some(Calls::Missed));
    assert_eq!(
        config.hook("main", "text"),
        "https://followups.example.com/hooks/main/text"
    );
    let hours = &config.hours.0;
    let new_year: jiff::Timestamp = "2027-01-01T18:00:00Z".parse().unwrap();
    assert!(!hours["business"].is_open(new_year));
    assert_eq!(hours["night"].zone().iana_name(), Some("Europe/Berlin"));
}

#[test]
fn nothing_is_needed() {
    let config = config("");
    assert_eq!(config.server.listen, LISTEN);
    assert_eq!(config.data, Path::new("conf/data"));
    assert_eq!(config.reserve, None);
    assert_eq!(config.business.zone, "UTC");
    assert_eq!(config.public_base(), "http://127.0.0.1:7070");
    assert!(config.agents.is_empty());
    let kept = config.retention;
    assert_eq!(
        kept.finished_runs,
        Some(jiff::SignedDuration::from_hours(24 * 90))
    );
    assert_eq!(
        kept.messages,
        Some(jiff::SignedDuration::from_hours(24 * 730))
    );
}

#[test]
fn what_is_kept_for_ever() {
    let kept = config("[retention]\nmessages = 'forever'\nfinished_runs = '200y'\n").retention;
    assert_eq!((kept.messages, kept.finished_runs), (None, None));
    let all = "[retention]\nmessages = 'forever'\nfinished_runs = 'forever'\ncalls = 'forever'\nrepeats = 'forever'\n";
    assert_eq!(config(all).retention.repeats, None);
}

#[test]
fn flags_beat_the_file() {
    let overrides = Overrides {
        listen: Some("127.0.0.1:1".parse().unwrap()),
        public_url: Some("http://a".to_owned()),
        data: Some("d".into()),
        workflows: Some("w".into()),
        plugins: Some("p".into()),
    };
    let config = read_with(WHOLE, &overrides).unwrap().config;
    assert_eq!(config.server.listen.port(), 1);
    assert_eq!(config.server.public_url.as_deref(), Some("http://a"));
    let paths = [&config.data, &config.workflows, &config.plugins];
    assert_eq!(paths, ["d", "w", "p"].map(Path::new));
}

#[test]
fn what_the_engine_knows() {
    let config = config(WHOLE);
    let setup = config.setup(|connector| ConnectorTraits {
        idempotent: connector == "simulator",
        handles_opt_out: true,
    });
    let main = &setup.connections["main"];
    assert!(!main.idempotent && !main.handles_opt_out && main.chooses_sender);
    assert_eq!(main.settle_ms, 1_000);
    assert_eq!(main.segment_us, Some(2_000_000));
    assert_eq!(setup.connections["sim"].segment_us, None);
    let sim = &setup.connections["sim"];
    assert!(sim.idempotent && sim.handles_opt_out && !sim.chooses_sender);
    let number = PhoneNumber::parse("+15125550101").unwrap();
    assert_eq!(setup.owner(&number).unwrap().id, "front-desk");
}

#[test]
fn the_demo_runs_at_any_hour() {
    let config = Config::demo(&Overrides::default(), &environment());
    let agent = &config.agents["front-desk"];
    assert_eq!(agent.numbers[0].as_str(), "+15125550100");
    assert!(config.connections.contains_key("sim"));
    assert!(!config.limits.quiet_hours);
    assert_eq!(config.server.api_keys[0].expose(), "k-1");
    assert_eq!(config.names().hours.len(), 1);
    assert!(config.may_listen(0).is_ok());
}

#[test]
fn an_open_door_needs_a_key() {
    let open = config("server.listen = '0.0.0.0:80'");
    let message = open.may_listen(0).unwrap_err().to_string();
    insta::assert_snapshot!(message, @r#"
0.0.0.0:80 can be reached from other machines and there is no API key; make one with `ringback keys create --name NAME`, or set [server] api_keys = [{ env = "RINGBACK_API_KEY" }], or listen on 127.0.0.1
"#);
    assert!(open.may_listen(1).is_ok());
    assert!(config(WHOLE).may_listen(0).is_ok());
    assert!(config("server.listen = '[::1]:80'").may_listen(0).is_ok());
}

#[test]
fn addresses_that_providers_can_call() {
    let check = |text: &str, expected: Result<&str, &str>| {
        let expected = expected.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(public_url(text), expected, "{text}");
    };
    check("https://a.example/", Ok("https://a.example"));
    check("http://a.example:8080/in/", Ok("http://a.example:8080/in"));
    check(
        "ftp://a.example",
        Err("must begin with https:// (or http://)"),
    );
    check(
        "https://a.example/?x=1",
        Err("must have no query and no fragment"),
    );
    check(
        "https://u:p@a.example",
        Err("must have no user and no password"),
    );
    check(
        "a.example",
        Err("must be an address such as https://followups.example.com"),
    );
}

#[test]
fn the_data_folder_is_found_in_a_broken_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE);
    std::fs::write(
        &file,
        "[store]\nurl = \"sled:state\"\n[server]\nlisten = 3\nx",
    )
    .unwrap();
    assert_eq!(data_dir(Some(&file), None), folder.path().join("state"));
    std::fs::write(&file, "[[").unwrap();
    assert_eq!(data_dir(Some(&file), None), folder.path().join("data"));
    assert_eq!(data_dir(Some(&file), Some(Path::new("x"))), Path::new("x"));
}

#[test]
fn the_files_that_secrets_stand_in() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ringback.toml");
    let check = |source: &str, wanted: &[&str]| {
        std::fs::write(&file, source).unwrap();
        let wanted: Vec<PathBuf> = wanted.iter().map(|one| folder.path().join(one)).collect();
        assert_eq!(secret_files(&file), wanted, "{source}");
    };
    check(
        "[connections.a]\nauth_token = { file = \"token\" }",
        &["token"],
    );
    check(
        "[server]\napi_keys = [{ env = \"K\" }, { file = \"k/1\" }]\n[secrets.x]\nfile = \"/abs\"",
        &["/abs", "k/1"],
    );
    check(
        "[connections.a]\nconnector = 7\ntoken = { file = \"t\" }\nnumbers = [",
        &["t"],
    );
    check("file = 3", &[]);
}
