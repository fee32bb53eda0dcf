//! Everything that one run found, as a table for people and as JSON for programs
//! and for the picture.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ceilings::disk::Cost;
use crate::ceilings::{Ceilings, Rate};
use crate::figures::{Spread, show};
use crate::flat::Flat;
use crate::goal::{Row, Section};
use crate::machine::Noise;
use crate::{j1, j2, j3, j6, rows};

/// How long the program took to start, in seconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Start {
    /// Until `/readyz` said so, with no compiled plugins in its cache.
    pub(crate) cold_s: f64,
    /// The same at the second start.
    pub(crate) warm_s: f64,
    /// Until the first webhook was taken, at the second start.
    pub(crate) first_webhook_s: f64,
}

/// Everything that one run found. What is `None` was not asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    /// What it was measured on.
    pub(crate) machine: String,
    /// The day, as year, month and day.
    pub(crate) day: String,
    /// What the machine can do.
    pub(crate) ceilings: Option<Ceilings>,
    /// J1 of the program that does nothing but what it must.
    pub(crate) floor: Option<j1::Figures>,
    /// J1 of ringback.
    pub(crate) ringback: Option<j1::Figures>,
    /// Its start.
    pub(crate) start: Option<Start>,
    /// J1 with a history.
    pub(crate) flat: Option<Flat>,
    /// Runs that wait.
    pub(crate) j2: Option<j2::Figures>,
    /// Kills.
    pub(crate) j3: Option<j3::Figures>,
    /// Texts over the API.
    pub(crate) j6: Option<j6::Figures>,
    /// What others used of the machine.
    pub(crate) noise: Vec<Noise>,
    /// What did not work.
    pub(crate) problems: Vec<String>,
}

impl Report {
    /// As text for people.
    pub(crate) fn table(&self) -> String {
        let mut text = format!("{}, {}\n", self.machine, self.day);
        if let Some(ceilings) = &self.ceilings {
            text += "\nCeilings\n";
            let name = "fdatasync of 500 B, appended";
            disk(&mut text, name, &ceilings.append);
            let name = "fdatasync of 500 B, file has its size";
            disk(&mut text, name, &ceilings.overwrite);
            rate(&mut text, "axum, JSON POST", &ceilings.bare);
            for one in &ceilings.durable {
                rate(&mut text, "axum, 500 B durable (grouped)", one);
            }
            for one in &ceilings.client {
                rate(&mut text, "reqwest, POST to loopback", one);
            }
        }
        for section in rows::sections(self) {
            table(&mut text, &section);
        }
        for warning in self.noise.iter().filter_map(Noise::warning) {
            let _ = writeln!(text, "\nThe figures may wander: {warning}.");
        }
        for problem in &self.problems {
            let _ = writeln!(text, "\nNOT AS IT SHOULD BE: {problem}");
        }
        text
    }

    /// As JSON for programs: every figure, and the lines of the table.
    pub(crate) fn json(&self) -> Value {
        let sections = rows::sections(self);
        let rows = sections.iter().flat_map(|section| {
            section.rows.iter().map(|row| {
                json!({
                    "job": section.title, "name": row.name, "against": section.base,
                    "base": row.base, "ringback": row.ours, "ratio": row.ratio(),
                    "goal": row.goal.words(), "met": row.met(),
                })
            })
        });
        let rows: Vec<Value> = rows.collect();
        json!({ "report": self, "rows": rows })
    }

    /// The report of a JSON file that [`json`](Self::json) made.
    pub(crate) fn read(text: &str) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct File {
            report: Report,
        }
        serde_json::from_str::<File>(text).map(|file| file.report)
    }
}

/// Half of the way from the lowest to the highest, in percent of the median.
fn width(spread: Option<Spread>) -> String {
    let width = spread.and_then(|one| one.width());
    let width = width.filter(|width| *width > 0.0);
    width.map_or_else(String::new, |width| format!("±{:.0}%", width * 50.0))
}

fn table(text: &mut String, section: &Section) {
    let line = |name: &str, cells: [&str; 5], goal: &str| {
        let [base, base_width, ours, ours_width, ratio] = cells;
        let line = format!(
            "{name:<43}{base:>10}{base_width:>6}{ours:>11}{ours_width:>6}{ratio:>8}  {goal}"
        );
        line.trim_end().to_owned() + "\n"
    };
    let last = if section.base.is_empty() { "" } else { "ratio" };
    let head = [section.base, "", "ringback", "", last];
    *text += "\n";
    *text += &line(&section.title, head, "goal");
    let compared = !section.base.is_empty();
    for row in &section.rows {
        let cell = |value: Option<f64>| match value {
            Some(value) => show(value),
            None if compared => "-".to_owned(),
            None => String::new(),
        };
        let median = |one: Option<Spread>| cell(one.map(|one| one.median));
        let cells = [
            median(row.base),
            width(row.base),
            median(row.ours),
            width(row.ours),
            cell(row.ratio()),
        ];
        let cells = cells.each_ref().map(String::as_str);
        *text += &line(&row.name, cells, &goal(row));
    }
}

fn goal(row: &Row) -> String {
    let met = match row.met() {
        Some(true) => ": met",
        Some(false) => ": missed",
        None => "",
    };
    row.goal.words() + met
}

fn disk(text: &mut String, name: &str, cost: &Cost) {
    let (p50, p99) = (show(cost.latency.p50_ms), show(cost.latency.p99_ms));
    let _ = writeln!(
        text,
        "{name:<43}{:>10}/s  p50 {p50} ms, p99 {p99} ms",
        show(cost.per_second)
    );
}

fn rate(text: &mut String, name: &str, rate: &Rate) {
    let name = format!("{name}, {} at once", rate.connections);
    let cpu = rate.cpu_us.map_or_else(|| "-".to_owned(), show);
    let _ = writeln!(
        text,
        "{name:<43}{:>10}/s  {cpu} µs of CPU",
        show(rate.per_second)
    );
}

#[cfg(test)]
mod tests {
    use crate::machine::Noise;
    use crate::picture::tests::report;

    #[test]
    fn prints_a_table() {
        let mut report = report();
        report.noise.push(Noise {
            job: "J1".to_owned(),
            others: 0.25,
            stolen: 0.0,
        });
        report
            .problems
            .push("J3: 1 callers never got their text".to_owned());
        insta::assert_snapshot!(report.table());
    }
}
