//! The machine this runs on: what it is, and whether it had time for us. Figures
//! of a busy machine are not wrong, but they wander, and the report says so.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::ceilings::disk;
use crate::process::{self, milliseconds};

/// From which share of the machine on others are worth a word.
const OTHERS: f64 = 0.05;
/// From which share on the hypervisor is.
const STOLEN: f64 = 0.02;

/// What this was measured on.
pub(crate) fn describe(folder: &Path) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown processor", |name| {
        name.trim_start_matches([' ', '\t', ':'])
    });
    let memory = if disk::in_memory(folder) {
        "; DATA IS KEPT IN MEMORY, so nothing here is durable: choose a disk with --dir"
    } else {
        ""
    };
    format!("{cores} cores, {model}{memory}")
}

/// The day on which this is measured.
#[expect(
    clippy::disallowed_methods,
    reason = "a report says when its figures were measured"
)]
pub(crate) fn day() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}

/// Processor time of the whole machine so far, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Times {
    all: f64,
    busy: f64,
    stolen: f64,
}

/// The first line of /proc/stat (proc_stat(5)): user, nice, system, idle, iowait,
/// irq, softirq, steal.
fn times(stat: &str) -> Option<Times> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line
        .split_whitespace()
        .map_while(|n| n.parse().ok())
        .collect();
    let [user, nice, system, idle, waiting, irq, soft, stolen, ..] = ticks.as_slice() else {
        return None;
    };
    let busy = user + nice + system + irq + soft;
    Some(Times {
        all: milliseconds(busy + idle + waiting + stolen),
        busy: milliseconds(busy),
        stolen: milliseconds(*stolen),
    })
}

/// A part of the run, being watched.
pub(crate) struct Watch {
    job: &'static str,
    before: Option<(Times, f64)>,
}

/// What others used of the machine during a part of the run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Noise {
    /// Which part.
    pub(crate) job: String,
    /// The share of all processor time that processes that are not ours used.
    pub(crate) others: f64,
    /// The share that the hypervisor gave to somebody else.
    pub(crate) stolen: f64,
}

fn now() -> Option<(Times, f64)> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    Some((times(&stat)?, process::family_cpu()?))
}

impl Watch {
    /// Begins.
    pub(crate) fn start(job: &'static str) -> Self {
        Self { job, before: now() }
    }

    /// Ends; nothing is known where there is no /proc.
    pub(crate) fn stop(self) -> Option<Noise> {
        let ((before, ours_before), (after, ours_after)) = (self.before?, now()?);
        let all = after.all - before.all;
        // Time in interrupts is nobody's, so a little is always left over.
        let others = (after.busy - before.busy) - (ours_after - ours_before);
        (all > 0.0).then(|| Noise {
            job: self.job.to_owned(),
            others: (others / all).max(0.0),
            stolen: (after.stolen - before.stolen) / all,
        })
    }
}

impl Noise {
    /// A word of warning, where one is due.
    pub(crate) fn warning(&self) -> Option<String> {
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        let others = (self.others >= OTHERS)
            .then(|| format!("other programs used {}", percent(self.others)));
        let stolen = (self.stolen >= STOLEN)
            .then(|| format!("the hypervisor gave {} to others", percent(self.stolen)));
        let words: Vec<String> = others.into_iter().chain(stolen).collect();
        (!words.is_empty()).then(|| {
            let words = words.join(" and ");
            format!("during {}, {words} of the machine", self.job)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_machines_times() {
        let ticks = rustix::param::clock_ticks_per_second() as f64 / 1000.0;
        let stat = "cpu  10 20 30 400 50 6 7 8 9 9\ncpu0 1 2 3\n";
        let found = times(stat).map(|one| [one.all, one.busy, one.stolen].map(|ms| ms * ticks));
        assert_eq!(found, Some([531.0, 73.0, 8.0]));
        assert_eq!(times("cpu  1 2 3\n"), None);
        assert_eq!(times(""), None);
    }

    #[test]
    fn warns_of_what_matters() {
        let check = |others, stolen, expected: Option<&str>| {
            let job = "J1".to_owned();
            let noise = Noise {
                job,
                others,
                stolen,
            };
            assert_eq!(noise.warning().as_deref(), expected);
        };
        check(0.01, 0.01, None);
        check(
            0.25,
            0.0,
            Some("during J1, other programs used 25 % of the machine"),
        );
        check(
            0.06,
            0.031,
            Some(
                "during J1, other programs used 6 % and the hypervisor gave 3 % to others of the machine",
            ),
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn own_work_is_not_noise() {
        let watch = Watch::start("a test");
        let noise = watch.stop();
        // Too short for a tick to pass, as a rule; then there is nothing to say.
        assert!(noise.is_none_or(|noise| noise.others <= 1.0 && noise.stolen <= 1.0));
    }
}
