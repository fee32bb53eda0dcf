//! What a person at the terminal sees of panics: nothing of those that are
//! expected, all of the others. In a process of its own, since the hook is one
//! for all.

use std::process::Command;

use super::quietly;

/// The child. Run by the test below only.
#[test]
#[ignore = "the child process of the test beside it"]
fn child() {
    assert!(quietly(|| panic!("expected here")).is_err());
    assert_eq!(quietly(|| 7).ok(), Some(7));
    let other = std::thread::spawn(|| panic!("shown as ever"));
    assert!(other.join().is_err());
}

#[test]
fn shows_only_what_is_not_expected() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "embedded::quiet::tests::child",
            "--ignored",
            "--nocapture",
        ])
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    assert!(words.contains("shown as ever"), "{words}");
    assert!(!words.contains("expected here"), "{words}");
}
