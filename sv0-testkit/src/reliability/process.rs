//! Starting a lane's other processes and hearing what they say.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use super::Context;

/// A child of the lane. Its input stays open until it shall stop; it is killed when this is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
}

/// The command that starts a child of this binary.
#[must_use]
pub fn command(ctx: &Context, what: &str, path: &Path, args: &[&str]) -> Command {
    let mut c = Command::new(&ctx.exe);
    c.args(["child", what]).arg(path).args(args);
    c
}

impl Running {
    /// Starts it.
    ///
    /// # Panics
    /// If the system starts no process.
    #[must_use]
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    /// The next line; nothing at the end.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.out.read_line(&mut line) {
            Ok(n) if n > 0 && line.ends_with('\n') => Some(line.trim_end().to_owned()),
            _ => None,
        }
    }

    /// Lets it stop by itself.
    pub fn stop(&mut self) {
        self.child.stdin = None;
    }

    /// Kills it at once.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
    }

    /// What it said that wasn't heard yet, in whole lines, and how it ended.
    ///
    /// # Panics
    /// If the system loses the process.
    pub fn rest(&mut self) -> (Vec<String>, ExitStatus) {
        let mut bytes = Vec::new();
        let _ = self.out.read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes);
        // A line that was cut by the kill says nothing.
        let whole = text.rfind('\n').map_or("", |i| &text[..i]);
        (whole.lines().map(str::to_owned).collect(), self.child.wait().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        let _ = self.child.wait();
    }
}

/// A line of a writer or reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// `READY`, `ACK`, `READ`.
    pub word: String,
    /// The snapshot's number.
    pub number: u32,
    /// Its content hash.
    pub hash: String,
    /// Its dump's hash.
    pub dump: String,
}

impl Said {
    /// Of a line that has this form.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let mut parts = line.split(' ');
        let mut next = || parts.next().map(str::to_owned);
        let (word, number) = (next()?, next()?);
        Some(Self { word, number: number.parse().ok()?, hash: next()?, dump: next()? })
    }
}
