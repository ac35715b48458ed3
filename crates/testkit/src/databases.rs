//! Throw-away databases: a new SQLite file or a new PostgreSQL database for each test.
//!
//! PostgreSQL runs as one cluster per test process, under an unprivileged user (initdb refuses root), on a socket in a temporary
//! folder and no port. A watchdog ends it when the process is gone, however it ended.

use anyhow::{Context, Result, bail};
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;

/// A database that is gone when this is dropped (an SQLite file), or when the test process ends (PostgreSQL).
pub struct Database {
    url: String,
    _folder: Option<TempDir>,
}

impl Database {
    /// Its address, for the store and for `ROLLCALL_DATABASE__URL`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// A new SQLite file.
///
/// # Errors
/// When no temporary folder can be made.
pub fn sqlite() -> Result<Database> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    Ok(Database { url, _folder: Some(folder) })
}

/// A new, empty PostgreSQL database.
///
/// # Errors
/// One line saying what to install, when PostgreSQL is not.
pub fn postgres() -> Result<Database> {
    postgres_from("template0")
}

/// A copy of a database that nobody has open.
///
/// # Errors
/// As for [`sqlite`] and [`postgres`].
pub fn copy(of: &Database) -> Result<Database> {
    if let Some(from) = of.url.strip_prefix("sqlite://") {
        let new = sqlite()?;
        let to = new.url.trim_start_matches("sqlite://");
        for suffix in ["", "-wal"] {
            if Path::new(&format!("{from}{suffix}")).exists() {
                std::fs::copy(format!("{from}{suffix}"), format!("{to}{suffix}"))?;
            }
        }
        return Ok(new);
    }
    let name = of.url.rsplit('/').next().and_then(|rest| rest.split('?').next()).context("a database's name")?;
    postgres_from(name)
}

