//! Measures whole processes: wall time, processor time, peak memory.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// What one run of a process took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Run {
    /// From start to end.
    pub wall: Duration,
    /// User and system: in a series, its mean.
    pub cpu: Duration,
    /// The largest resident set seen, in KiB.
    pub rss: u64,
}

/// Runs a command some times in a row, undisturbed, and then once more to look at its memory.
/// Processor time is counted in ticks of 10 ms, so that it is taken over the whole series.
pub fn series(command: &mut Command, times: u32) -> Vec<Run> {
    let before = children_cpu();
    let mut runs: Vec<Run> = (0..times).map(|_| run(command)).collect();
    let cpu = (children_cpu() - before) / times;
    let rss = peak(command);
    for run in &mut runs {
        (run.cpu, run.rss) = (cpu, rss);
    }
    runs
}

/// Runs a command to its end; its output is thrown away.
fn run(command: &mut Command) -> Run {
    let start = Instant::now();
    let end = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    let wall = start.elapsed();
    assert!(end.success(), "{command:?}: {end}");
    Run { wall, ..Run::default() }
}

/// The largest resident set of a run, in KiB, by looking at it all the time.
fn peak(command: &mut Command) -> u64 {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut rss = 0;
    while child.try_wait().unwrap().is_none() {
        if let Ok(text) = std::fs::read_to_string(&status) {
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = line.and_then(|l| l.split_whitespace().next()?.parse().ok());
            rss = rss.max(kib.unwrap_or(0));
        }
        std::thread::sleep(Duration::from_micros(300));
    }
    rss
}

/// Processor time of all children that ended, by the kernel's accounting.
fn children_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = text.rsplit_once(") ").unwrap();
    let ticks: u64 = fields.split(' ').skip(13).take(2).map(|f| f.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

/// The median of some measure.
pub fn median(runs: &[Run], measure: impl Fn(&Run) -> f64) -> f64 {
    let mut all: Vec<f64> = runs.iter().map(measure).collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// The mean of some measure.
pub fn mean(runs: &[Run], measure: impl Fn(&Run) -> f64) -> f64 {
    runs.iter().map(measure).sum::<f64>() / runs.len() as f64
}

/// Milliseconds.
pub fn ms(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}
