//! A small ext4 file system in a file, that can be filled, broken and cut from its
//! power. Needs root and loop devices; nothing of it stays behind, not even after
//! a panic or a kill of the tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::support::skip;

/// The beginning of the folders' names; then comes the id of the process.
const PREFIX: &str = "ringback-volume-";

/// `_IOR('X', 125, __u32)`, and "do not write the log": what was not synced is gone
/// as when the power goes (fs/ext4/ext4.h in Linux).
const SHUTDOWN: &str = r#"open(my $f, "<", $ARGV[0]) or die "open: $!"; my $how = pack("L", 2); ioctl($f, 0x8004587D, $how) or die "ioctl: $!";"#;

/// A mounted file system.
pub(crate) struct Volume {
    folder: PathBuf,
    is_mounted: bool,
}

impl Volume {
    /// Makes and mounts one of so many MiB; `None` where that is not possible, and
    /// then it was said aloud.
    pub(crate) fn new(mib: u64) -> Option<Self> {
        if let Some(missing) = missing() {
            skip(&missing);
            return None;
        }
        remove_leftovers();
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let name = format!("{PREFIX}{}-{number}", std::process::id());
        let folder = base(mib).join(name);
        fs::create_dir_all(folder.join("mount")).expect("a folder");
        let mut volume = Self {
            folder,
            is_mounted: false,
        };
        let image = volume.image();
        let file = fs::File::create(&image).expect("an image");
        file.set_len(mib * 1024 * 1024).expect("a sparse file");
        let lazy = "lazy_itable_init=1,lazy_journal_init=1";
        let image = image.to_str().expect("UTF-8");
        let made = run(&["mkfs.ext4", "-q", "-F", "-m", "0", "-E", lazy, image]);
        made.expect("mkfs.ext4");
        match volume.try_mount() {
            Ok(()) => Some(volume),
            Err(problem) => {
                skip(&format!("loop device that can be mounted: {problem}"));
                None
            }
        }
    }

    fn image(&self) -> PathBuf {
        self.folder.join("image")
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join("mount")
    }

    fn try_mount(&mut self) -> Result<(), String> {
        let (image, path) = (self.image(), self.path());
        run(&["mount", "-o", "loop", text(&image), text(&path)])?;
        self.is_mounted = true;
        Ok(())
    }

    /// Mounts it; the file system replays its journal.
    pub(crate) fn mount(&mut self) {
        self.try_mount().expect("mounted");
    }

    /// Takes it away, once nobody uses it any more.
    pub(crate) fn unmount(&mut self) {
        let (path, end) = (self.path(), Instant::now() + Duration::from_secs(20));
        while let Err(problem) = run(&["umount", text(&path)]) {
            assert!(Instant::now() < end, "{problem}");
            std::thread::sleep(Duration::from_millis(20));
        }
        self.is_mounted = false;
        // The device is let go behind the back of umount.
        while is_attached(&self.image()) {
            assert!(Instant::now() < end, "the loop device is still attached");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The power goes: every later request to this file system fails, and what was
    /// not synced is lost.
    pub(crate) fn shut_down(&self) {
        run(&["perl", "-e", SHUTDOWN, text(&self.path())]).expect("shut down");
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Fills it up to these free bytes.
    pub(crate) fn fill(&self, leave: u64) {
        let size = free(&self.path()).saturating_sub(leave).to_string();
        run(&["fallocate", "-l", &size, text(&self.ballast())]).expect("filled");
    }

    /// Gives the space back.
    pub(crate) fn empty(&self) {
        fs::remove_file(self.ballast()).expect("removed");
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        remove(&self.folder);
    }
}

/// Memory, where there is enough: what a cut loses is decided by the file system in
/// the image, and not by what lies under it.
fn base(mib: u64) -> PathBuf {
    let memory = Path::new("/dev/shm");
    let is_roomy = memory.is_dir() && free(memory) > 2 * mib * 1024 * 1024;
    if is_roomy {
        memory.to_path_buf()
    } else {
        std::env::temp_dir()
    }
}

/// Free bytes of a file system.
fn free(path: &Path) -> u64 {
    let out = run(&["stat", "-f", "-c", "%a %S", text(path)]).expect("stat");
    let mut numbers = out.split_whitespace().map(|one| one.parse::<u64>());
    let mut next = || numbers.next().expect("two numbers").expect("a number");
    next() * next()
}

/// What a volume needs and this machine lacks.
fn missing() -> Option<String> {
    if !cfg!(target_os = "linux") {
        return Some("Linux with ext4".to_owned());
    }
    if run(&["id", "-u"]).ok().is_none_or(|id| id.trim() != "0") {
        return Some("right to mount (run as root)".to_owned());
    }
    let tools = [
        "mkfs.ext4",
        "mount",
        "umount",
        "losetup",
        "unshare",
        "fallocate",
        "perl",
        "stat",
    ];
    let absent = |tool: &&&str| run(&["sh", "-c", &format!("command -v {tool}")]).is_err();
    if let Some(tool) = tools.iter().find(absent) {
        return Some(format!("program {tool}"));
    }
    (!Path::new("/dev/loop-control").exists()).then(|| "loop device (/dev/loop-control)".to_owned())
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn run(words: &[&str]) -> Result<String, String> {
    let (program, arguments) = words.split_first().expect("a program");
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|problem| format!("{program}: {problem}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{program}: {}", words.trim()))
}

fn is_attached(image: &Path) -> bool {
    run(&["losetup", "-j", text(image)]).is_ok_and(|out| !out.trim().is_empty())
}

fn remove(folder: &Path) {
    // Each step may have been done before, or have nothing to do.
    let _ = run(&["umount", "-l", text(&folder.join("mount"))]);
    if let Ok(devices) = run(&["losetup", "-j", text(&folder.join("image"))]) {
        for device in devices.lines().filter_map(|line| line.split(':').next()) {
            let _ = run(&["losetup", "-d", device]);
        }
    }
    let _ = fs::remove_dir_all(folder);
}

/// What a run that was killed left behind.
fn remove_leftovers() {
    let folders = [Path::new("/dev/shm").to_path_buf(), std::env::temp_dir()];
    let entries = folders
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok());
    for entry in entries.flatten().flatten() {
        let name = entry.file_name();
        let of = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let of = of.and_then(|rest| rest.split_once('-'));
        if let Some((process, _)) = of
            && !Path::new("/proc").join(process).exists()
        {
            remove(&entry.path());
        }
    }
}