/// Does something to a database behind the program's back.
///
/// # Errors
/// What the database said.
pub fn execute(url: &str, sql: &str) -> Result<()> {
    if let Some(path) = url.strip_prefix("sqlite://") {
        return Ok(rusqlite::Connection::open(path)?.execute_batch(sql)?);
    }
    let ended = Command::new(programs()?.join("psql")).args(["-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql]).output()?;
    if !ended.status.success() {
        bail!("{sql}: {}", String::from_utf8_lossy(&ended.stderr));
    }
    Ok(())
}

/// Everything a database holds, as bytes to search in.
///
/// # Errors
/// When it cannot be read.
pub fn content(url: &str) -> Result<Vec<u8>> {
    if let Some(path) = url.strip_prefix("sqlite://") {
        let mut bytes = std::fs::read(path)?;
        for beside in ["-wal", "-shm"].map(|suffix| format!("{path}{suffix}")).iter().filter(|file| Path::new(file).exists()) {
            bytes.extend(std::fs::read(beside)?);
        }
        return Ok(bytes);
    }
    let ended = Command::new(programs()?.join("pg_dump")).args(["--inserts", "-d", url]).output()?;
    if !ended.status.success() {
        bail!("pg_dump: {}", String::from_utf8_lossy(&ended.stderr));
    }
    Ok(ended.stdout)
}

fn postgres_from(template: &str) -> Result<Database> {
    static CLUSTER: OnceLock<Result<Cluster, String>> = OnceLock::new();
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let cluster = CLUSTER.get_or_init(|| Cluster::start().map_err(|e| format!("{e:#}")));
    let cluster = cluster.as_ref().map_err(|e| anyhow::anyhow!("{e}"))?;
    let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let made = Command::new(cluster.programs.join("psql"))
        .args(["-q", "-v", "ON_ERROR_STOP=1", "-U", "rollcall", "-d", "postgres", "-h"])
        .arg(&cluster.folder)
        .args(["-c", &format!("CREATE DATABASE {name} TEMPLATE {template}")])
        .output()?;
    if !made.status.success() {
        bail!("the database {name} could not be made: {}", String::from_utf8_lossy(&made.stderr));
    }
    // A socket's folder stands in the address's query, percent-encoded.
    let host = cluster.folder.display().to_string().replace('/', "%2F");
    Ok(Database { url: format!("postgres://rollcall@localhost/{name}?host={host}"), _folder: None })
}

struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
}

impl Cluster {
    fn start() -> Result<Self> {
        let programs = programs()?;
        // The cluster outlives every handle to it, so its folder is removed by the watchdog rather than by a destructor.
        let folder = tempfile::Builder::new().prefix("rollcall-pg-").tempdir()?.keep();
        let user = unprivileged(&folder)?;
        let data = folder.join("data");
        let init = as_user(user, &programs.join("initdb"))
            .args(["-U", "rollcall", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-D"])
            .arg(&data)
            .current_dir(&folder)
            .output()
            .context("initdb")?;
        if !init.status.success() {
            bail!("PostgreSQL could not make a cluster: {}", String::from_utf8_lossy(&init.stderr));
        }
        let start = as_user(user, &programs.join("pg_ctl"))
            .args(["start", "-w", "-s", "-t", "60", "-D"])
            .arg(&data)
            .arg("-l")
            .arg(folder.join("log"))
            .arg("-o")
            // Nothing here outlives the test, so nothing waits for the disk.
            .arg(format!(
                "-k {} -c listen_addresses='' -c fsync=off -c synchronous_commit=off -c full_page_writes=off \
                 -c max_connections=200 -c shared_buffers=64MB",
                folder.display()
            ))
            .current_dir(&folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .context("pg_ctl start")?;
        if !start.success() {
            let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            bail!("PostgreSQL did not start: {log}");
        }
        watch(user, &programs, &folder)?;
        Ok(Self { programs, folder })
    }
}

/// Where PostgreSQL's programs are: Debian's folder of the newest version, else on the path.
fn programs() -> Result<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| (entry.file_name().to_string_lossy().parse().unwrap_or(0), entry.path().join("bin")))
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    found.sort();
    let on_path = || std::env::split_paths(&std::env::var_os("PATH")?).find(|folder| folder.join("initdb").exists());
    found.pop().map(|(_, bin)| bin).or_else(on_path).context("PostgreSQL is not installed: apt-get install postgresql")
}

/// A user PostgreSQL agrees to run under, and the folder given to them; none when we are unprivileged ourselves.
fn unprivileged(folder: &Path) -> Result<Option<(u32, u32)>> {
    if id("-u", None)? != 0 {
        return Ok(None);
    }
    let user = if id("-u", Some("postgres")).is_ok() { "postgres" } else { "nobody" };
    let ids = (id("-u", Some(user))?, id("-g", Some(user))?);
    chown(folder, Some(ids.0), Some(ids.1))?;
    // The socket inside is open to the test, whoever runs it.
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))?;
    Ok(Some(ids))
}

fn id(flag: &str, user: Option<&str>) -> Result<u32> {
    let out = Command::new("id").arg(flag).args(user).output()?;
    String::from_utf8_lossy(&out.stdout).trim().parse().context("a user's number")
}

fn as_user(user: Option<(u32, u32)>, program: &Path) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(program);
    if let Some((user, group)) = user {
        command.uid(user).gid(group);
    }
    command
}

/// A shell that reads from a pipe this process holds open: when the process ends, in whatever way, the reading ends, and the
/// shell stops the cluster and removes its folder.
fn watch(user: Option<(u32, u32)>, programs: &Path, folder: &Path) -> Result<()> {
    let script = "echo watching; cat >/dev/null; \"$1\" stop -s -m immediate -D \"$2/data\"; rm -rf \"$2\"";
    let mut shell = as_user(user, Path::new("/bin/sh"))
        .args(["-c", script, "watchdog"])
        .arg(programs.join("pg_ctl"))
        .arg(folder)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("the watchdog")?;
    let mut greeting = [0; 8];
    shell.stdout.take().context("the watchdog's answer")?.read_exact(&mut greeting)?;
    // Held open until the process ends; never written to.
    std::mem::forget(shell.stdin.take());
    Ok(())
}
