//! What the system says of the process, under the names that all exporters have.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use keystone::api::Exposition;

/// The ticks in a second of processor time: Linux's `USER_HZ`, whatever the kernel's own clock.
const TICKS: f64 = 100.0;

/// Writes what can be read; other systems than Linux have no `/proc`.
pub(super) fn write(to: &mut Exposition, started: SystemTime) {
    let started = started.duration_since(UNIX_EPOCH).unwrap_or_default();
    let help = "When the server was started.";
    to.gauge("process_start_time_seconds", help, started.as_secs_f64());
    if let Some(seconds) = processor_time() {
        let name = "process_cpu_seconds";
        to.counter(name, "Processor time used.", seconds);
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(bytes) = kilobytes(&status, "VmRSS:") {
        to.gauge("process_resident_memory_bytes", "Memory used.", bytes);
    }
    if let Some(bytes) = kilobytes(&status, "VmSize:") {
        to.gauge("process_virtual_memory_bytes", "Memory mapped.", bytes);
    }
    if let Some(threads) = field(&status, "Threads:") {
        to.gauge("process_threads", "Threads.", threads);
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        // The directory itself is open, too.
        let open = files.count().saturating_sub(1);
        to.gauge("process_open_fds", "File descriptors in use.", open);
    }
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    if let Some(limit) = field(&limits, "Max open files") {
        let help = "The most file descriptors.";
        to.gauge("process_max_fds", help, limit);
    }
}

/// The number after a name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    Some(field(text, name)? * 1024)
}

/// The fourteenth and fifteenth field, the first two of which may have blanks.
fn processor_time() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    let ticks = rest.split_whitespace().skip(11).take(2);
    let ticks: Vec<u32> = ticks.filter_map(|it| it.parse().ok()).collect();
    Some(ticks.into_iter().map(f64::from).sum::<f64>() / TICKS)
}
