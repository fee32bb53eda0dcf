//! Other processes: starting and stopping them, and what the kernel says about
//! their processor time and memory. Where there is no /proc there are no figures.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// Processor time, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Cpu {
    /// In the program itself.
    pub(crate) user: f64,
    /// In the kernel on its behalf.
    pub(crate) system: f64,
}

impl Cpu {
    /// Both.
    pub(crate) fn total(self) -> f64 {
        self.user + self.system
    }

    /// What was used since.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            user: self.user - before.user,
            system: self.system - before.system,
        }
    }
}

/// Processor time of a process so far, all its threads, in steps of a tick (10 ms).
pub(crate) fn cpu(pid: u32) -> Option<Cpu> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let [user, system] = fields(&stat, 11)?;
    Some(Cpu {
        user: milliseconds(user),
        system: milliseconds(system),
    })
}

/// Processor time of the running threads of a process so far, exact, in
/// nanoseconds: for those that do next to nothing.
pub(crate) struct Threads(std::collections::HashMap<std::ffi::OsString, u64>);

impl Threads {
    /// Looks at a process.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
        let threads = tasks.filter_map(|task| {
            let task = task.ok()?;
            // A thread may end while it is looked at.
            let stat = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            Some((task.file_name(), stat.split(' ').next()?.parse().ok()?))
        });
        Some(Self(threads.collect()))
    }

    /// What they used since, in milliseconds; without those that ended meanwhile.
    pub(crate) fn since(&self, before: &Self) -> f64 {
        let used = self.0.iter().map(|(thread, now)| {
            let then = before.0.get(thread).copied().unwrap_or_default();
            now.saturating_sub(then)
        });
        used.sum::<u64>() as f64 / 1e6
    }
}

/// Processor time of this process and everything it started, ended or not, in
/// milliseconds.
pub(crate) fn family_cpu() -> Option<f64> {
    let own = std::process::id();
    let mut all = std::collections::HashMap::new();
    for entry in std::fs::read_dir("/proc").ok()? {
        let name = entry.ok()?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // It may be gone by now.
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
            continue;
        };
        let ([parent, _], [user, system]) = (fields(&stat, 1)?, fields(&stat, 11)?);
        // What ended children used was added to their parents.
        let [ended_user, ended_system] = fields(&stat, 13)?;
        let ended = if pid == own {
            ended_user + ended_system
        } else {
            0
        };
        all.insert(pid, (parent, user + system + ended));
    }
    let is_ours = |mut pid: u32| {
        for _ in 0..16 {
            if pid == own {
                return true;
            }
            match all.get(&pid).map(|(parent, _)| u32::try_from(*parent)) {
                Some(Ok(parent)) if parent > 0 => pid = parent,
                _ => return false,
            }
        }
        false
    };
    let ours = all.iter().filter(|(pid, _)| is_ours(**pid));
    Some(milliseconds(ours.map(|(_, (_, ticks))| ticks).sum()))
}

/// Ticks of the kernel's clock, in milliseconds.
pub(crate) fn milliseconds(ticks: u64) -> f64 {
    ticks as f64 * 1000.0 / rustix::param::clock_ticks_per_second() as f64
}

/// Two numbers of /proc/PID/stat (proc_pid_stat(5)), counted from the state, which
/// is 0: `ppid` is 1, `utime` and `stime` are 11 and 12, `cutime` and `cstime` 13
/// and 14. The name before them stands in brackets and may hold anything.
fn fields(stat: &str, first: usize) -> Option<[u64; 2]> {
    let (_, after) = stat.rsplit_once(") ")?;
    let mut fields = after.split(' ').skip(first);
    let mut number = || fields.next()?.parse().ok();
    Some([number()?, number()?])
}

/// Bytes that a process had written to disks so far (proc_pid_io(5)).
pub(crate) fn written(pid: u32) -> Option<u64> {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    let line = io
        .lines()
        .find_map(|line| line.strip_prefix("write_bytes: "))?;
    line.trim().parse().ok()
}

/// How often the threads of a process waited for something so far.
pub(crate) fn switches(pid: u32) -> Option<u64> {
    let mut count = 0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let status = task.and_then(|task| std::fs::read_to_string(task.path().join("status")));
        let Ok(status) = status else { continue };
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        count += line
            .and_then(|line| line.trim().parse::<u64>().ok())
            .unwrap_or(0);
    }
    Some(count)
}

