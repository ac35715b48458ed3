//! Wiring: configuration, log, key, database and engine put together once, for every command.

use crate::clock::SystemClock;
use crate::config::{self, Config, Loaded};
use crate::files;
use anyhow::{Context, Result, bail};
use model::Clock;
use rand::TryRng;
use secrecy::{ExposeSecret, SecretBox};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::{MasterKey, Store};
use sync::{Actor, Engine, Settings};

/// Where the configuration comes from, as the command line says.
#[derive(Debug, Clone)]
pub struct Files {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--database`.
    pub database: Option<String>,
    /// `-v`s.
    pub verbose: u8,
}

impl Files {
    /// Reads the configuration.
    pub fn load(&self) -> Result<Loaded> {
        let flags: Vec<(&str, String)> = self.database.iter().map(|url| ("database.url", url.clone())).collect();
        config::load(self.config.as_deref(), &flags)
    }
}

/// Everything a command needs.
pub struct House {
    /// The configuration.
    pub config: Config,
    /// The engine, with the store inside.
    pub engine: Engine,
    key: SecretBox<[u8; 32]>,
}

impl House {
    /// Opens everything as configured.
    pub async fn open(files: &Files) -> Result<Self> {
        let loaded = files.load()?;
        crate::log::begin(&loaded.config, files.verbose);
        Self::with(loaded.config).await
    }

    /// Opens everything for a configuration; the log is already set up.
    pub async fn with(config: Config) -> Result<Self> {
        let key = master_key(&config.master_key_file)?;
        let store = open_store(&config).await?;
        let settings = Settings {
            graph_url: config.microsoft.graph_url.clone(),
            login_url: config.microsoft.login_url.clone(),
            lease: config::duration(&config.sync.lease)?,
            interval: config::duration(&config.sync.interval)?,
            workers: config.sync.workers,
            holder: holder(),
        };
        let engine = Engine::new(store, key_ring(&config.master_key_file, &key), Arc::new(SystemClock), settings, chance());
        Ok(Self { config, engine, key })
    }

    /// Who runs this command, for the audit log: the operating system's user.
    pub fn actor(&self) -> Actor {
        let name = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).or_else(|_| std::env::var("LOGNAME"));
        Actor::cli(name.unwrap_or_else(|_| "unknown".into()))
    }

    /// Makes a new master key, wraps everything with it, and keeps the old key's file beside the new one.
    pub async fn rotate_master_key(&self) -> Result<PathBuf> {
        let path = &self.config.master_key_file;
        let fresh = random_key()?;
        let next = path.with_extension("key.new");
        // The new key is on disk before anything is wrapped with it, so that no kill can lose it.
        write_key(&next, &fresh, true)?;
        let ring = MasterKey::new(*fresh.expose_secret()).with_older(*self.key.expose_secret());
        self.engine.rotate_master_key(ring, &self.actor()).await?;
        let mut kept = path.with_extension("key.old");
        let mut n = 1;
        while kept.exists() {
            n += 1;
            kept = path.with_extension(format!("key.old{n}"));
        }
        fs::rename(path, &kept).with_context(|| format!("The old key could not be moved to {}", kept.display()))?;
        fs::rename(&next, path)
            .with_context(|| format!("The new key is in {}: move it to {}", next.display(), path.display()))?;
        Ok(kept)
    }
}

/// The key, with the one that a rotation was killed at, if there is such a one: what it had wrapped already needs the new key.
fn key_ring(path: &Path, key: &SecretBox<[u8; 32]>) -> MasterKey {
    let ring = MasterKey::new(*key.expose_secret());
    let next = path.with_extension("key.new");
    match files::text(&next, files::SECRET).ok().and_then(|text| parse_key(&next, &text).ok()) {
        Some(started) => ring.with_older(*started.expose_secret()),
        None => ring,
    }
}

/// A number nobody foresees, from the system.
fn chance() -> u64 {
    let mut bytes = [0; 8];
    // Without it requests of two processes may carry the same id, which hurts nobody.
    let _ = fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// Fills bytes nobody can guess, from the system.
pub fn fill(bytes: &mut [u8]) -> Result<()> {
    rand::rngs::SysRng.try_fill_bytes(bytes).context("The system gave no random bytes")
}

/// This process among all that may work on one database.
fn holder() -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}:{}:{:016x}", host.trim(), std::process::id(), chance())
}

/// Opens the database and brings its tables to this version.
pub async fn open_store(config: &Config) -> Result<Store> {
    if let Some(path) = config.database.url.strip_prefix("sqlite://")
        && let Some(folder) = Path::new(path).parent().filter(|f| !f.as_os_str().is_empty())
    {
        fs::create_dir_all(folder).with_context(|| {
            format!("The folder {} for the database could not be made. Check its owner, or set database.url", folder.display())
        })?;
    }
    Ok(Store::open(&config.database.url, SystemClock.now_ms()).await?)
}

/// Reads the master key, or makes one when there is no file yet.
fn master_key(path: &Path) -> Result<SecretBox<[u8; 32]>> {
    match files::text(path, files::SECRET) {
        Ok(text) => parse_key(path, &text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
                fs::create_dir_all(folder).with_context(|| {
                    format!(
                        "The folder {} for the master key could not be made. Check its owner, or set master_key_file",
                        folder.display()
                    )
                })?;
            }
            let key = random_key()?;
            match write_key(path, &key, false) {
                Ok(()) => {
                    tracing::info!(file = %path.display(), "made a master key; keep a copy somewhere else, stored secrets need it");
                    Ok(key)
                }
                // Another process made it in the same moment: theirs is the key.
                Err(_) if path.exists() => master_key(path),
                Err(error) => Err(error),
            }
        }
        Err(error) => Err(error).with_context(|| {
            format!("The master key {} could not be read. Check its owner and mode, or set master_key_file", path.display())
        }),
    }
}

/// Whether the key is there and only its owner can read it.
pub fn check_key(path: &Path) -> Result<String> {
    use std::os::unix::fs::PermissionsExt;
    let _ = master_key(path)?;
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        bail!("{} can be read by others (mode {mode:03o}): chmod 600 {}", path.display(), path.display());
    }
    Ok(format!("{} (mode {mode:03o})", path.display()))
}

fn parse_key(path: &Path, text: &str) -> Result<SecretBox<[u8; 32]>> {
    let mut key = Box::new([0; 32]);
    if hex::decode_to_slice(text.trim(), key.as_mut_slice()).is_err() {
        bail!(
            "The master key file {} must hold 64 hexadecimal digits. Restore it from your copy; a new key cannot read stored secrets.",
            path.display()
        );
    }
    Ok(SecretBox::new(key))
}

fn random_key() -> Result<SecretBox<[u8; 32]>> {
    let mut key = Box::new([0; 32]);
    fill(key.as_mut_slice())?;
    Ok(SecretBox::new(key))
}

fn write_key(path: &Path, key: &SecretBox<[u8; 32]>, replace: bool) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = fs::OpenOptions::new();
    options.write(true).mode(0o600);
    if replace {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    let mut file = options.open(path).with_context(|| {
        format!(
            "The master key could not be written to {}. Check the folder's owner and mode, or set master_key_file",
            path.display()
        )
    })?;
    writeln!(file, "{}", hex::encode(key.expose_secret()))?;
    file.sync_all()?;
    Ok(())
}
