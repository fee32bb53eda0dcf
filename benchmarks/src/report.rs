//! The table: figures, their ratio to the floor of the same run, and the goals.
//! A goal that is missed is written down and is no error.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Value, json};

use crate::ceilings::disk::Cost;
use crate::ceilings::{Ceilings, Rate};
use crate::figures::{ratio, show};
use crate::j1::Figures;

/// How long the program took to start, in seconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Start {
    /// Until `/readyz` said so, with no compiled plugins in its cache.
    pub(crate) cold_s: f64,
    /// The same at the second start.
    pub(crate) warm_s: f64,
    /// Until the first webhook was taken, at the second start.
    pub(crate) first_webhook_s: f64,
}

/// Everything that one run found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// What it was measured on.
    pub(crate) machine: String,
    /// What the machine can do.
    pub(crate) ceilings: Ceilings,
    /// J1 of the program that does nothing but what it must.
    pub(crate) floor: Figures,
    /// J1 of ringback, unless only the ceilings were wanted.
    pub(crate) ringback: Option<Figures>,
    /// Its start.
    pub(crate) start: Option<Start>,
    /// What did not work.
    pub(crate) problems: Vec<String>,
}

/// On which side of a goal is good.
#[derive(Clone, Copy)]
enum Goal {
    /// No goal is set.
    None,
    /// The ratio to the floor is at least this, and better yet the other.
    AtLeast(f64, f64),
    /// The ratio to the floor is at most this.
    AtMost(f64),
    /// The figure itself is at most this.
    Within(f64),
}

impl Goal {
    fn words(self) -> String {
        match self {
            Self::None => String::new(),
            Self::AtLeast(least, aim) => format!("ratio at least {least}, aim {aim}"),
            Self::AtMost(most) => format!("ratio at most {most}"),
            Self::Within(most) => format!("at most {most}"),
        }
    }

    /// Whether it is met; unknown without a figure.
    fn met(self, figure: Option<f64>, ratio: Option<f64>) -> Option<bool> {
        match self {
            Self::None => None,
            Self::AtLeast(least, _) => ratio.map(|ratio| ratio >= least),
            Self::AtMost(most) => ratio.map(|ratio| ratio <= most),
            Self::Within(most) => figure.map(|figure| figure <= most),
        }
    }
}

/// One line about J1.
struct Row {
    name: String,
    floor: Option<f64>,
    ours: Option<f64>,
    goal: Goal,
}

impl Row {
    fn ratio(&self) -> Option<f64> {
        ratio(self.ours?, self.floor?)
    }
}

