//! Standard output, standard error and prompts of a command, besides the log.

use std::io::{self, IsTerminal, Write};

use keystone::storage::schema::Progress;
use keystone::types::Secret;

use crate::error::{CommandError, Result};

/// Writes to standard output; a closed pipe is no error.
pub(crate) fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Writes to standard error.
pub(crate) fn print_error(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prompts for a new password twice, if there is a terminal.
pub(crate) fn ask_for_new_password(prompt: &str) -> Result<Option<Secret>> {
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    let ask = |prompt: &str| {
        rpassword::prompt_password(prompt)
            .map_err(|error| CommandError::new(format!("no password could be read: {error}")))
    };
    let first = ask(&format!("{prompt}: "))?;
    if first.is_empty() {
        return Ok(None);
    }
    if first != ask(&format!("{prompt} (again): "))? {
        return Err(CommandError::new("the two passwords differ"));
    }
    Ok(Some(first.into()))
}

/// A progress line, on a terminal only.
#[derive(Debug)]
pub(crate) struct ProgressLine {
    shown: bool,
}

impl ProgressLine {
    pub(crate) fn new() -> Self {
        Self {
            shown: io::stderr().is_terminal(),
        }
    }

    pub(crate) fn schema(&self, progress: Progress) {
        let Progress {
            revision,
            done,
            total,
        } = progress;
        self.show(&format!("{revision}: {done} of {total} statements"));
    }

    pub(crate) fn show(&self, text: &str) {
        if self.shown {
            let mut err = io::stderr().lock();
            // The next log line overwrites it.
            let _ = write!(err, "\x1b[K{text}\r").and_then(|()| err.flush());
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.show("");
    }
}
