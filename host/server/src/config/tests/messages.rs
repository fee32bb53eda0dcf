//! Every message a person can read.

use super::*;

/// The file's problems as they are shown: errors, or the warnings of a sound file.
fn told(source: &str) -> String {
    let problems = read_plain(source).map_or_else(|errors| errors, |loaded| loaded.warnings);
    shown(&problems)
}

fn shown(problems: &[Diagnostic]) -> String {
    let shown: Vec<String> = problems.iter().map(Diagnostic::render).collect();
    shown.join("\n")
}

/// With the business named, so that nothing else is said.
fn named(source: &str) -> String {
    told(&format!("business.name = \"B\"\n{source}"))
}

#[test]
fn unknown_keys() {
    insta::assert_snapshot!(named(r#"
[server]
lsten = "127.0.0.1:1"
colour = 1
[conections.main]
[agents.a]
conection = "x"
"#), @r#"
conf/ringback.toml:4:1: error: unknown key `lsten` in `server`
  4 | lsten = "127.0.0.1:1"
    | ^^^^^
  help: did you mean `listen`?
conf/ringback.toml:5:1: error: unknown key `colour` in `server`
  5 | colour = 1
    | ^^^^^^
  help: there are: listen, public_url, api_keys
conf/ringback.toml:6:2: error: unknown section or key `conections`
  6 | [conections.main]
    |  ^^^^^^^^^^
  help: did you mean `connections`?
conf/ringback.toml:8:1: error: unknown key `conection` in `agents.a`
  8 | conection = "x"
    | ^^^^^^^^^
  help: did you mean `connection`?
"#);
}

#[test]
fn not_toml() {
    insta::assert_snapshot!(told("[server\nlisten = \n[connections.main]\nauth_token = \"hunter2\n"), @r#"
conf/ringback.toml:1:8: error: unclosed table, expected `]`
  1 | [server
    |        ^
conf/ringback.toml:4:22: error: invalid basic string, expected `"`
  4 | auth_token = "…
    |                ^
"#);
    insta::assert_snapshot!(told("a = 1\na = 2\n"), @r#"
conf/ringback.toml:2:1: error: duplicate key
  2 | a = 2
    | ^
"#);
}

#[test]
fn the_reserve_of_the_disk() {
    insta::assert_snapshot!(named(r#"
[store]
reserve = "64 MB"
"#), @r#"
conf/ringback.toml:4:11: error: `store.reserve` must be a size such as "64MiB" or "1GiB", not "64 MB"
  4 | reserve = "64 MB"
    |           ^^^^^^^
"#);
}

#[test]
fn server_and_store() {
    insta::assert_snapshot!(named(r#"
[server]
listen = "localhost"
public_url = "https://a.example?x=1"
api_keys = "hunter2"
[store]
url = "postgres://me:hunter2@db/ringback"
[paths]
workflows = 3
"#), @r#"
conf/ringback.toml:4:10: error: `server.listen` must be an address and a port such as 127.0.0.1:7070, not "localhost"
  4 | listen = "localhost"
    |          ^^^^^^^^^^^
conf/ringback.toml:5:14: error: `server.public_url` must have no query and no fragment
  5 | public_url = "https://a.example?x=1"
    |              ^^^^^^^^^^^^^^^^^^^^^^^
conf/ringback.toml:6:1: error: `server.api_keys` is a secret and must not stand in the file
  6 | api_keys = …
    | ^^^^^^^^
  help: write { env = "RINGBACK_API_KEY" } and set that variable, or { file = "path" }
conf/ringback.toml:8:7: error: a store in PostgreSQL is not available in this version yet
  8 | url = …
    |       ^
  help: the embedded store is "sled:data"
conf/ringback.toml:10:13: error: `paths.workflows` must be a text in quotes, not a number
  10 | workflows = 3
     |             ^
"#);
    insta::assert_snapshot!(named("server = 1\nstore.url = 'redis://x'"), @r#"
conf/ringback.toml:2:10: error: `server` must be a table, not a number
  2 | server = 1
    |          ^
conf/ringback.toml:3:13: error: `store.url` must be sled: and a folder
  3 | store.url = 'redis://x'
    |             ^^^^^^^^^^^
  help: write "sled:data"
"#);
}

#[test]
fn secrets() {
    let said = named(
        r#"
[server]
api_keys = ["hunter2", { env = "NOPE" }, { env = "EMPTY" }]
[secrets]
A = "hunter2"
B = { file = "nowhere" }
C = { file = "blank" }
D = { value = "hunter2" }
E = { env = "RINGBACK_API_KEY", file = "token" }
F = { env = 3 }
[agents.a]
webhook = { url = "https://x", secret = "hunter2" }
"#,
    );
    assert!(!said.contains("hunter2"), "{said}");
    insta::assert_snapshot!(said, @r#"
conf/ringback.toml:4:13: error: `server.api_keys` is a secret and must not stand in the file
  4 | api_keys = […, { env = "NOPE" }, { env = "EMPTY" }]
    |             ^
  help: write { env = "RINGBACK_API_KEY" } and set that variable, or { file = "path" }
conf/ringback.toml:4:32: error: the environment variable NOPE is not set
  4 | api_keys = […, { env = "NOPE" }, { env = "EMPTY" }]
    |                        ^^^^^^
  help: set it before the host starts
conf/ringback.toml:4:50: error: the environment variable EMPTY is empty
  4 | api_keys = […, { env = "NOPE" }, { env = "EMPTY" }]
    |                                          ^^^^^^^
  help: set it before the host starts
conf/ringback.toml:6:1: error: `secrets.A` is a secret and must not stand in the file
  6 | A = …
    | ^
  help: write { env = "A" } and set that variable, or { file = "path" }
conf/ringback.toml:7:14: error: could not read conf/nowhere: no such file
  7 | B = { file = "nowhere" }
    |              ^^^^^^^^^
conf/ringback.toml:8:14: error: conf/blank is empty
  8 | C = { file = "blank" }
    |              ^^^^^^^
conf/ringback.toml:9:1: error: `secrets.D` needs exactly one of env and file
  9 | D = { value = … }
    | ^
  help: write { env = "D" } and set that variable, or { file = "path" }
conf/ringback.toml:10:1: error: `secrets.E` needs exactly one of env and file
  10 | E = { env = "RINGBACK_API_KEY", file = "token" }
     | ^
  help: write { env = "E" } and set that variable, or { file = "path" }
conf/ringback.toml:11:13: error: `secrets.F.env` must be a text in quotes, not a number
  11 | F = { env = 3 }
     |             ^
conf/ringback.toml:13:1: error: `agents.a.webhook` is not available in this version yet: nothing would be sent to it
  13 | webhook = { url = "https://x", secret = … }
     | ^^^^^^^
  help: remove it
conf/ringback.toml:13:32: error: `agents.a.webhook.secret` is a secret and must not stand in the file
  13 | webhook = { url = "https://x", secret = … }
     |                                ^^^^^^
  help: write { env = "SECRET" } and set that variable, or { file = "path" }
"#);
    insta::assert_snapshot!(named("[secrets]\nA = { file = \"open\" }"), @r#"
conf/ringback.toml:3:7: warning: every user of this machine can read conf/open
  3 | A = { file = "open" }
    |       ^^^^
  help: chmod 600 conf/open
"#);
}

#[test]
fn numbers_and_people() {
    insta::assert_snapshot!(named(r#"
[people.a]
[people.b]
phone = "512 555 0199"
[people.c]
phone = +15125550199
[connections.main]
connector = "x"
[agents.one]
numbers = ["+15125550100", "+1512"]
connection = "man"
calls = { forward_to = "+15125550101", ring_for = 20 }
[agents.two]
id = "one"
numbers = ["+15125550100", "+15125550101"]
connection = "main"
calls = "mised"
voice = { say = "a", url = "b" }
inbound = "of"
[agents.three]
calls = { ring_for = "2s" }
voice = { url = "b" }
numbers = "+15125550103"
"#), @r#"
conf/ringback.toml:3:9: error: `people.a.phone` is missing
  3 | [people.a]
    |         ^
  help: add phone = "+15125550199"
conf/ringback.toml:5:9: error: `people.b.phone`: 512 555 0199 looks like a national number; write it as +15125550199
  5 | phone = "512 555 0199"
    |         ^^^^^^^^^^^^^^
conf/ringback.toml:7:9: error: `people.c.phone`: put the phone number in quotes
  7 | phone = +15125550199
    |         ^^^^^^^^^^^^
  help: write it as "+15125550199"
conf/ringback.toml:11:28: error: `agents.one.numbers`: +1512 has 4 digits; a number with its country code has 8 to 15
  11 | numbers = ["+15125550100", "+1512"]
     |                            ^^^^^^^
conf/ringback.toml:12:14: error: there is no connection "man"
  12 | connection = "man"
     |              ^^^^^
  help: did you mean "main"?
conf/ringback.toml:13:51: error: `agents.one.calls.ring_for` needs a unit
  13 | calls = { forward_to = "+15125550101", ring_for = 20 }
     |                                                   ^^
  help: a duration is a number and a unit in quotes: "20s", "2m", "1h"
conf/ringback.toml:15:6: error: two agents have the id `one`
  15 | id = "one"
     |      ^^^^^
conf/ringback.toml:16:12: error: +15125550100 belongs to agent `one` already
  16 | numbers = ["+15125550100", "+15125550101"]
     |            ^^^^^^^^^^^^^^
  help: calls and texts of one number belong to one agent
conf/ringback.toml:18:9: error: `agents.two.calls` cannot be "mised"
  18 | calls = "mised"
     |         ^^^^^^^
  help: write { forward_to = "+15125550111", ring_for = "20s" } or "missed"
conf/ringback.toml:19:1: error: `agents.two.voice` needs exactly one of say, url and agent
  19 | voice = { say = "a", url = "b" }
     | ^^^^^
conf/ringback.toml:20:11: error: `agents.two.inbound` cannot be "of"
  20 | inbound = "of"
     |           ^^^^
  help: did you mean "off"?
conf/ringback.toml:22:1: error: `agents.three.calls.forward_to` is missing
  22 | calls = { ring_for = "2s" }
     | ^^^^^
  help: write { forward_to = "+15125550111", ring_for = "20s" } or "missed"
conf/ringback.toml:22:22: error: `agents.three.calls.ring_for` must be between 5s and 600s
  22 | calls = { ring_for = "2s" }
     |                      ^^^^
conf/ringback.toml:23:17: error: `agents.three.voice.url` must be an http(s) address
  23 | voice = { url = "b" }
     |                 ^^^
conf/ringback.toml:24:11: error: `agents.three.numbers` must be a list in square brackets, not a text
  24 | numbers = "+15125550103"
     |           ^^^^^^^^^^^^^^
"#);
    insta::assert_snapshot!(named("[agents.one]"), @r#"
conf/ringback.toml:2:9: warning: agent `one` has no connection and cannot send
  2 | [agents.one]
    |         ^^^
  help: add connection = "NAME" of a [connections.NAME]
"#);
}

#[test]
fn times() {
    insta::assert_snapshot!(told(r#"
[business]
zone = "Chicago"
[hours.a]
mon-fri = "9-18"
funday = "09:00-18:00"
closed = ["25.12.2026"]
zone = "Mars/Base"
[hours.b]
mon-fri = "09:00-18:00"
fri = "09:00-12:00"
sat = 3
"#), @r#"
conf/ringback.toml:3:8: error: `business.zone`: "Chicago" is not a time zone
  3 | zone = "Chicago"
    |        ^^^^^^^^^
  help: did you mean "America/Chicago"?
conf/ringback.toml:5:11: error: `hours.a.mon-fri`: 9-18 is not a range of hours; use 09:00-18:00, several with commas, or closed
  5 | mon-fri = "9-18"
    |           ^^^^^^
conf/ringback.toml:6:10: error: `hours.a.funday`: funday is not a weekday; use sun to sat, a list or a range such as mon-fri
  6 | funday = "09:00-18:00"
    |          ^^^^^^^^^^^^^
conf/ringback.toml:7:11: error: `hours.a.closed`: 25.12.2026 is not a date; use a day such as 2026-12-25
  7 | closed = ["25.12.2026"]
    |           ^^^^^^^^^^^^
conf/ringback.toml:8:8: error: `hours.a.zone`: "Mars/Base" is not a time zone
  8 | zone = "Mars/Base"
    |        ^^^^^^^^^^^
  help: write a name such as America/Chicago
conf/ringback.toml:9:8: error: `hours.b`: fri has hours twice
  9 | [hours.b]
    |        ^
conf/ringback.toml:12:7: error: `hours.b.sat` must be a text in quotes, not a number
  12 | sat = 3
     |       ^
"#);
}

#[test]
fn limits_and_templates() {
    insta::assert_snapshot!(named(r#"
[limits]
duplicates = 2
countries = ["USA"]
quiet_hours = "yes"
attempts = 0
per_contact = "4/day"
[templates]
a = "Hi {{ name"
b = 3
[connections."a b"]
connector = "x"
settle = "0s"
list = [1]
[connections.c]
settle = "2 minutes"
"#), @r#"
conf/ringback.toml:4:14: error: `limits.duplicates` needs a unit
  4 | duplicates = 2
    |              ^
  help: a duration is a number and a unit in quotes: "20s", "2m", "1h"
conf/ringback.toml:5:14: error: `limits.countries`: USA is not a region; use two letters such as US
  5 | countries = ["USA"]
    |              ^^^^^
conf/ringback.toml:6:15: error: `limits.quiet_hours` must be true or false, not a text
  6 | quiet_hours = "yes"
    |               ^^^^^
conf/ringback.toml:7:12: error: `limits.attempts` must be a whole number from 1 to 50
  7 | attempts = 0
    |            ^
conf/ringback.toml:8:1: error: `limits.per_contact` is not available in this version yet
  8 | per_contact = "4/day"
    | ^^^^^^^^^^^
  help: remove it
conf/ringback.toml:10:5: error: `templates.a`: unexpected end of input, expected end of variable block
  10 | a = "Hi {{ name"
     |     ^^^^^^^^^^^^
conf/ringback.toml:11:5: error: `templates.b` must be a text in quotes, not a number
  11 | b = 3
     |     ^
conf/ringback.toml:12:14: error: `a b` cannot name a connection
  12 | [connections."a b"]
     |              ^^^^^
  help: it is part of an address: use letters, digits, - and _
conf/ringback.toml:14:10: error: `connections.a b.settle` must be between 1s and 86400s
  14 | settle = "0s"
     |          ^^^^
conf/ringback.toml:15:8: error: `connections.a b.list` must be a text, a number, true or false, or { env = "NAME" }, not a list
  15 | list = [1]
     |        ^^^
conf/ringback.toml:16:14: error: `connections.c.connector` is missing
  16 | [connections.c]
     |              ^
  help: name the plugin that speaks to the provider: connector = "twilio"
conf/ringback.toml:17:10: error: `connections.c.settle` is not a duration: "2 minutes"
  17 | settle = "2 minutes"
     |          ^^^^^^^^^^^
  help: a duration is a number and a unit in quotes: "20s", "2m", "1h"
"#);
}

#[test]
fn a_pace() {
    insta::assert_snapshot!(named(r#"
[connections.a]
connector = "x"
segments_per_second = "1/s"
[connections.b]
connector = "x"
segments_per_second = 0
[connections.c]
connector = "x"
segments_per_second = 1001
[connections.d]
connector = "x"
segments_per_second = 10
"#), @r#"
conf/ringback.toml:5:23: error: `connections.a.segments_per_second` must be a number from 0.01 to 1000, not a text
  5 | segments_per_second = "1/s"
    |                       ^^^^^
conf/ringback.toml:8:23: error: `connections.b.segments_per_second` must be a number from 0.01 to 1000
  8 | segments_per_second = 0
    |                       ^
conf/ringback.toml:11:23: error: `connections.c.segments_per_second` must be a number from 0.01 to 1000
  11 | segments_per_second = 1001
     |                       ^^^^
"#);
}

#[test]
fn what_workflows_may_reach() {
    insta::assert_snapshot!(named(r#"
[http]
hosts = ["127.0.0.1:9000", "http://10.0.0.1/path", "http://10.0.0.1:8080", "ftp://a"]
timeout = "5s"
[models.default]
connector = "scripted"
answers = ["one"]
temperature = 1
[models.other]
[agents.a]
connection = "main"
[connections.main]
connector = "x"
"#), @r#"
conf/ringback.toml:4:10: error: "127.0.0.1:9000" is not the address of a host
  4 | hosts = ["127.0.0.1:9000", "http://10.0.0.1/path", "http://10.0.0.1:8080", "ftp://a"]
    |          ^^^^^^^^^^^^^^^^
  help: write it like "http://127.0.0.1:9000", without a path
conf/ringback.toml:4:28: error: "http://10.0.0.1/path" is not the address of a host
  4 | hosts = ["127.0.0.1:9000", "http://10.0.0.1/path", "http://10.0.0.1:8080", "ftp://a"]
    |                            ^^^^^^^^^^^^^^^^^^^^^^
  help: write it like "http://127.0.0.1:9000", without a path
conf/ringback.toml:4:76: error: "ftp://a" is not the address of a host
  4 | hosts = ["127.0.0.1:9000", "http://10.0.0.1/path", "http://10.0.0.1:8080", "ftp://a"]
    |                                                                            ^^^^^^^^^
  help: write it like "http://127.0.0.1:9000", without a path
conf/ringback.toml:5:1: error: unknown key `timeout` in `http`
  5 | timeout = "5s"
    | ^^^^^^^
  help: there are: hosts
conf/ringback.toml:9:1: error: unknown key `temperature` in `models.default`
  9 | temperature = 1
    | ^^^^^^^^^^^
  help: there are: connector, answers, facts
conf/ringback.toml:10:9: error: `models.other.connector` is missing
  10 | [models.other]
     |         ^^^^^
  help: add connector = "scripted"
"#);
}

#[test]
fn later_releases() {
    insta::assert_snapshot!(named(r#"
[models.default]
connector = "openai"
[tools.free_slots]
url = "x"
[grants.acme]
[agents.a]
connection = "main"
model = "default"
sms_prompt = "You are"
fold = "8s"
[connections.main]
connector = "x"
"#), @r#"
conf/ringback.toml:4:1: warning: the model connector "openai" is not available in this version yet
  4 | connector = "openai"
    | ^^^^^^^^^
  help: it is ignored; there is: scripted
conf/ringback.toml:5:2: warning: [tools] is not available in this version yet
  5 | [tools.free_slots]
    |  ^^^^^
  help: it is ignored
conf/ringback.toml:7:2: warning: [grants] is not available in this version yet
  7 | [grants.acme]
    |  ^^^^^^
  help: it is ignored
conf/ringback.toml:10:1: warning: `agents.a.model` is not available in this version yet
  10 | model = "default"
     | ^^^^^
  help: it is ignored
conf/ringback.toml:11:1: warning: `agents.a.sms_prompt` is not available in this version yet
  11 | sms_prompt = "You are"
     | ^^^^^^^^^^
  help: it is ignored
conf/ringback.toml:12:1: warning: `agents.a.fold` is not available in this version yet
  12 | fold = "8s"
     | ^^^^
  help: it is ignored
"#);
    insta::assert_snapshot!(named(r#"

[agents.a]
connection = "main"
inbound = "auto_reply"
[agents.b]
connection = "main"
inbound = "plugin:x"
webhook = { url = "https://x" }
[connections.main]
connector = "x"
"#), @r#"
conf/ringback.toml:6:11: error: inbound = "auto_reply" is not available in this version yet
  6 | inbound = "auto_reply"
    |           ^^^^^^^^^^^^
  help: write "off"; workflows on message.received can answer texts
conf/ringback.toml:9:11: error: inbound = "plugin:x" is not available in this version yet
  9 | inbound = "plugin:x"
    |           ^^^^^^^^^^
  help: write "off"
conf/ringback.toml:10:1: error: `agents.b.webhook` is not available in this version yet: nothing would be sent to it
  10 | webhook = { url = "https://x" }
     | ^^^^^^^
  help: remove it
"#);
}

#[test]
fn an_open_door() {
    insta::assert_snapshot!(named("server.listen = \"0.0.0.0:80\""), @r#"
conf/ringback.toml:1:1: warning: 0.0.0.0:80 can be reached from other machines and [server] has no api_keys; the host starts only when `ringback keys create --name NAME` has made one
  1 | business.name = "B"
    | ^
  help: add api_keys = [{ env = "RINGBACK_API_KEY" }], or listen on 127.0.0.1
"#);
    insta::assert_snapshot!(told(""), @r#"
conf/ringback.toml:1:1: warning: there is no [business]: texts that name it are empty there, and times are UTC
  1 | 
    | ^
  help: add [business] with name = "…" and zone = "America/Chicago"
"#);
}

#[test]
fn a_file_that_is_not_there() {
    let errors = load(
        Path::new("/nowhere/a.toml"),
        &Overrides::default(),
        &Fake::default(),
    );
    insta::assert_snapshot!(shown(&errors.unwrap_err()), @r#"
/nowhere/a.toml: error: could not read it: No such file or directory (os error 2)
"#);
}

struct Plugins;

impl Connectors for Plugins {
    fn check(
        &self,
        connector: &str,
        given: &BTreeMap<String, Option<String>>,
    ) -> Result<Vec<String>, String> {
        if connector != "twilio" {
            return Err(format!(
                "there is no connector {connector:?}; there are: twilio"
            ));
        }
        let mut said = Vec::new();
        if !given.contains_key("account_sid") {
            said.push("setting `account_sid` is missing: from the console".to_owned());
        }
        if given.contains_key("regon") {
            said.push("there is no setting `regon`; did you mean `region`?".to_owned());
        }
        Ok(said)
    }

    fn is_secret(&self, connector: &str, setting: &str) -> bool {
        connector == "twilio" && setting == "auth"
    }
}

#[test]
fn what_connectors_say() {
    let mut loaded = read_plain(
        "[connections.a]\nconnector = \"twilo\"\n[connections.b]\nconnector = \"twilio\"\n\
         auth = \"hunter2\"\nregon = \"x\"\n",
    )
    .unwrap();
    let errors = shown(&loaded.fit(&Plugins).unwrap_err());
    assert!(!errors.contains("hunter2"));
    insta::assert_snapshot!(errors, @r#"
conf/ringback.toml:2:1: error: there is no connector "twilo"; there are: twilio
  2 | connector = "twilo"
    | ^^^^^^^^^
conf/ringback.toml:3:14: error: connection `b` (twilio): setting `account_sid` is missing: from the console
  3 | [connections.b]
    |              ^
conf/ringback.toml:5:1: error: `connections.b.auth` is a secret and must not stand in the file
  5 | auth = …
    | ^^^^
  help: write { env = "AUTH" } and set that variable, or { file = "path" }
conf/ringback.toml:6:1: error: connection `b` (twilio): there is no setting `regon`; did you mean `region`?
  6 | regon = "x"
    | ^^^^^
"#);
}

#[test]
fn a_plain_setting_may_come_from_a_variable() {
    let mut loaded = read_plain(
        "[connections.b]\nconnector = \"twilio\"\naccount_sid = { env = \"TWILIO_ACCOUNT_SID\" }\n\
         auth = { env = \"TWILIO_AUTH_TOKEN\" }\n",
    )
    .unwrap();
    assert_eq!(loaded.fit(&Plugins), Ok(()));
    let connection = &loaded.config.connections["b"];
    assert_eq!(connection.values["account_sid"], "AC9");
    assert_eq!(connection.secrets["auth"].expose(), "t-1");
    assert!(!connection.values.contains_key("auth"));
}

#[test]
fn how_long_things_are_kept() {
    insta::assert_snapshot!(named(r#"
[retention]
mesages = "2y"
messages = 730
calls = "two years"
events = "5m"
finished_runs = "10d"
repeats = "1d"
"#), @r#"
conf/ringback.toml:4:1: error: unknown key `mesages` in `retention`
  4 | mesages = "2y"
    | ^^^^^^^
  help: did you mean `messages`?
conf/ringback.toml:5:12: error: `retention.messages` needs a unit
  5 | messages = 730
    |            ^^^
  help: a time is a number and a unit in quotes: "30d", "2y"; or "forever"
conf/ringback.toml:6:9: error: `retention.calls` is not a time: "two years"
  6 | calls = "two years"
    |         ^^^^^^^^^^^
  help: a time is a number and a unit in quotes: "30d", "2y"; or "forever"
conf/ringback.toml:7:10: error: `retention.events` must be at least 1h
  7 | events = "5m"
    |          ^^^^
conf/ringback.toml:8:17: error: `retention.finished_runs` is shorter than `retention.repeats`: a repeated webhook would be known to be one, and what it led to would be gone
  8 | finished_runs = "10d"
    |                 ^^^^^
  help: make `finished_runs` at least as long as `repeats` (30d)
conf/ringback.toml:9:11: error: `retention.repeats` must be at least 7d
  9 | repeats = "1d"
    |           ^^^^
"#);
    insta::assert_snapshot!(named("[retention]\nmessages = '20d'\nrepeats = 'forever'\n"), @r"
conf/ringback.toml:3:12: error: `retention.messages` is shorter than `retention.repeats`: a repeated webhook would be known to be one, and what it led to would be gone
  3 | messages = '20d'
    |            ^^^^^
  help: make `messages` at least as long as `repeats` (forever)
conf/ringback.toml:4:11: error: `retention.finished_runs` is shorter than `retention.repeats`: a repeated webhook would be known to be one, and what it led to would be gone
  4 | repeats = 'forever'
    |           ^^^^^^^^^
  help: make `finished_runs` at least as long as `repeats` (forever)
conf/ringback.toml:4:11: error: `retention.calls` is shorter than `retention.repeats`: a repeated webhook would be known to be one, and what it led to would be gone
  4 | repeats = 'forever'
    |           ^^^^^^^^^
  help: make `calls` at least as long as `repeats` (forever)
");
    // The default of one may be shorter than what is said of the other.
    insta::assert_snapshot!(named("[retention]\nrepeats = '100d'\n"), @r"
conf/ringback.toml:3:11: error: `retention.finished_runs` is shorter than `retention.repeats`: a repeated webhook would be known to be one, and what it led to would be gone
  3 | repeats = '100d'
    |           ^^^^^^
  help: make `finished_runs` at least as long as `repeats` (100d)
");
}
