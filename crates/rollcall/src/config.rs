//! Configuration: `rollcall.toml`, then `ROLLCALL_…` variables (`__` between levels), then flags; every value knows where it came
//! from. `config.default.toml` in the repository is the documented list, and a test holds it against this file.

use anyhow::{Context, Result, bail};
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// The first level of every setting's name.
const SETTINGS: &[&str] = &["listen", "public_url", "master_key_file", "engine", "database", "microsoft", "sync", "auth", "log"];

const HOUR: Duration = Duration::from_secs(3_600);

/// Tenants side by side: each holds a few megabytes and a connection to Microsoft.
const MOST_WORKERS: usize = 256;

/// Memory of one password check, of which two run at a time: more than a gigabyte each would take the machine from everything else.
const MOST_MEMORY_KIB: u32 = 1 << 20;

/// Everything that can be configured.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the server listens.
    pub listen: SocketAddr,
    /// The address people use; from `listen` when empty.
    pub public_url: String,
    /// Where a file holding the 32-byte master key lies; created with mode 0600 on first use.
    pub master_key_file: PathBuf,
    /// What drives runs: `embedded`.
    pub engine: String,
    /// The database.
    pub database: Database,
    /// Microsoft's addresses; a connection may have its own (national clouds).
    pub microsoft: Microsoft,
    /// Runs.
    pub sync: Sync,
    /// Signing in to the pages.
    pub auth: Auth,
    /// Logs, on stderr.
    pub log: Log,
}

/// `database`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `sqlite://PATH` or `postgres://…`.
    pub url: String,
}

/// `microsoft`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Microsoft {
    /// Microsoft Graph.
    pub graph_url: String,
    /// The identity platform.
    pub login_url: String,
}

/// `sync`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sync {
    /// How often a scheduled tenant is read, such as `3m`.
    pub interval: String,
    /// How long a worker's hold on a tenant lasts without a sign of life, such as `15s`.
    pub lease: String,
    /// How many tenants run side by side in one process.
    pub workers: usize,
}

/// `auth`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// Memory of one password check in KiB (argon2id).
    pub argon2_memory_kib: u32,
    /// Passes of one password check.
    pub argon2_passes: u32,
}

/// `log`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug`, or directives such as `info,sync=debug`.
    pub level: String,
    /// `text` or `json`.
    pub format: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: String::new(),
            master_key_file: PathBuf::from("./data/master.key"),
            engine: "embedded".into(),
            database: Database { url: "sqlite://./data/rollcall.db".into() },
            microsoft: Microsoft {
                graph_url: "https://graph.microsoft.com".into(),
                login_url: "https://login.microsoftonline.com".into(),
            },
            sync: Sync { interval: "3m".into(), lease: "15s".into(), workers: 2 },
            // OWASP's first recommendation for argon2id: 19 MiB, two passes.
            auth: Auth { argon2_memory_kib: 19_456, argon2_passes: 2 },
            log: Log { level: "info".into(), format: "text".into() },
        }
    }
}

/// Configuration with the story of where each value came from.
#[derive(Debug)]
pub struct Loaded {
    /// The effective values.
    pub config: Config,
    figment: Figment,
}

/// Reads the configuration. A file that is named must exist; `./rollcall.toml` may.
///
/// # Errors
/// What is wrong, with the key and where it was set.
pub fn load(file: Option<&Path>, flags: &[(&str, String)]) -> Result<Loaded> {
    let mut figment = Figment::from(Serialized::defaults(Config::default()));
    match file {
        Some(path) if !path.is_file() => {
            bail!(
                "The configuration file {} does not exist. Name another with --config, or leave the option out.",
                path.display()
            )
        }
        Some(path) => figment = figment.merge(Toml::file_exact(path)),
        None => figment = figment.merge(Toml::file("rollcall.toml")),
    }
    figment = figment.merge(
        Env::prefixed("ROLLCALL_")
            // Only what is a setting: people also keep secrets for --secret-env in variables of this prefix.
            .filter(|k| SETTINGS.iter().any(|s| k.as_str().split("__").next().is_some_and(|first| first.eq_ignore_ascii_case(s))))
            .split("__"),
    );
    for (key, value) in flags {
        figment = figment.merge((*key, value.clone()));
    }
    let mut config: Config = figment.extract().map_err(|e| anyhow::anyhow!("{}", explain(&e)))?;
    if config.public_url.is_empty() {
        config.public_url = format!("http://{}", config.listen);
    }
    if config.engine != "embedded" {
        bail!("engine = \"{}\" is not supported yet: this version runs engine = \"embedded\".", config.engine);
    }
    check(&config)?;
    Ok(Loaded { config, figment })
}

