//! What a test's thread writes to the log.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing::subscriber::{DefaultGuard, set_default};
use tracing_subscriber::EnvFilter;

/// The log of this thread, on which the whole test runs.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Begins to log as the server does, until the guard is dropped; `filter` is that of `tracing_subscriber`, such as `info`.
    pub fn start(filter: &str) -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(filter))
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        (log, set_default(subscriber))
    }

    /// What was written since the last call.
    pub fn take(&self) -> String {
        let mut bytes = self.0.lock().expect("nobody panics while writing");
        String::from_utf8(std::mem::take(&mut *bytes)).expect("the log is text")
    }
}

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let mut bytes = self.0.lock().expect("nobody panics while writing");
        bytes.write(line)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
