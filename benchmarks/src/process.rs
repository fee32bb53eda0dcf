//! Other processes: starting and stopping them, and what the kernel says about
//! their processor time and memory. Where there is no /proc there are no figures.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// Processor time of a process so far, in milliseconds, all its threads.
pub(crate) fn cpu_ms(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    cpu_ticks(&stat).map(|ticks| ticks as f64 * 1000.0 / ticks_per_second())
}

fn ticks_per_second() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}

/// `utime` and `stime` of /proc/PID/stat (proc_pid_stat(5), fields 14 and 15). The
/// name before them stands in brackets and may hold anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after) = stat.rsplit_once(") ")?;
    let mut fields = after.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
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
        assert_eq!(cpu_ticks(stat), Some(200));
        assert_eq!(cpu_ticks("12 (a) S 1"), None);
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
