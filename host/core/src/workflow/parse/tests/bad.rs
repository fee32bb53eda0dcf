//! Files with mistakes, and every word their authors are told. The snapshots
//! are the documentation of the messages: read them when they change.

use super::{clinic, messages};

/// Each source stands above its messages.
fn told(sources: &[&str]) -> String {
    let mut out = String::new();
    for source in sources {
        let told = messages(source, &clinic());
        assert_ne!(told, "", "nothing is said about\n{source}");
        out.push_str(&format!("{}\n~~~\n{told}\n\n", source.trim_end()));
    }
    out
}

/// A file around steps.
fn steps(steps: &str) -> String {
    format!("name: a\non: call.missed\nsteps:\n{steps}")
}

fn told_of_steps(sources: &[&str]) -> String {
    let mut out = String::new();
    for source in sources {
        let told = messages(&steps(source), &clinic());
        assert_ne!(told, "", "nothing is said about\n{source}");
        out.push_str(&format!("{}\n~~~\n{told}\n\n", source.trim_end()));
    }
    out
}

#[test]
fn yaml() {
    snapshot!(told(&[
        "",
        "# nothing\n",
        "just a text\n",
        "- a\n- b\n",
        "name: a\non: call.missed\nsteps:\n  - send: {{ lead.first_name }}, hello\n",
        "name: a\non: call.missed\ncontact: {{ event.from }}\nsteps:\n  - send: {% if a %}b{% endif %}\n",
        "name: a\non: call.missed\nsteps:\n\t- send: hi\n",
        "name: a\non: call.missed\nsteps:\n  - send: Note: call us\n",
        "name: a\non: call.missed\nsteps:\n  - send: \"Hello\n",
        "name: a\nname: b\non: call.missed\nsteps:\n  - send: { body: a, body: b }\n",
        "name: a\non: call.missed\nsteps: &s\n  - stop: x\nvars: { a: *s, b: !!int 3 }\n",
        "name: a\non: call.missed\nsteps: [{ stop: x }]\n---\nname: b\n",
        "name: a\non: call.missed\nsteps: [{ stop: x }\n",
        "? [a, b]\n: c\n",
    ]));
}

#[test]
fn header() {
    snapshot!(told(&[
        "description: b\n",
        "name:\non:\nsteps:\n",
        "name: '!!'\non: {}\nsteps: []\n",
        "nane: a\non: call.mised\nstep: []\n",
        "name: a\non: lead.created\nsteps: { send: a }\ngoal: x\nrate: { total: 1/day }\ntests: []\n",
        "name: a\non: [call.missed, wibble]\nsteps: [{ stop: x }]\nintent: advertising\nenroll: { again: nevr, again_after: soon, kee: 1 }\ncancel_on: [replay, message.received]\non_delete: true\n",
        "name: a\non: call.missed\nenroll:\n  again: never\n  again_after: 4h\nsteps: [{ stop: x }]\n",
        "name: a\non: call.missed\ncancel_on: [opt_out, reply]\nsteps:\n  - wait_for: reply\n",
        "name: a\non: { schedule: { cron: '* * *', zone: Mars/Base, missed: never } }\nsteps:\n  - send: hi\n",
        "name: a\non: { schedule: }\nsteps:\n  - stop: x\n",
        "name: a\non:\n  call.missed: { direction: in, from: +15125550100, to: [15125550101, '5125550101'], agent: frontdesk, fold: 8s }\n  message.received: { matches: '(a', fold: 8s, where: '{{ event.text }}' }\n  manual: { input: { n: numbr, a-b: string } }\nsteps:\n  - stop: x\n",
        "name: a\non: call.missed\ncontact: +15125550100\nvars: { a: '{{ b }}', c-d: 1, phone: +15125550100 }\nsteps:\n  - stop: x\n",
        "name: a\non: call.missed\ncontact: event.from\nsteps:\n  - stop: x\n",
        "name: Hi {{ lead.name }}\non: call.missed\ncontact: 'call ${{ event.from }}'\nenroll: { key: '${{ contact.phone' }\nsteps:\n  - stop: x\n",
    ]));
}

