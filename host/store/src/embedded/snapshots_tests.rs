//! Which files of the folder count, which go, and when a new one is due.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ringback_core::model::{Key, Versioned};

use super::{Writer, mark, newest, newest_whole, size, tidy};
use crate::embedded::disk::Disk;
use crate::embedded::memtable::Written;
use crate::embedded::tally::Tally;
use crate::embedded::tests::names;

/// A full snapshot of one pair, and increments of one write each.
fn lay(dir: &Path, full: &[u64], increments: &[(u64, u64)]) {
    let disk = Disk::default();
    for start in full {
        let mut writer = Writer::full(dir, *start, &disk).unwrap();
        let (revision, value) = (*start, Arc::from(*b"1"));
        let pair = Versioned { revision, value };
        writer.pair(&Key::new(*b"a"), &pair).unwrap();
        writer.finish(start + 1, &disk, None).unwrap();
    }
    for (start, end) in increments {
        let mut writer = Writer::increment(dir, (*start, *end), &disk).unwrap();
        let (revision, place, value) = (*end, 0, Some(Arc::from(*b"2")));
        let write = Written {
            revision,
            place,
            value,
        };
        writer.write(&Key::new(*b"a"), &write).unwrap();
        writer.finish_increment(*end, &disk).unwrap();
    }
}

/// What is covered by the files of these names, and how many they are.
#[track_caller]
fn check(full: &[u64], increments: &[(u64, u64)], expected: Option<(u64, usize)>) {
    let dir = tempfile::tempdir().unwrap();
    lay(dir.path(), full, increments);
    let named = newest(dir.path()).unwrap();
    let found = named
        .as_ref()
        .map(|one| (one.covered(), one.files().count()));
    assert_eq!(found, expected);
    let whole = newest_whole(dir.path()).unwrap();
    assert_eq!(whole.as_ref().map(|one| &one.chain), named.as_ref());
    let end = whole.map(|one| one.end);
    assert_eq!(
        end,
        expected.map(|(covered, _)| covered.max(*full.last().unwrap() + 1))
    );
}

#[test]
fn increments_go_on_where_the_one_before_ends() {
    check(&[], &[], None);
    check(&[], &[(0, 5)], None);
    check(&[5], &[], Some((5, 1)));
    check(&[5], &[(5, 9), (9, 12)], Some((12, 3)));
    check(&[5], &[(5, 9), (10, 12)], Some((9, 2)));
    check(&[5], &[(6, 9)], Some((5, 1)));
    // Of an earlier one, which a stop left.
    check(&[5, 12], &[(5, 9), (9, 12), (12, 13)], Some((13, 2)));
    check(&[0, 12], &[(0, 9)], Some((12, 1)));
}

#[test]
fn what_is_damaged_or_misnamed_ends_it() {
    let check = |file: &str, damage: &dyn Fn(&Path), covered: u64| {
        let dir = tempfile::tempdir().unwrap();
        lay(dir.path(), &[5], &[(5, 9), (9, 12)]);
        damage(&dir.path().join(file));
        let whole = newest_whole(dir.path()).unwrap().unwrap();
        assert_eq!(
            (whole.chain.covered(), whole.end),
            (covered, covered.max(6))
        );
        let problem = whole.problem.unwrap().to_string();
        assert!(
            problem.contains(file) || problem.contains("9-"),
            "{problem}"
        );
    };
    let flip = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    let first = format!("{:020}-{:020}.increment", 5, 9);
    let second = format!("{:020}-{:020}.increment", 9, 12);
    check(&first, &flip, 5);
    check(&second, &flip, 9);
    let renamed = |path: &Path| {
        let other = format!("{:020}-{:020}.increment", 9, 20);
        fs::rename(path, path.with_file_name(other)).unwrap();
    };
    check(&second, &renamed, 9);
}

#[test]
fn a_full_one_of_another_name_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    lay(dir.path(), &[5], &[]);
    let path = dir.path().join(format!("{:020}.snapshot", 5));
    fs::rename(&path, dir.path().join(format!("{:020}.snapshot", 9))).unwrap();
    let error = newest_whole(dir.path()).unwrap_err().to_string();
    assert!(
        error.contains("its name is not that of its first commit"),
        "{error}"
    );
}

#[test]
fn what_a_newer_one_replaces_goes() {
    let dir = tempfile::tempdir().unwrap();
    lay(dir.path(), &[5, 12], &[(5, 9), (9, 12), (12, 15)]);
    fs::write(dir.path().join("note"), "of a person").unwrap();
    tidy(dir.path(), &Disk::default()).unwrap();
    let expected = [
        format!("{:020}-{:020}.increment", 12, 15),
        format!("{:020}.snapshot", 12),
        "note".into(),
    ];
    assert_eq!(names(dir.path()), expected);
}

#[test]
fn an_increment_that_reads_back_as_another_one_gets_no_name() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    let check = |wrong: &dyn Fn(&mut Writer)| {
        let mut writer = Writer::increment(dir.path(), (5, 9), &disk).unwrap();
        let value = Some(Arc::from(*b"1"));
        let (revision, place) = (7, 0);
        let write = Written {
            revision,
            place,
            value,
        };
        writer.write(&Key::new(*b"a"), &write).unwrap();
        wrong(&mut writer);
        let finished = writer.finish_increment(9, &disk);
        let found = names(dir.path());
        for name in &found {
            fs::remove_file(dir.path().join(name)).unwrap();
        }
        (finished.is_ok(), found)
    };
    let name = format!("{:020}-{:020}.increment", 5, 9);
    assert_eq!(check(&|_| ()), (true, vec![name.clone()]));
    let unnamed = (false, vec![format!("{name}.new")]);
    // A pair that is not in it, and a value where it should say that there is none.
    assert_eq!(check(&|writer| writer.wrote.add(b"b", 8)), unnamed);
    let deletes = |writer: &mut Writer| {
        writer.wrote = Tally::default();
        writer.wrote.add(b"a", mark(7, false));
    };
    assert_eq!(check(&deletes), unnamed);
}

#[test]
fn says_how_large_one_is_without_reading_it() {
    let dir = tempfile::tempdir().unwrap();
    lay(dir.path(), &[5], &[]);
    let path = dir.path().join(format!("{:020}.snapshot", 5));
    let bytes = fs::metadata(&path).unwrap().len();
    assert_eq!(size(&path).unwrap(), (1, bytes));
    fs::write(&path, b"short").unwrap();
    size(&path).unwrap_err();
}

#[test]
fn a_new_one_is_due_when_it_would_be_half_as_large() {
    let dir = tempfile::tempdir().unwrap();
    lay(dir.path(), &[5], &[]);
    let is_overgrown = |pairs| {
        let chain = newest(dir.path()).unwrap().unwrap();
        chain.is_overgrown(pairs, 200).unwrap()
    };
    assert!(!is_overgrown(1));
    assert!(is_overgrown(0), "nothing of it is of use");
    lay(dir.path(), &[], &[(5, 9), (9, 12)]);
    assert!(is_overgrown(1));
    assert!(!is_overgrown(2));
    lay(dir.path(), &[], &[(12, 13)]);
    assert!(!is_overgrown(2), "it is twice as large");
    lay(dir.path(), &[], &[(13, 14)]);
    assert!(is_overgrown(2));
    assert!(!is_overgrown(3));
}
