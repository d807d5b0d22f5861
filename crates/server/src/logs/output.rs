//! Where the lines of the log go. A server writes those about requests many at a time, because a system call for each would
//! cost more than the line: they wait in memory for a few milliseconds. Warnings and errors are written at once, with what
//! waits before them, and so is everything at a panic and at the end of the process.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use keystone::notify::open_to_append;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use crate::error::{CommandError, Result};

/// For how long a line waits for others.
const DELAY: Duration = Duration::from_millis(10);

/// How many bytes wait. Whoever adds more writes them.
const CAPACITY: usize = 64 << 10;

/// A log that is written in pieces.
#[derive(Debug)]
pub(super) struct Output {
    waiting: Mutex<Vec<u8>>,
    sink: Mutex<Sink>,
    /// The thread that writes what waits; without it nothing waits.
    writer: OnceLock<Thread>,
}

#[derive(Debug)]
struct Sink {
    file: Option<(PathBuf, File)>,
    stderr: bool,
}

/// One line.
#[derive(Debug)]
pub(super) struct Line {
    output: &'static Output,
    at_once: bool,
}

impl Output {
    /// A log in a file, on standard error, or both.
    pub(super) fn open(path: Option<&Path>, also_stderr: bool) -> Result<Self> {
        let file = match path {
            Some(path) => Some((path.to_owned(), append(path)?)),
            None => None,
        };
        let stderr = also_stderr || file.is_none();
        Ok(Self {
            waiting: Mutex::default(),
            sink: Mutex::new(Sink { file, stderr }),
            writer: OnceLock::new(),
        })
    }

    /// Lets lines wait for each other from now on. Without a thread that writes them none does.
    pub(super) fn write_behind(&'static self) {
        let named = thread::Builder::new().name("log".to_owned());
        if let Ok(writer) = named.spawn(move || self.write_waiting()) {
            let _ = self.writer.set(writer.thread().clone());
        }
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            self.flush();
            report(panic);
        }));
    }

    /// Writes a while after it was woken, again and again.
    fn write_waiting(&self) {
        loop {
            thread::park();
            thread::park_timeout(DELAY);
            self.flush();
        }
    }

    /// Writes what waits.
    pub(super) fn flush(&self) {
        // Taken while the sink is locked, so that lines stay in order.
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = std::mem::take(&mut *self.waiting());
        if !lines.is_empty() {
            sink.write(&lines);
        }
    }

    /// Opens the file anew, which may have been moved.
    pub(super) fn reopen(&self) -> Result<()> {
        self.flush();
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((path, file)) = &mut sink.file {
            *file = append(path)?;
        }
        Ok(())
    }

    fn add(&self, line: &[u8], at_once: bool) {
        let mut waiting = self.waiting();
        let first = waiting.is_empty();
        waiting.extend_from_slice(line);
        let full = waiting.len() >= CAPACITY;
        drop(waiting);
        match self.writer.get() {
            Some(writer) if !at_once && !full => {
                if first {
                    writer.unpark();
                }
            }
            _ => self.flush(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<u8>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink {
    fn write(&mut self, lines: &[u8]) {
        if self.stderr {
            let _ = io::stderr().lock().write_all(lines);
        }
        if let Some((_, file)) = &mut self.file {
            let _ = file.write_all(lines);
        }
    }
}

fn append(path: &Path) -> Result<File> {
    open_to_append(path).map_err(|error| {
        CommandError::new(format!(
            "the log file {} can't be opened: {error}",
            path.display()
        ))
    })
}

impl<'a> MakeWriter<'a> for &'static Output {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line {
            output: self,
            at_once: true,
        }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Line {
        Line {
            output: self,
            at_once: *metadata.level() <= Level::WARN,
        }
    }
}

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.output.add(line, self.at_once);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log in a file of a new directory, and its text.
    fn log() -> (&'static Output, impl Fn() -> String) {
        let directory = tempfile::tempdir().unwrap().keep();
        let path = directory.join("log");
        let output: &'static Output =
            Box::leak(Box::new(Output::open(Some(&path), false).unwrap()));
        (output, move || std::fs::read_to_string(&path).unwrap())
    }

    /// Lets lines wait without a thread that writes them.
    fn hold(output: &Output) {
        output.writer.set(thread::current()).unwrap();
    }

    #[test]
    fn lines_of_a_command_do_not_wait() {
        let (output, text) = log();
        output.add(b"one\n", false);
        assert_eq!(text(), "one\n");
    }

    #[test]
    fn a_warning_is_written_at_once_behind_what_waits() {
        let (output, text) = log();
        hold(output);
        output.add(b"one\n", false);
        output.add(b"two\n", false);
        assert_eq!(text(), "");
        output.add(b"three\n", true);
        assert_eq!(text(), "one\ntwo\nthree\n");
        output.add(b"four\n", false);
        output.flush();
        assert_eq!(text(), "one\ntwo\nthree\nfour\n");
    }

    #[test]
    fn no_more_waits_than_fits() {
        let (output, text) = log();
        hold(output);
        let line = [b'x'; 1_000];
        for _ in 0..=CAPACITY / line.len() {
            output.add(&line, false);
        }
        assert!(text().len() >= CAPACITY);
        assert!(output.waiting().is_empty());
    }

    #[test]
    fn what_waits_is_written_to_the_file_that_was_moved() {
        let (output, text) = log();
        hold(output);
        output.add(b"one\n", false);
        output.reopen().unwrap();
        assert_eq!(text(), "one\n");
    }

    #[test]
    fn a_panic_loses_nothing() {
        let (output, text) = log();
        hold(output);
        output.write_behind();
        output.add(b"before\n", false);
        assert!(std::panic::catch_unwind(|| panic!("as planned")).is_err());
        assert_eq!(text(), "before\n");
    }

    #[test]
    fn every_line_arrives_once() {
        let (output, text) = log();
        output.write_behind();
        thread::scope(|scope| {
            for name in 0..4 {
                scope.spawn(move || {
                    for n in 0..2_000 {
                        output.add(format!("{name} {n:04}\n").as_bytes(), n % 100 == 0);
                    }
                });
            }
        });
        output.flush();
        let text = text();
        for name in 0..4 {
            let own = text
                .lines()
                .filter_map(|line| line.strip_prefix(&format!("{name} ")));
            let expected: Vec<String> = (0..2_000).map(|n| format!("{n:04}")).collect();
            assert_eq!(own.collect::<Vec<_>>(), expected);
        }
    }
}