#[test]
fn steps_and_actions() {
    snapshot!(told_of_steps(&[
        "  - hello\n  - [a]\n  -\n",
        "  - id: x\n",
        "  - sned: hi\n  - send: hi\n    wait: 1m\n",
        "  - compose: hi\n  - uses: acme/hubspot@1\n    with: { a: 1 }\n  - send: hi\n    once: x\n    retry: { max: 3 }\n    timeout: 5m\n",
        "  - id: my-step\n    send: a\n  - id: 1st\n    send: a\n  - id: event\n    send: a\n  - id: x\n    send: a\n  - id: x\n    send: a\n",
        "  - send:\n  - send: ''\n  - send: { agent: front-desk }\n  - send: { body: a, template: proof }\n  - send: [a]\n  - send: { boddy: a }\n",
        "  - send: { agent: fron-desk, template: prof, on_unknown: retry, from: 15125550100, body: { a: b } }\n",
        "  - wait: 10\n  - wait: soon\n  - wait: {}\n  - wait: { days: two, at: 25:00, window: 19:00-10:00 }\n  - wait: { until: '${{ now() }}', days: 1 }\n  - wait: { days: 90000 }\n",
        "  - wait_for: message.received\n  - wait_for: replies\n  - wait_for: {}\n  - wait_for: [a]\n  - wait_for: { reply: {}, timeout: 1 }\n  - wait_for: { schedule: {} }\n  - wait_for: { mesage.received: {} }\n  - wait_for: { message.received: { where: x } }\n    timeout: 1h\n  - wait_for: { message.received: {}, timeout: 1h }\n    timeout: 1h\n",
        "  - handoff: nobody\n  - handoff: { reason: x }\n  - handoff: { to: '{{ vars.who }}' }\n  - set: x\n  - set: { a-b: 1, c: ['{{ x }}'] }\n  - stop: { reasn: x }\n  - stop: [a]\n",
    ]));
}

#[test]
fn campaigns() {
    let of = |keys: &str| format!("name: a\non: manual\n{keys}\nsteps:\n  - stop: x\n");
    let files = [
        of("campaign: '!!'"),
        of("campaign: [a]"),
        of("rate: 20/min"),
        of("rate: {}"),
        of("rate: { spread: even }"),
        of("rate: { spread: even, total: 20/min }"),
        of("rate: { spread: fast, total: 250 }"),
        of("rate: { per_number: 0/min, total: 99999999999/day }"),
        of("rate: { per_number: 20/minute, totl: x/day }"),
        of("rate: { per_number: '{{ vars.n }}/min' }"),
        of("breaker:"),
        of("breaker: { notify: on-call }"),
        of("breaker: { opt_out_rate: 2%, failure_rate: '> 0% of last 100', notify: nobody }"),
        of("breaker: { opt_out_rate: '> 101% of last 100', failure_rate: '> 5% of last 0' }"),
        of("breaker:\n  opt_out_rate: > 2% of last 100\n  failure_rate: '> 5% of last 1000000'"),
    ];
    snapshot!(told(&files.each_ref().map(String::as_str)));
}

#[test]
fn events() {
    let on = |on: &str| format!("name: a\non: {on}\nsteps:\n  - stop: x\n");
    let files = [
        on("lead.score_changed"),
        on("promise.due"),
        on("{ message.status: { status: [deliverd, received] } }"),
        on("{ message.failed: { status: delivered } }"),
        on("{ call.status: { status: ringing } }"),
        on("{ lead.created: { chnged: status } }"),
        on("webhook"),
        on("{ webhook: { path: /In/Calendar } }"),
        on("{ webhook: { path: calendar, verify: { hmac_sha256: hunter2, header: X-Signature } } }"),
        on("{ webhook: { path: calendar, verify: { hmac_sha256: 'secret:CRM', header: 'X Sig' } } }"),
        on("{ webhook: { path: calendar, verify: { sha1: 'secret:CRM' } } }"),
        on("{ webhook: { path: calendar, dedupe: '${{ event.body. }}' } }"),
        on("{ conversation.idle: { last_from: me } }"),
        on("{ conversation.idle: { after: soon } }"),
        on("{ message.received: { fold: 8, skip: [stop_words] } }"),
        on("{ plugin.event: { plugin: '{{ x }}' } }"),
        "name: a\non: { webhook: { path: x } }\nsteps:\n  - tag: x\n".to_owned(),
        "name: a\non: call.missed\ncancel_on: [call.mised, conversation.handoff, schedule]\nsteps:\n  - stop: x\n".to_owned(),
        "name: a\non: call.missed\nrequires_consent: ads\nconcurrency: { on_new: wait, groop: x }\nsteps:\n  - stop: x\n".to_owned(),
    ];
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    snapshot!(told(&files));
}

