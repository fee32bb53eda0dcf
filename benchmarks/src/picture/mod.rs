//! The figures of a run as a picture for the README. Everything that is compared
//! is a ratio to the floor of its own run. It measures nothing.

mod svg;
mod tiles;

use anyhow::Context as _;

use crate::figures::{Spread, ratio, show};
use crate::peers::PEERS;
use crate::report::Report;
use svg::{Anchor, Svg};

/// The width of a README's column on GitHub, nearly.
const WIDTH: f64 = 880.0;
const MARGIN: f64 = 20.0;
/// Where the first row stands, and how far the rows are apart.
const FIRST: f64 = 128.0;
const STEP: f64 = 27.0;
/// Where what the kills did is written.
const KILLED: f64 = 704.0;

/// Light and dark; the ground is painted, so that the words can be read on any page.
const STYLE: &str = "\
text { font: 13px -apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif; fill: #1f2328 }
.ground { fill: #ffffff; stroke: #d1d9e0 }
.tile { fill: #f6f8fa; stroke: #d1d9e0 }
.title { font-size: 17px; font-weight: 600 }
.head { font-weight: 600 }
.strong { font-weight: 600; fill: #0550ae }
.big { font-size: 20px; font-weight: 600; fill: #0550ae }
.small, .tick, .tiny { font-size: 11px; fill: #59636e }
.note { font-size: 12px; fill: #59636e }
.grid { stroke: #d1d9e0; stroke-width: 1 }
.one { stroke: #59636e; stroke-width: 1.5 }
.ours { fill: #0969da; stroke: #0969da }
.peer { fill: #818b98; stroke: #818b98 }
.hollow.ours, .hollow.peer { fill: #ffffff }
.bar { stroke-width: 2 }
circle { stroke-width: 2 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.ground { fill: #0d1117; stroke: #3d444d }
.tile { fill: #151b23; stroke: #3d444d }
.strong, .big { fill: #79c0ff }
.small, .tick, .tiny, .note { fill: #9198a1 }
.grid { stroke: #2a313c }
.one { stroke: #9198a1 }
.ours { fill: #4493f8; stroke: #4493f8 }
.peer { fill: #9198a1; stroke: #9198a1 }
.hollow.ours, .hollow.peer { fill: #0d1117 }
}
";

/// One scale beside the names: a factor of the floor's, every step ten times more.
struct Scale {
    /// What it shows.
    title: &'static str,
    /// Which side is good.
    hint: &'static str,
    left: f64,
    right: f64,
    /// Powers of ten at its ends.
    from: i32,
    to: i32,
}

const RATE: Scale = Scale {
    title: "Runs per second",
    hint: "more is better",
    left: 200.0,
    right: 304.0,
    from: -3,
    to: 0,
};
const CPU: Scale = Scale {
    title: "CPU per run",
    hint: "less is better",
    left: 352.0,
    right: 456.0,
    from: 0,
    to: 3,
};
const LATENCY: Scale = Scale {
    title: "Webhook to text at 20/s",
    hint: "p50 to p99, × the floor's p50",
    left: 518.0,
    right: 622.0,
    from: 0,
    to: 3,
};

impl Scale {
    fn place(&self, factor: f64) -> f64 {
        let (from, to) = (f64::from(self.from), f64::from(self.to));
        let share = (factor.max(f64::MIN_POSITIVE).log10() - from) / (to - from);
        self.left + share.clamp(0.0, 1.0) * (self.right - self.left)
    }

    fn draw(&self, svg: &mut Svg, bottom: f64) {
        let top = FIRST - 18.0;
        svg.text("head", (self.left, top - 34.0), Anchor::Start, self.title);
        svg.text("small", (self.left, top - 19.0), Anchor::Start, self.hint);
        for power in self.from..=self.to {
            let factor = 10_f64.powi(power);
            let class = if power == 0 { "one" } else { "grid" };
            let x = self.place(factor);
            svg.line(class, (x, top), (x, bottom));
            let words = match power {
                0 => "floor".to_owned(),
                1.. => format!("{factor:.0}×"),
                _ => share(factor),
            };
            svg.text("tick", (x, top - 4.0), Anchor::Middle, &words);
        }
    }
}

/// A part of a whole.
fn share(part: f64) -> String {
    let percent = part * 100.0;
    match percent {
        10.0.. => format!("{percent:.0} %"),
        1.0.. => format!("{percent:.0} %"),
        _ => format!("{percent:.1} %"),
    }
}

/// A multiple.
fn times(factor: f64) -> String {
    match factor {
        10.0.. => format!("{}×", show(factor.round())),
        _ => format!("{factor:.1}×"),
    }
}

/// What is drawn of one engine.
struct Entry {
    name: String,
    note: String,
    class: &'static str,
    rate: Option<f64>,
    cpu: Option<f64>,
    latency: Option<(f64, f64)>,
    killed: String,
}

/// Draws a run.
///
/// # Errors
/// When the run did not measure J1 of ringback and the floor.
pub(crate) fn draw(report: &Report) -> anyhow::Result<String> {
    let ours = ours(report).context("the picture needs J1, which this run did not measure")?;
    let peers = PEERS.iter().map(|peer| Entry {
        name: peer.name.to_owned(),
        note: peer.note.to_owned(),
        class: "peer",
        rate: Some(peer.rate()),
        cpu: Some(peer.cpu()),
        latency: Some(peer.latency()),
        killed: peer.killed.to_owned(),
    });
    let entries: Vec<Entry> = std::iter::once(ours).chain(peers).collect();
    let mut svg = Svg::default();
    let bottom = FIRST + STEP * (entries.len() as f64 - 1.0) + 14.0;
    let tiles = bottom + 74.0;
    let height = tiles + tiles::HEIGHT + MARGIN;
    svg.block("ground", (0.5, 0.5), (WIDTH - 1.0, height - 1.0));
    let title = "A missed call becomes a text, durably: J1 beside the floor of the machine";
    svg.text("title", (MARGIN, 34.0), Anchor::Start, title);
    for scale in [&RATE, &CPU, &LATENCY] {
        scale.draw(&mut svg, bottom);
    }
    let top = FIRST - 52.0;
    svg.text("head", (KILLED, top), Anchor::Start, "Killed amid 500 runs");
    let small = (KILLED, top + 15.0);
    svg.text("small", small, Anchor::Start, "and started again");
    for (place, entry) in entries.iter().enumerate() {
        row(&mut svg, FIRST + STEP * place as f64, entry);
    }
    let notes = notes(report);
    for (line, words) in notes.iter().enumerate() {
        let y = bottom + 22.0 + 16.0 * line as f64;
        svg.text("note", (MARGIN, y), Anchor::Start, words);
    }
    tiles::draw(&mut svg, tiles, report);
    let about = "Runs per second, processor time per run and waiting time of ringback and of \
                 other engines, as ratios to the floor of the machine they were measured on.";
    let size = (WIDTH, height);
    Ok(svg.document(size, "How fast ringback is", about, STYLE))
}

/// What the picture is of, in three lines.
fn notes(report: &Report) -> [String; 3] {
    let others = report.noise.iter().map(|noise| noise.others);
    let others = others.fold(0.0, f64::max);
    let busy = match others {
        0.05.. => format!(" Other programs took up to {} of it.", share(others)),
        _ => String::new(),
    };
    [
        "Floor: webhook in, a durable record, one request out, a durable outcome, and nothing else. \
         Every step of a scale is ten times more."
            .to_owned(),
        format!(
            "ringback and its floor: one run, in turns, {}, {}.{busy}",
            report.day, report.machine
        ),
        "Grey: published figures of the same job on a like machine, measured earlier and against \
         its floor; not part of this run."
            .to_owned(),
    ]
}

fn ours(report: &Report) -> Option<Entry> {
    let (floor, ours) = (report.floor.as_ref()?, report.ringback.as_ref()?);
    let of = |ours: Option<Spread>, floor: Option<Spread>| ratio(ours?.median, floor?.median);
    let p50 = of(ours.slow_p50, floor.slow_p50);
    let p99 = of(ours.slow_p99, floor.slow_p50);
    let killed = report.j3.as_ref().map(|j3| {
        let (lost, twice) = (j3.sum(|one| one.lost + one.stuck), j3.sum(|one| one.twice));
        format!("{lost} lost, {twice} sent twice")
    });
    Some(Entry {
        name: "ringback".to_owned(),
        note: String::new(),
        class: "ours",
        rate: of(ours.per_second, floor.per_second),
        cpu: of(ours.cpu_us, floor.cpu_us),
        latency: p50.zip(p99),
        killed: killed.unwrap_or_default(),
    })
}

fn row(svg: &mut Svg, y: f64, entry: &Entry) {
    /// Room for a figure beside its dot.
    const LABEL: f64 = 34.0;
    let base = y + 4.5;
    let strong = if entry.class == "ours" { "strong" } else { "" };
    svg.pair(strong, (MARGIN, base), &entry.name, &entry.note);
    let mut figure = |scale: &Scale, x: f64, words: &str| {
        let class = if strong.is_empty() { "small" } else { strong };
        if x + LABEL > scale.right + 40.0 {
            svg.text(class, (x - 9.0, base), Anchor::End, words);
        } else {
            svg.text(class, (x + 9.0, base), Anchor::Start, words);
        }
    };
    if let Some(rate) = entry.rate {
        figure(&RATE, RATE.place(rate), &share(rate));
    }
    if let Some(cpu) = entry.cpu {
        figure(&CPU, CPU.place(cpu), &times(cpu));
    }
    if let Some((p50, p99)) = entry.latency {
        let words = format!("{} to {}", times(p50).trim_end_matches('×'), times(p99));
        figure(&LATENCY, LATENCY.place(p99), &words);
        let (from, to) = (LATENCY.place(p50), LATENCY.place(p99));
        svg.line(&format!("bar {}", entry.class), (from, y), (to, y));
        svg.dot(entry.class, (from, y), 4.5);
        svg.dot(&format!("hollow {}", entry.class), (to, y), 4.0);
    }
    let dots = [(&RATE, entry.rate), (&CPU, entry.cpu)];
    for (scale, factor) in dots {
        if let Some(factor) = factor {
            let x = scale.place(factor);
            svg.line(&format!("bar {}", entry.class), (scale.left, y), (x, y));
            svg.dot(entry.class, (x, y), 4.5);
        }
    }
    svg.text(strong, (KILLED, base), Anchor::Start, &entry.killed);
}

#[cfg(test)]
pub(crate) mod tests;