/// Bytes that the files of a folder take on the disk.
pub(crate) fn on_disk(folder: &Path) -> std::io::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // A file may be removed while it is looked at.
        let Ok(found) = entry.metadata() else {
            continue;
        };
        bytes += if found.is_dir() {
            on_disk(&entry.path())?
        } else {
            found.blocks() * 512
        };
    }
    Ok(bytes)
}

/// Resident memory of a process now, in megabytes of 1024 × 1024 bytes.
pub(crate) fn resident_mb(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    resident_kb(&status).map(|kb| kb as f64 / 1024.0)
}

fn resident_kb(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

/// A process that ends with this value.
pub(crate) struct Running {
    child: Child,
    /// Its process id.
    pub(crate) pid: u32,
}

impl Running {
    /// Starts a process that is killed when this value is dropped.
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let child = command.kill_on_drop(true).spawn().with_context(|| {
            let program = command.as_std().get_program();
            format!("could not start {}", Path::new(program).display())
        })?;
        let pid = child.id().context("the process ended at once")?;
        Ok(Self { child, pid })
    }

    /// Starts this program in another part. It says one line when it is ready,
    /// which is returned, and it ends when its standard input does: also when
    /// this process is killed.
    pub(crate) async fn part(arguments: &[&str]) -> anyhow::Result<(Self, String)> {
        let program = std::env::current_exe().context("could not find this program")?;
        let mut command = Command::new(program);
        command.args(arguments).arg("--attached");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = Self::start(&mut command)?;
        let out = running.child.stdout.take().context("there is no output")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).await?;
        if line.is_empty() {
            bail!("the part {arguments:?} ended without a word");
        }
        Ok((running, line.trim_end().to_owned()))
    }

    /// Whether it has ended, and how.
    pub(crate) fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Kills it where it stands (SIGKILL).
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        self.child
            .kill()
            .await
            .context("could not kill the process")
    }

    /// Asks it to end, and waits for that.
    ///
    /// # Errors
    /// When it does not end in time; it is killed then.
    pub(crate) async fn stop(mut self, patience: Duration) -> anyhow::Result<()> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let pid = pid.context("that is no process id")?;
        // The child is not reaped before `wait`, so the id is still its own.
        kill_process(pid, Signal::TERM).context("could not ask the process to end")?;
        match tokio::time::timeout(patience, self.child.wait()).await {
            Ok(ended) => ended.map(drop).context("could not wait for the process"),
            Err(_) => bail!("the process did not end within {patience:?} of being asked to"),
        }
    }
}

/// Ends this process when its standard input ends.
pub(crate) fn end_with_input() {
    std::thread::spawn(|| {
        // An error means that nobody can tell us any more, either.
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        std::process::exit(0);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_processor_time() {
        let stat = "12 (a) b (c)) S 1 12 12 0 -1 4194560 900 0 0 0 150 50 7 9 20 0 4 0 100 1 1";
        assert_eq!(fields(stat, 11), Some([150, 50]));
        assert_eq!(fields(stat, 1).map(|[parent, _]| parent), Some(1));
        assert_eq!(fields(stat, 13), Some([7, 9]));
        assert_eq!(fields("12 (a) S 1", 11), None);
    }

    #[test]
    fn threads_come_and_go() {
        let threads = |list: &[(&str, u64)]| {
            Threads(
                list.iter()
                    .map(|(name, time)| ((*name).into(), *time))
                    .collect(),
            )
        };
        let before = threads(&[("1", 5_000_000), ("2", 90_000_000)]);
        let after = threads(&[("1", 6_000_000), ("3", 2_500_000)]);
        assert_eq!(after.since(&before), 3.5);
    }

    #[test]
    fn adds_up_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("inner")).unwrap();
        std::fs::write(folder.path().join("inner/file"), vec![1; 100_000]).unwrap();
        // Written through, or the file system may not have given it blocks yet.
        let file = std::fs::File::open(folder.path().join("inner/file")).unwrap();
        file.sync_all().unwrap();
        let bytes = on_disk(folder.path()).unwrap();
        assert!((100_000..200_000).contains(&bytes), "{bytes}");
    }

    #[test]
    fn reads_resident_memory() {
        assert_eq!(
            resident_kb("VmPeak:\t  99 kB\nVmRSS:\t    5120 kB\n"),
            Some(5120)
        );
        assert_eq!(resident_kb("VmPeak:\t  99 kB\n"), None);
    }
}