#[test]
fn what_is_known_of_contacts() {
    snapshot!(told_of_steps(&[
        "  - lead: {}\n  - lead: cold\n  - lead: { set: { phone: x }, tagg: y }\n  - lead: { set: { tags: [a] } }\n  - lead: { set: [a] }\n",
        "  - tag: []\n  - tag: { a: b }\n  - tag: [a, [b]]\n",
        "  - release: false\n  - release: { of: x }\n  - opt_out: marketing\n  - opt_out: { scope: marketing, reply: 3 }\n",
        "  - lead: { set: { a: '${{ led.a }}' } }\n    retry: { max: 1 }\n  - if: contact.consnt.marketing\n    stop: x\n",
        "  - id: l\n    lead: { note: x }\n  - if: l.chnged\n    stop: x\n",
        "  - wait_for: { webhook: { path: x } }\n  - wait_for: { contact.opted_out: {} }\n  - wait_for: { message.status: { status: sennt } }\n  - wait_for: { lead.updated: { where: '{{ lead.a }}' } }\n  - wait_for: { message.received: { fold: 8s } }\n",
    ]));
}

#[test]
fn approvals() {
    snapshot!(told_of_steps(&[
        "  - compose: { prompt: a, approve: nobody }\n  - compose: { prompt: a, approve: { by: on-cal } }\n",
        "  - compose: { prompt: a, approve: }\n  - compose: { prompt: a, approve: {} }\n  - compose: { prompt: a, approve: [on-call] }\n",
        "  - compose: { prompt: a, approve: { by: on-call, timeout: soon, default: drop } }\n",
        "  - compose:\n      prompt: a\n      approve:\n        by: on-call\n        default: send\n",
        "  - compose: { prompt: a, approve: { from: on-call, timeout: 10m } }\n",
        "  - send: { body: a, approve: on-call }\n",
        "  - id: s\n    compose: { prompt: a, approve: on-call }\n  - if: s.aproved\n    stop: x\n",
    ]));
}

#[test]
fn expressions() {
    snapshot!(told_of_steps(&[
        "  - if: '{{ answer.timed_out }}'\n    stop: x\n",
        "  - if: answer.timed_out and\n    stop: x\n  - send: Hi {{ lead.first_name\n  - send: Hi {% if a %}\n",
        "  - id: answer\n    wait_for: reply\n  - if: anser.timed_out\n    stop: x\n  - if: answer.timedout or answer.status\n    stop: x\n",
        "  - if: answer.timed_out\n    stop: x\n  - id: answer\n    if: answer.ok\n    wait_for: reply\n",
        "  - send: |\n      Hi {{ led.first_name }},\n      call {{ contact.fone }} at {{ vars.url }}\n",
        "  - send: '{{ vars.later }}'\n  - set: { later: 1 }\n",
        "  - send: '{{ now() | wen }} {{ vars | tracked }} {{ csv(\"a\") }} {{ lead.name.upper() }} {{ lead.name.foo() }}'\n  - if: now() is dew_in('1h', '2h') or now() is due_in('1 hour', '2h')\n    stop: x\n",
        "  - send: '{% set x = 1 %}{% include \"a\" %}{{ in_hours(\"bussiness\") }}{{ now() | local(\"Mars/Base\") }}'\n",
        "  - send: '{% set x = 1 %}{{ x }}'\n",
        "  - send: 'a ${{ event.from }} b'\n  - send: ${{ event.from # who }}\n",
    ]));
}
