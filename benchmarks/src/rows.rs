//! Which figures stand in the table, and which goals beside them. It measures
//! nothing and writes nothing.

use crate::figures::Spread;
use crate::flat::{self, Flat};
use crate::goal::{Goal, Section};
use crate::j1::Figures as One;
use crate::report::{Report, Start};
use crate::{j2, j3, j6};

/// All sections that were measured.
pub(crate) fn sections(report: &Report) -> Vec<Section> {
    let mut all = Vec::new();
    let floor = report.floor.as_ref();
    all.extend(floor.map(|floor| j1(floor, report.ringback.as_ref())));
    all.extend(report.ringback.as_ref().map(per_run));
    all.extend(report.start.as_ref().map(start));
    all.extend(report.flat.as_ref().map(flat));
    all.extend(report.j2.as_ref().map(j2));
    all.extend(report.j3.as_ref().map(j3));
    all.extend(report.j6.as_ref().map(j6));
    all
}

fn j1(floor: &One, ours: Option<&One>) -> Section {
    let mut section = Section::new("J1: missed call to text", "floor");
    let mut add = |name: &str, figure: &dyn Fn(&One) -> Option<Spread>, goal| {
        section.row(name, figure(floor), ours.and_then(figure), goal);
    };
    let one = |figure: Option<f64>| figure.map(Spread::one);
    let name = "runs per second at saturation";
    add(name, &|of| of.per_second, Goal::AtLeast(0.15, 0.3));
    let window = |of: &One| one(Some(of.window as f64));
    add("runs under way then", &window, Goal::None);
    add("CPU per run, µs", &|of| of.cpu_us, Goal::AtMost(5.0));
    add("  of it in the program", &|of| of.user_us, Goal::None);
    add("  of it in the kernel", &|of| of.system_us, Goal::None);
    let name = "20/s, webhook due to text, p50 ms";
    add(name, &|of| of.slow_p50, Goal::AtMost(1.5));
    let name = "20/s, webhook due to text, p99 ms";
    add(name, &|of| of.slow_p99, Goal::AtMost(3.0));
    let name = "20/s, webhook sent to text, p50 ms";
    add(name, &|of| of.sent_p50, Goal::None);
    let name = "20/s, webhook sent to text, p99 ms";
    add(name, &|of| of.sent_p99, Goal::None);
    let name = "20/s, webhook sent to answer, p50 ms";
    add(name, &|of| of.answer_p50, Goal::None);
    let name = "half of saturation, runs per second";
    add(name, &|of| one(Some(of.half_rate)), Goal::None);
    let name = "half of saturation, due to text, p50 ms";
    add(name, &|of| of.half_p50, Goal::None);
    let name = "half of saturation, due to text, p99 ms";
    add(name, &|of| of.half_p99, Goal::None);
    let name = "resident when idle, MB";
    add(name, &|of| one(of.idle_mb), Goal::Within(40.0));
    let name = "resident under load, MB";
    add(name, &|of| one(of.loaded_mb), Goal::Within(128.0));
    let count = |count: usize| one(Some(count as f64));
    add("callers texted", &|of| count(of.texted), Goal::None);
    let name = "webhooks not taken";
    add(name, &|of| count(of.refused), Goal::None);
    add("texts missing", &|of| count(of.missing), Goal::Within(0.0));
    let name = "callers texted twice";
    add(name, &|of| count(of.twice), Goal::Within(0.0));
    section
}

fn per_run(ours: &One) -> Section {
    let mut section = Section::new("J1 at saturation, for each run", "");
    for (name, value) in &ours.per_run {
        section.alone(name.as_str(), Some(*value), Goal::None);
    }
    section
}

fn start(start: &Start) -> Section {
    let mut section = Section::new("Start", "");
    let name = "to ready, nothing cached, s";
    section.alone(name, Some(start.cold_s), Goal::None);
    section.alone("to ready, s", Some(start.warm_s), Goal::None);
    let name = "to first webhook taken, s";
    section.alone(name, Some(start.first_webhook_s), Goal::Within(0.15));
    section
}

fn flat(flat: &Flat) -> Section {
    let title = format!("J1 with {} finished runs", number(flat.finished));
    let mut section = Section::new(title, "none");
    let mut add = |name: &str, figure: &dyn Fn(&flat::Figures) -> Option<Spread>, goal| {
        section.row(name, figure(&flat.empty), figure(&flat.full), goal);
    };
    let same = |nothing| Goal::Same {
        part: 0.15,
        nothing,
    };
    let name = "20/s, webhook due to text, p50 ms";
    add(name, &|of| of.slow_p50, same(0.1));
    let name = "20/s, webhook due to text, p99 ms";
    add(name, &|of| of.slow_p99, same(1.0));
    add("CPU per run, µs", &|of| of.cpu_us, same(0.0));
    let name = "CPU when idle, ms per second";
    add(name, &|of| of.idle_ms, same(1.0));
    let name = "runs per second, 64 under way";
    add(name, &|of| of.per_second, Goal::None);
    add("resident, MB", &|of| of.resident_mb, Goal::None);
    let name = "runs per second while they were made";
    section.alone(name, Some(flat.fill_rate), Goal::None);
    let name = "disk per finished run, bytes";
    section.alone(name, Some(flat.disk_bytes), Goal::None);
    section.alone("start to ready, s", Some(flat.ready_s), Goal::None);
    section
}