impl Report {
    /// As text for people.
    pub(crate) fn table(&self) -> String {
        let mut text = format!("{}\n\nCeilings\n", self.machine);
        let ceilings = &self.ceilings;
        disk(&mut text, "fdatasync of 500 B, appended", &ceilings.append);
        disk(
            &mut text,
            "fdatasync of 500 B, file has its size",
            &ceilings.overwrite,
        );
        rate(&mut text, "axum, JSON POST", &ceilings.bare);
        for one in &ceilings.durable {
            rate(&mut text, "axum, 500 B durable (grouped)", one);
        }
        for one in &ceilings.client {
            rate(&mut text, "reqwest, POST to loopback", one);
        }
        let _ = writeln!(
            text,
            "\n{:<42}{:>12}{:>12}{:>9}  {:<28}",
            "J1: missed call to text", "floor", "ringback", "ratio", "goal"
        );
        for row in self.rows() {
            let cell = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), show);
            let met = match row.goal.met(row.ours, row.ratio()) {
                Some(true) => " (met)",
                Some(false) => " (missed)",
                None => "",
            };
            let line = format!(
                "{:<42}{:>12}{:>12}{:>9}  {}{met}",
                row.name,
                cell(row.floor),
                cell(row.ours),
                cell(row.ratio()),
                row.goal.words(),
            );
            let _ = writeln!(text, "{}", line.trim_end());
        }
        for problem in &self.problems {
            let _ = writeln!(text, "\nNOT AS IT SHOULD BE: {problem}");
        }
        text
    }

    /// As JSON for programs: every figure, and the ratios and goals by name.
    pub(crate) fn json(&self) -> Value {
        let rows = self.rows();
        let rows = rows.iter().map(|row| {
            json!({
                "name": row.name, "floor": row.floor, "ringback": row.ours,
                "ratio": row.ratio(), "goal": row.goal.words(),
                "met": row.goal.met(row.ours, row.ratio()),
            })
        });
        let rows: Vec<Value> = rows.collect();
        json!({ "report": self, "ratios": rows })
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut add = |name: &str, figure: &dyn Fn(&Figures) -> Option<f64>, goal| {
            let ours = self.ringback.as_ref().and_then(figure);
            rows.push(Row {
                name: name.to_owned(),
                floor: figure(&self.floor),
                ours,
                goal,
            });
        };
        add(
            "runs per second at saturation",
            &|one| Some(one.per_second),
            Goal::AtLeast(0.15, 0.3),
        );
        add(
            "runs under way then",
            &|one| Some(one.window as f64),
            Goal::None,
        );
        add("CPU per run, µs", &|one| one.cpu_us, Goal::AtMost(5.0));
        add(
            "20/s, webhook due to text, p50 ms",
            &|one| Some(one.slow?.p50_ms),
            Goal::AtMost(1.5),
        );
        add(
            "20/s, webhook due to text, p99 ms",
            &|one| Some(one.slow?.p99_ms),
            Goal::AtMost(3.0),
        );
        add(
            "20/s, webhook sent to text, p50 ms",
            &|one| Some(one.slow_from_sent?.p50_ms),
            Goal::None,
        );
        add(
            "20/s, webhook sent to text, p99 ms",
            &|one| Some(one.slow_from_sent?.p99_ms),
            Goal::None,
        );
        add(
            "20/s, webhook sent to answer, p50 ms",
            &|one| Some(one.slow_answer?.p50_ms),
            Goal::None,
        );
        add(
            "half of saturation, runs per second",
            &|one| Some(one.half_rate),
            Goal::None,
        );
        add(
            "half of saturation, due to text, p50 ms",
            &|one| Some(one.half?.p50_ms),
            Goal::None,
        );
        add(
            "half of saturation, due to text, p99 ms",
            &|one| Some(one.half?.p99_ms),
            Goal::None,
        );
        add(
            "resident when idle, MB",
            &|one| one.idle_mb,
            Goal::Within(40.0),
        );
        add(
            "resident under load, MB",
            &|one| one.loaded_mb,
            Goal::Within(128.0),
        );
        add("callers texted", &|one| Some(one.texted as f64), Goal::None);
        add(
            "webhooks not taken",
            &|one| Some(one.refused as f64),
            Goal::None,
        );
        add("texts missing", &|one| Some(one.missing as f64), Goal::None);
        add(
            "callers texted twice",
            &|one| Some(one.twice as f64),
            Goal::None,
        );
        let mut start = |name: &str, figure: fn(&Start) -> f64, goal| {
            let ours = self.start.as_ref().map(figure);
            rows.push(Row {
                name: name.to_owned(),
                floor: None,
                ours,
                goal,
            });
        };
        start(
            "start to ready, nothing cached, s",
            |one| one.cold_s,
            Goal::None,
        );
        start("start to ready, s", |one| one.warm_s, Goal::None);
        start(
            "start to first webhook taken, s",
            |one| one.first_webhook_s,
            Goal::Within(0.15),
        );
        rows
    }
}

fn disk(text: &mut String, name: &str, cost: &Cost) {
    let (p50, p99) = (show(cost.latency.p50_ms), show(cost.latency.p99_ms));
    let _ = writeln!(
        text,
        "{name:<42}{:>12}/s  p50 {p50} ms, p99 {p99} ms",
        show(cost.per_second)
    );
}

fn rate(text: &mut String, name: &str, rate: &Rate) {
    let name = format!("{name}, {} at once", rate.connections);
    let cpu = rate.cpu_us.map_or_else(|| "-".to_owned(), show);
    let _ = writeln!(
        text,
        "{name:<42}{:>12}/s  {cpu} µs of CPU",
        show(rate.per_second)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_look_the_right_way() {
        let check = |goal: Goal, figure, ratio, expected| {
            assert_eq!(goal.met(figure, ratio), expected, "{}", goal.words());
        };
        check(Goal::AtLeast(0.15, 0.3), None, Some(0.2), Some(true));
        check(Goal::AtLeast(0.15, 0.3), None, Some(0.1), Some(false));
        check(Goal::AtMost(5.0), None, Some(5.1), Some(false));
        check(Goal::AtMost(5.0), None, Some(5.0), Some(true));
        check(Goal::AtMost(5.0), Some(1.0), None, None);
        check(Goal::Within(40.0), Some(41.0), Some(0.1), Some(false));
        check(Goal::Within(40.0), Some(39.0), None, Some(true));
        check(Goal::None, Some(1.0), Some(1.0), None);
    }
}
