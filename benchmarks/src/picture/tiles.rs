//! The lower part of the picture: what cannot be a ratio to the floor, because the
//! floor keeps nothing and forgets nothing.

use super::svg::{Anchor, Svg};
use super::{MARGIN, WIDTH};
use crate::figures::{Spread, ratio, show};
use crate::report::Report;
use crate::rows::number;

/// The height of a tile.
pub(super) const HEIGHT: f64 = 88.0;
const GAP: f64 = 12.0;
const COUNT: f64 = 4.0;

/// One of them: a figure, and what it is in two lines.
struct Tile {
    figure: String,
    words: [String; 2],
}

/// Draws them from this height on.
pub(super) fn draw(svg: &mut Svg, top: f64, report: &Report) {
    let width = (WIDTH - 2.0 * MARGIN - (COUNT - 1.0) * GAP) / COUNT;
    for (place, tile) in tiles(report).into_iter().enumerate() {
        let left = MARGIN + place as f64 * (width + GAP);
        svg.block("tile", (left, top), (width, HEIGHT));
        let mut line = |class, y: f64, words: &str| {
            svg.text(class, (left + 12.0, top + y), Anchor::Start, words);
        };
        line("big", 34.0, &tile.figure);
        for (number, words) in tile.words.iter().enumerate() {
            line("tiny", 56.0 + 17.0 * number as f64, words);
        }
    }
}

fn tiles(report: &Report) -> Vec<Tile> {
    let mut tiles = Vec::new();
    if let Some(j2) = &report.j2 {
        let waiting = number(j2.waiting);
        tiles.push(Tile {
            figure: format!("{} of disk", bytes(j2.disk_bytes)),
            words: [
                format!("for each of {waiting}"),
                format!("waiting runs, {} MB resident", count(j2.started_mb)),
            ],
        });
        tiles.push(Tile {
            figure: format!("{} s", show(j2.killed_ready_s)),
            words: [
                "from start to ready, after a kill,".to_owned(),
                format!("with {waiting} waiting"),
            ],
        });
        if let Some(late) = j2.late {
            tiles.push(Tile {
                figure: format!("{} ms late", show(late.p99_ms)),
                words: [
                    format!("p99 of {} runs", number(j2.due)),
                    "that came due meanwhile".to_owned(),
                ],
            });
        }
    }
    if let Some(flat) = &report.flat {
        let of = |full: Option<Spread>, empty: Option<Spread>| ratio(full?.median, empty?.median);
        let cpu = of(flat.full.cpu_us, flat.empty.cpu_us);
        let p50 = of(flat.full.slow_p50, flat.empty.slow_p50);
        tiles.push(Tile {
            figure: format!("{}× the CPU", two(cpu)),
            words: [
                format!("and {}× the p50 of none, with", two(p50)),
                format!("{} finished runs", number(flat.finished)),
            ],
        });
    }
    tiles
}

/// A factor near one.
fn two(factor: Option<f64>) -> String {
    factor.map_or_else(|| "-".to_owned(), |factor| format!("{factor:.2}"))
}

fn count(figure: Option<f64>) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| show(figure.round()))
}

/// Bytes, in units of 1024.
fn bytes(count: f64) -> String {
    if count < 1024.0 {
        format!("{} B", show(count.round()))
    } else {
        format!("{:.1} KB", count / 1024.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_bytes() {
        let check = |count, expected: &str| assert_eq!(bytes(count), expected);
        check(0.0, "0 B");
        check(1023.4, "1,023 B");
        check(1024.0, "1.0 KB");
        check(4096.0, "4.0 KB");
    }
}