fn j2(found: &j2::Figures) -> Section {
    let title = format!("J2: {} runs wait an hour", number(found.waiting));
    let mut section = Section::new(title, "");
    // A million may take ten seconds, 100,000 one.
    let ready = |most: f64, aim: f64| {
        let share = found.waiting as f64 / 1e6;
        match ((most * share).max(1.0), (aim * share).max(1.0)) {
            (most, aim) if most > aim => Goal::Aim(most, aim),
            (most, _) => Goal::Within(most),
        }
    };
    let mut add = |name: &str, figure: Option<f64>, goal| section.alone(name, figure, goal);
    let name = "resident without them, MB";
    add(name, found.idle_mb, Goal::None);
    add(
        "resident with them, MB",
        found.waiting_mb,
        Goal::Within(128.0),
    );
    let name = "resident with them after a start, MB";
    add(name, found.started_mb, Goal::Within(128.0));
    let name = "memory per waiting run, bytes";
    add(name, found.memory_bytes, Goal::None);
    let name = "disk per waiting run, bytes";
    add(name, Some(found.disk_bytes), Goal::Within(4096.0));
    let name = "start to ready after a clean end, s";
    add(name, Some(found.ready_s), ready(10.0, 5.0));
    let name = "start to ready after a kill, s";
    add(name, Some(found.killed_ready_s), ready(10.0, 5.0));
    add("clean end, s", Some(found.stop_s), Goal::None);
    let late = found.late;
    add("came due meanwhile", Some(found.due as f64), Goal::None);
    let name = "lateness of those, p50 ms";
    add(name, late.map(|late| late.p50_ms), Goal::None);
    let name = "lateness of those, p99 ms";
    add(name, late.map(|late| late.p99_ms), Goal::Within(1000.0));
    let name = "lateness of those, longest, ms";
    add(name, late.map(|late| late.max_ms), Goal::None);
    let count = |count: usize| Some(count as f64);
    let name = "due and never sent";
    add(name, count(found.missing), Goal::Within(0.0));
    add("sent twice", count(found.twice), Goal::Within(0.0));
    let early = count(found.early + found.too_soon);
    add("sent before their time", early, Goal::Within(0.0));
    let name = "taken per second";
    add(name, Some(found.fill_rate), Goal::None);
    add("CPU for taking one, µs", found.fill_cpu_us, Goal::None);
    section
}

fn j3(found: &j3::Figures) -> Section {
    let kills = found.rounds.len();
    let title = format!(
        "J3: killed in the middle of {} runs, {kills} times",
        found.runs
    );
    let mut section = Section::new(title, "");
    let count = |count: &dyn Fn(&j3::Round) -> usize| Some(found.sum(count) as f64);
    let mut add = |name: &str, figure: Option<f64>, goal| section.alone(name, figure, goal);
    add("lost", count(&|one| one.lost), Goal::Within(0.0));
    add("sent twice", count(&|one| one.twice), Goal::Within(0.0));
    add("stuck", count(&|one| one.stuck), Goal::Within(0.0));
    let name = "held and shown to a person";
    add(name, count(&|one| one.held), Goal::None);
    let name = "of unknown fate at the start";
    add(name, count(&|one| one.unknown), Goal::None);
    let name = "webhooks repeated, as not answered";
    add(name, count(&|one| one.repeated), Goal::None);
    let ready = found.spread(|one| one.ready_s);
    section.row("start to ready, s", None, ready, Goal::None);
    let settled = found.spread(|one| one.settled_s);
    let goal = Goal::Within(30.0);
    section.row("start to all settled, s", None, settled, goal);
    section
}

fn j6(found: &j6::Figures) -> Section {
    let mut section = Section::new("J6: a text over the API", "ceiling");
    let (base, ours) = (&found.ceiling, &found.ringback);
    let name = "requests per second";
    let goal = Goal::AtLeast(0.4, 0.4);
    section.row(name, base.per_second, ours.per_second, goal);
    let name = "CPU per request, its sending included, µs";
    section.row(name, base.cpu_us, ours.cpu_us, Goal::AtMost(4.0));
    let name = "last answer to last text, s";
    section.alone(name, Some(found.behind_s), Goal::None);
    let name = "texts missing";
    section.alone(name, Some(found.missing as f64), Goal::Within(0.0));
    let name = "recipients texted twice";
    section.alone(name, Some(found.twice as f64), Goal::Within(0.0));
    section
}

/// A count with commas.
pub(crate) fn number(count: usize) -> String {
    let digits = count.to_string();
    let mut shown = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_commas() {
        let check = |count, expected: &str| assert_eq!(number(count), expected);
        check(0, "0");
        check(999, "999");
        check(1_000, "1,000");
        check(1_000_000, "1,000,000");
        check(123_456, "123,456");
    }
}
