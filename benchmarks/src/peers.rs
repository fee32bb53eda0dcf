//! What other engines did on the same job: measured earlier on a machine of two
//! cores with a virtual disk, beside the floor of that machine. They are not
//! measured again here, so only their ratios to that floor are shown. The table
//! with all figures stands in `benchmarks/README.md`.

/// The floor of that machine: runs a second, from its lowest to its highest.
const FLOOR_PER_SECOND: (f64, f64) = (17_000.0, 31_000.0);
/// Milliseconds of processor time for each run of it.
const FLOOR_CPU_MS: f64 = 0.05;
/// Milliseconds from webhook to text at 20 a second, the median.
const FLOOR_P50_MS: f64 = 2.5;

/// Another engine.
pub(crate) struct Peer {
    /// Its name.
    pub(crate) name: &'static str,
    /// What one has to know about it, in a word or two.
    pub(crate) note: &'static str,
    per_second: f64,
    cpu_ms: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// What a kill in the middle of 500 runs of J1 did.
    pub(crate) killed: &'static str,
}

/// As they stand in that table; of a range, the middle.
pub(crate) const PEERS: [Peer; 8] = [
    Peer {
        name: "Node-RED",
        note: "keeps nothing",
        per_second: 3_940.0,
        cpu_ms: 0.31,
        p50_ms: 2.4,
        p99_ms: 7.2,
        killed: "63 of 234 lost",
    },
    Peer {
        name: "Restate",
        note: "",
        per_second: 1_240.0,
        cpu_ms: 1.4,
        p50_ms: 4.0,
        p99_ms: 8.5,
        killed: "19 to 500 sent twice",
    },
    Peer {
        name: "graphile-worker",
        note: "PostgreSQL",
        per_second: 990.0,
        cpu_ms: 1.6,
        p50_ms: 4.6,
        p99_ms: 12.7,
        killed: "4 to 11 stuck",
    },
    Peer {
        name: "Obelisk",
        note: "young database",
        per_second: 725.0,
        cpu_ms: 2.3,
        p50_ms: 6.7,
        p99_ms: 9.9,
        killed: "0 to 333 sent twice",
    },
    Peer {
        name: "Absurd",
        note: "PostgreSQL",
        per_second: 723.0,
        cpu_ms: 2.3,
        p50_ms: 57.0,
        p99_ms: 112.0,
        killed: "3 to 21 sent twice",
    },
    Peer {
        name: "pg-boss",
        note: "PostgreSQL",
        per_second: 404.0,
        cpu_ms: 0.8,
        p50_ms: 162.0,
        p99_ms: 395.0,
        killed: "44 unsent after 45 s",
    },
    Peer {
        name: "DBOS",
        note: "SQLite",
        per_second: 138.0,
        cpu_ms: 7.0,
        p50_ms: 6.5,
        p99_ms: 9.2,
        killed: "31 to 214 sent twice",
    },
    Peer {
        name: "n8n",
        note: "SQLite, defaults",
        per_second: 31.0,
        cpu_ms: 53.0,
        p50_ms: 18.0,
        p99_ms: 163.0,
        killed: "500 never completed",
    },
];

impl Peer {
    /// Runs a second, as a part of the floor's (the geometric middle of its range).
    pub(crate) fn rate(&self) -> f64 {
        let (low, high) = FLOOR_PER_SECOND;
        self.per_second / (low * high).sqrt()
    }

    /// Processor time for each run, as a multiple of the floor's.
    pub(crate) fn cpu(&self) -> f64 {
        self.cpu_ms / FLOOR_CPU_MS
    }

    /// Half of the texts came sooner, and all but one in a hundred; as multiples
    /// of the floor's median.
    pub(crate) fn latency(&self) -> (f64, f64) {
        (self.p50_ms / FLOOR_P50_MS, self.p99_ms / FLOOR_P50_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_to_the_floor_of_their_run() {
        let restate = PEERS.iter().find(|one| one.name == "Restate").unwrap();
        assert!((restate.rate() - 0.054).abs() < 0.001, "{}", restate.rate());
        assert!((restate.cpu() - 28.0).abs() < 0.1);
        assert_eq!(restate.latency(), (1.6, 3.4));
    }
}