/// Refuses values of the right type that cannot be meant.
fn check(config: &Config) -> Result<()> {
    // A lease may outlive no working day's hour: that long nobody takes over from a process that died.
    let durations = [("sync.interval", &config.sync.interval, 30 * 24 * HOUR), ("sync.lease", &config.sync.lease, HOUR)];
    for (key, text, longest) in durations {
        let given = duration(text).with_context(|| format!("{key} = \"{text}\" is not a duration"))?;
        if !(Duration::from_secs(1)..=longest).contains(&given) {
            bail!("{key} = \"{text}\" is out of bounds: write a duration from 1s to {}h.", longest.as_secs() / HOUR.as_secs());
        }
    }
    if !(1..=MOST_WORKERS).contains(&config.sync.workers) {
        bail!("sync.workers = {} is out of bounds: write a number from 1 to {MOST_WORKERS}.", config.sync.workers);
    }
    let (memory, passes) = (config.auth.argon2_memory_kib, config.auth.argon2_passes);
    if !(8..=MOST_MEMORY_KIB).contains(&memory) || !(1..=100).contains(&passes) {
        bail!(
            "auth.argon2_memory_kib = {memory} and auth.argon2_passes = {passes} are out of bounds: memory goes from 8 to {MOST_MEMORY_KIB} \
             (1 GiB), passes from 1 to 100."
        );
    }
    let public = url::Url::parse(&config.public_url).ok().filter(|u| matches!(u.scheme(), "http" | "https") && u.has_host());
    if public.is_none() {
        bail!("public_url = \"{}\" is not an address: write it as https://HOST, or leave it empty.", mask(&config.public_url));
    }
    if !matches!(config.log.format.as_str(), "text" | "json") {
        bail!("log.format = \"{}\" is not known: write text or json.", config.log.format);
    }
    // A bare word that is no level would be taken for the name of a part, and silence everything else.
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    let bare = |part: &&str| !part.contains('=') && !levels.iter().any(|level| part.trim().eq_ignore_ascii_case(level));
    if config.log.level.split(',').find(bare).is_some() || EnvFilter::try_new(&config.log.level).is_err() {
        bail!(
            "log.level = \"{}\" cannot be read: write error, warn, info, debug, or directives such as info,sync=debug.",
            config.log.level
        );
    }
    Ok(())
}

/// Reads `90s`, `15m`, `72h`, `3d`.
///
/// # Errors
/// What a duration looks like.
pub fn duration(text: &str) -> Result<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => bail!("write a number and a unit, such as 90s, 15m, 72h or 3d"),
    };
    let number: u64 = number.parse().context("write a number and a unit, such as 90s, 15m, 72h or 3d")?;
    Ok(Duration::from_secs(number.saturating_mul(seconds)))
}

fn explain(error: &figment::Error) -> String {
    let faults: Vec<String> = error
        .clone()
        .into_iter()
        .map(|e| {
            let key = e.path.join(".");
            let place = e.metadata.as_ref().map(source_name).unwrap_or_default();
            let place = if place.is_empty() { String::new() } else { format!(" (from {place})") };
            let what = e
                .kind
                .to_string()
                .trim_end()
                .replace("expected socket address", "expected an IP address and a port, such as 127.0.0.1:8080");
            let what = what.replace("invalid socket address syntax", "write an IP address and a port, such as 127.0.0.1:8080");
            if key.is_empty() { format!("{what}{place}") } else { format!("{key}: {what}{place}") }
        })
        .collect();
    format!("The configuration cannot be used: {}. See config.default.toml for every key and its form.", faults.join("; "))
}

