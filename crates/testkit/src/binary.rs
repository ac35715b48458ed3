//! The program as a process, in a folder of its own: what a person at a terminal has.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use tempfile::TempDir;

/// A folder with a database, a master key and the settings that lead the program there. Gone when dropped.
#[derive(Debug)]
pub struct Home {
    program: PathBuf,
    folder: TempDir,
    settings: Vec<(String, String)>,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The exit code; none when it was killed.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it logged.
    pub stderr: String,
}

impl Ended {
    /// What it printed, as JSON.
    ///
    /// # Errors
    /// What was printed instead.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("not JSON: {}\n{}", self.stdout, self.stderr))
    }
}

impl Home {
    /// A fresh home for the program at `program` (in its own crate's tests `env!("CARGO_BIN_EXE_rollcall")`), on an SQLite file in the
    /// home or on the database named.
    ///
    /// # Errors
    /// When no folder can be made.
    pub fn new(program: impl Into<PathBuf>, database: Option<&str>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let url = database.map_or_else(|| format!("sqlite://{}", folder.path().join("rollcall.db").display()), str::to_owned);
        let key = folder.path().join("master.key").display().to_string();
        let settings = [
            ("ROLLCALL_DATABASE__URL", url.as_str()),
            ("ROLLCALL_MASTER_KEY_FILE", key.as_str()),
            ("ROLLCALL_LISTEN", "127.0.0.1:0"),
            // The least that argon2 takes: what a password check costs is not what these tests are about.
            ("ROLLCALL_AUTH__ARGON2_MEMORY_KIB", "8"),
            ("ROLLCALL_AUTH__ARGON2_PASSES", "1"),
            // After a kill the next process must wait until the dead one's hold ends.
            ("ROLLCALL_SYNC__LEASE", "1s"),
        ];
        let settings = settings.map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec();
        Ok(Self { program: program.into(), folder, settings })
    }

    /// The home's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The database's address.
    #[must_use]
    pub fn database(&self) -> &str {
        self.settings.iter().find(|(k, _)| k == "ROLLCALL_DATABASE__URL").map_or("", |(_, v)| v.as_str())
    }

    /// Sets an environment variable for every command from now on; a later value takes the place of an earlier one.
    pub fn set(&mut self, variable: &str, value: &str) {
        self.settings.retain(|(k, _)| k != variable);
        self.settings.push((variable.to_owned(), value.to_owned()));
    }

    fn command<A: AsRef<OsStr>>(&self, args: &[A]) -> Command {
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ROLLCALL_")) {
            command.env_remove(name);
        }
        command.args(args).current_dir(self.folder.path()).envs(self.settings.iter().map(|(k, v)| (k, v))).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn run<A: AsRef<OsStr>>(&self, args: &[A]) -> Result<Ended> {
        let out = self.command(args).output().with_context(|| format!("{} does not start", self.program.display()))?;
        Ok(Ended {
            code: out.status.code(),
            stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
        })
    }

    /// Runs a command that must succeed.
    ///
    /// # Errors
    /// What the command said when it did not.
    pub fn done<A: AsRef<OsStr> + std::fmt::Debug>(&self, args: &[A]) -> Result<Ended> {
        let ended = self.run(args)?;
        ensure!(ended.code == Some(0), "rollcall {args:?} ended with {:?}\n{}\n{}", ended.code, ended.stdout, ended.stderr);
        Ok(ended)
    }

    /// Starts a command and leaves it running; what it prints and logs goes to files in the home.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start<A: AsRef<OsStr>>(&self, args: &[A]) -> Result<Running> {
        let (stdout, stderr) = (self.folder.path().join("stdout.txt"), self.folder.path().join("stderr.txt"));
        let child = self
            .command(args)
            .stdout(File::create(&stdout)?)
            .stderr(File::create(&stderr)?)
            .spawn()
            .with_context(|| format!("{} does not start", self.program.display()))?;
        Ok(Running { child, stdout, stderr })
    }
}

/// A running program; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Running {
    /// `kill -9`, and what it had said. `None` if it had ended by itself before.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(mut self) -> Result<Option<Ended>> {
        if self.child.try_wait()?.is_some() {
            return Ok(None);
        }
        self.child.kill()?;
        let status = self.child.wait()?;
        // It may have ended by itself between the two lines above.
        if status.code().is_some() { Ok(None) } else { self.ended(status).map(Some) }
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn wait(mut self) -> Result<Ended> {
        let status = self.child.wait()?;
        self.ended(status)
    }

    /// What it has printed so far.
    #[must_use]
    pub fn printed(&self) -> String {
        std::fs::read_to_string(&self.stdout).unwrap_or_default()
    }

    /// What it has logged so far.
    #[must_use]
    pub fn logged(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn ended(&self, status: ExitStatus) -> Result<Ended> {
        Ok(Ended { code: status.code(), stdout: self.printed(), stderr: self.logged() })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may be gone already, which is all that is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
