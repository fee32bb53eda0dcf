//! What the program counts about itself: its `/metrics`, before and after a load,
//! as so much for each run. Whatever counter it has is taken; none is needed.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::ensure;

use crate::line::{Line, get};

/// Gauges that only grow, and are worth a look.
const GROWING: [&str; 1] = ["ringback_store_revision"];

/// Counters by name and labels.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts(BTreeMap<String, f64>);

impl Counts {
    /// Asks the program.
    pub(crate) async fn ask(address: SocketAddr) -> anyhow::Result<Self> {
        let mut line = Line::open(address).await?;
        let (status, body) = line.fetch(get(address, "/metrics", None)?).await?;
        ensure!(status == 200, "/metrics answered {status}");
        Ok(Self::read(&String::from_utf8_lossy(&body)))
    }

    /// Prometheus's text format, as far as counters need it.
    fn read(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let counts = samples.filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            let family = name.split('{').next()?;
            let grows = family.ends_with("_total") || GROWING.contains(&family);
            let value: f64 = value.parse().ok().filter(|_| grows)?;
            Some((name.to_owned(), value))
        });
        Self(counts.collect())
    }

    /// What was counted since, for each of so many runs; without what did not move.
    pub(crate) fn per_run(&self, before: &Self, runs: f64) -> BTreeMap<String, f64> {
        let all = self.0.iter().filter_map(|(name, now)| {
            let then = before.0.get(name).copied().unwrap_or_default();
            let name = name.strip_prefix("ringback_").unwrap_or(name);
            (*now > then && runs > 0.0).then(|| (name.to_owned(), (now - then) / runs))
        });
        all.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_a_run_costs() {
        let before =
            "# TYPE a_total counter\nringback_a_total{kind=\"x y\"} 5\nringback_b_total 1\n";
        let after = "ringback_a_total{kind=\"x y\"} 25\nringback_b_total 1\nringback_c 99\n\
                     ringback_store_revision 30\n";
        let found = Counts::read(after).per_run(&Counts::read(before), 10.0);
        let found: Vec<_> = found
            .iter()
            .map(|(name, value)| (name.as_str(), *value))
            .collect();
        assert_eq!(
            found,
            [("a_total{kind=\"x y\"}", 2.0), ("store_revision", 3.0)]
        );
        assert!(
            Counts::read(after)
                .per_run(&Counts::default(), 0.0)
                .is_empty()
        );
    }
}
