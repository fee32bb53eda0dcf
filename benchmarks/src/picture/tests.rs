//! The picture of a made-up run.

use super::*;
use crate::figures::Latency;
use crate::flat::{self, Flat};
use crate::{j1, j2, j3};

/// A run with round figures.
pub(crate) fn report() -> Report {
    let one = |figure| Some(Spread::one(figure));
    let job = |rate, cpu, p50, p99| j1::Figures {
        per_second: one(rate),
        cpu_us: one(cpu),
        slow_p50: one(p50),
        slow_p99: one(p99),
        ..j1::Figures::default()
    };
    let history = |cpu| flat::Figures {
        cpu_us: one(cpu),
        slow_p50: one(2.0),
        ..flat::Figures::default()
    };
    Report {
        machine: "2 cores, A & B".to_owned(),
        day: "2026-03-01".to_owned(),
        ceilings: None,
        floor: Some(job(20_000.0, 50.0, 2.0, 4.0)),
        ringback: Some(job(5_000.0, 200.0, 3.0, 10.0)),
        start: None,
        flat: Some(Flat {
            finished: 1_000_000,
            fill_rate: 0.0,
            disk_bytes: 0.0,
            ready_s: 0.0,
            empty: history(100.0),
            full: history(104.0),
            problems: Vec::new(),
        }),
        j2: Some(j2::Figures {
            waiting: 1_000_000,
            started_mb: Some(99.6),
            disk_bytes: 2048.0,
            killed_ready_s: 3.21,
            due: 10_000,
            late: Latency::of(vec![12_000]),
            ..j2::Figures::default()
        }),
        j3: Some(j3::Figures {
            runs: 500,
            rounds: vec![j3::Round::default()],
        }),
        j6: None,
        noise: Vec::new(),
        problems: Vec::new(),
    }
}

#[test]
fn draws_a_run() {
    insta::assert_snapshot!(draw(&report()).unwrap());
}

#[test]
fn without_j1_there_is_no_picture() {
    let without = Report {
        ringback: None,
        ..report()
    };
    let problem = draw(&without).unwrap_err().to_string();
    assert_eq!(
        problem,
        "the picture needs J1, which this run did not measure"
    );
}

#[test]
fn a_report_survives_its_file() {
    let text = report().json().to_string();
    let again = Report::read(&text).unwrap();
    assert_eq!(draw(&again).unwrap(), draw(&report()).unwrap());
}

#[test]
fn scales_are_logarithmic_and_end() {
    let check = |factor, expected: f64| {
        let found = CPU.place(factor);
        assert!((found - expected).abs() < 0.01, "{factor} is at {found}");
    };
    check(1.0, CPU.left);
    check(1000.0, CPU.right);
    check(10.0, CPU.left + (CPU.right - CPU.left) / 3.0);
    check(0.0, CPU.left);
    check(1e9, CPU.right);
}