fn source_name(metadata: &figment::Metadata) -> String {
    match &metadata.source {
        Some(figment::Source::File(path)) => path.display().to_string(),
        _ if metadata.name.contains("environment") => "the environment".into(),
        _ if metadata.name.contains("Config") => "the default".into(),
        _ => "a flag".into(),
    }
}

impl Loaded {
    /// The effective values with where each came from, one a line; passwords inside addresses are masked.
    pub fn print(&self, mut out: impl std::io::Write) -> std::io::Result<()> {
        let value = serde_json::to_value(&self.config).unwrap_or_default();
        let mut lines = Vec::new();
        flatten("", &value, &mut lines);
        let width = lines.iter().map(|(k, v)| k.len() + v.len() + 3).max().unwrap_or(0);
        for (key, value) in lines {
            let from = self.figment.find_metadata(&key).map(source_name).unwrap_or_else(|| "the default".into());
            let from =
                if key == "public_url" && value == format!("\"http://{}\"", self.config.listen) { "listen".into() } else { from };
            let line = format!("{key} = {value}");
            writeln!(out, "{line:width$}  # from {from}")?;
        }
        Ok(())
    }
}

fn flatten(prefix: &str, value: &serde_json::Value, lines: &mut Vec<(String, String)>) {
    match value {
        serde_json::Value::Object(map) => {
            for (k, v) in map {
                let key = if prefix.is_empty() { k.clone() } else { format!("{prefix}.{k}") };
                flatten(&key, v, lines);
            }
        }
        serde_json::Value::String(s) => lines.push((prefix.to_owned(), format!("\"{}\"", mask(s)))),
        other => lines.push((prefix.to_owned(), other.to_string())),
    }
}

/// Hides the password of an address with one.
pub fn mask(text: &str) -> String {
    if let Some((scheme, rest)) = text.split_once("://")
        && let Some((user, host)) = rest.rsplit_once('@')
        && let Some((name, _)) = user.split_once(':')
    {
        return format!("{scheme}://{name}:****@{host}");
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_default_file_is_the_default() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config.default.toml");
        let documented: Config = Figment::from(Toml::file_exact(&path)).extract().expect("every key, no other");
        assert_eq!(serde_json::to_value(documented).unwrap(), serde_json::to_value(Config::default()).unwrap());
    }

    #[test]
    fn values_that_cannot_be_meant_are_refused_by_name() {
        let refused = |change: fn(&mut Config)| {
            let mut config = Config { public_url: "http://127.0.0.1:8080".into(), ..Config::default() };
            check(&config).expect("the default, made whole");
            change(&mut config);
            check(&config).expect_err("a refusal").to_string()
        };
        assert!(
            refused(|c| c.sync.lease = "0s".into()).starts_with("sync.lease = \"0s\" is out of bounds: write a duration from 1s")
        );
        assert!(refused(|c| c.sync.interval = "9999999999999999999d".into()).starts_with("sync.interval"));
        assert!(refused(|c| c.sync.workers = 0).starts_with("sync.workers = 0"));
        assert!(refused(|c| c.auth.argon2_memory_kib = u32::MAX).contains("from 8 to 1048576"));
        for url in ["nonsense", "ftp://x/", "http:", "//x"] {
            let mut config = Config { public_url: url.into(), ..Config::default() };
            config.log.level = "info,sync=debug".into();
            assert!(check(&config).expect_err(url).to_string().contains("public_url"), "{url}");
        }
        assert!(refused(|c| c.log.format = "xml".into()).contains("text or json"));
        assert!(refused(|c| c.log.level = "inf".into()).contains("error, warn, info"));
        assert!(refused(|c| c.log.level = "sync=loud".into()).contains("error, warn, info"));
    }

    #[test]
    fn a_password_in_an_address_is_masked() {
        assert_eq!(mask("postgres://ada:s3cret@db/rollcall"), "postgres://ada:****@db/rollcall");
        assert_eq!(mask("postgres://ada:p@ss@db/rollcall"), "postgres://ada:****@db/rollcall");
        assert_eq!(mask("sqlite://./data/x.db"), "sqlite://./data/x.db");
    }

    #[test]
    fn durations_name_their_unit() {
        assert_eq!(duration("3m").unwrap(), Duration::from_secs(180));
        assert!(duration("3").is_err());
        assert!(duration("-3s").is_err());
    }
}
