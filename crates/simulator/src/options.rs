//! What a simulator can be told before it starts.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Which quota an app gets in each tenant, in resource units per 10 s (documented for tenants under 50, under 500 and over 500 users).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Throttle {
    /// Costs are counted and shown, nothing is refused.
    #[default]
    Off,
    /// 3,500 units.
    S,
    /// 5,000 units.
    M,
    /// 8,000 units.
    L,
}

impl Throttle {
    /// Resource units per 10 s; `None` when nothing is refused.
    #[must_use]
    pub fn units(self) -> Option<u64> {
        match self {
            Self::Off => None,
            Self::S => Some(3_500),
            Self::M => Some(5_000),
            Self::L => Some(8_000),
        }
    }
}

/// Changes that happen by themselves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Churn {
    /// Share of each tenant's users that is changed each time, in percent.
    pub percent: f64,
    /// Seconds between two times.
    pub every_seconds: u64,
}

impl std::str::FromStr for Churn {
    type Err = String;

    /// Reads `PERCENT/SECONDS`, for example `1/60`: one percent of the users every minute.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong =
            || format!("{text:?} is not PERCENT/SECONDS; write for example 1/60 for one percent of the users every minute");
        let (percent, every) = text.split_once('/').ok_or_else(wrong)?;
        let percent: f64 = percent.trim_end_matches('%').parse().map_err(|_| wrong())?;
        let every_seconds: u64 = every.trim_end_matches('s').parse().map_err(|_| wrong())?;
        if !(0.0..=100.0).contains(&percent) || every_seconds == 0 {
            return Err(wrong());
        }
        Ok(Self { percent, every_seconds })
    }
}

/// Everything a simulator is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Number of tenants.
    pub tenants: u32,
    /// Users in each tenant.
    pub users: u32,
    /// Groups in each tenant.
    pub groups: u32,
    /// Direct memberships of each user.
    pub memberships: u32,
    /// Objects on a delta page (1 to 999).
    pub page_size: u32,
    /// Decides everything that looks random.
    pub seed: u64,
    /// Whether the documented quota is enforced.
    pub throttle: Throttle,
    /// Changes that happen by themselves.
    pub churn: Option<Churn>,
    /// A JSON file of faults, active from the start.
    pub faults: Option<PathBuf>,
    /// The origin put into links and metadata, when clients come through something else than `listen`.
    pub public_url: Option<String>,
    /// Certificate chain (PEM) to serve https with.
    pub tls_cert: Option<PathBuf>,
    /// Private key (PEM) to serve https with.
    pub tls_key: Option<PathBuf>,
    /// Whether delta rounds show what the contract allows but few expect: empty pages, repeats, replays, any order.
    pub oddities: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tenants: 3,
            users: 120,
            groups: 16,
            memberships: 3,
            page_size: 200,
            seed: 1,
            throttle: Throttle::Off,
            churn: None,
            faults: None,
            public_url: None,
            tls_cert: None,
            tls_key: None,
            oddities: true,
        }
    }
}

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An option has a value outside its bounds.
    #[error("{0}")]
    Option(String),
    /// The address cannot be had.
    #[error("cannot listen on {addr}: {source}; choose another address, or port 0 for any free one")]
    Listen {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The faults file cannot be read.
    #[error("cannot use the faults file {path}: {why}; it is a JSON array of faults, see docs/simulator.md")]
    Faults {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Certificate or key cannot be used.
    #[error("cannot serve https: {0}; give --tls-cert and --tls-key PEM files that belong together")]
    Tls(String),
}

impl Options {
    /// Refuses values outside their bounds.
    ///
    /// # Errors
    /// [`StartError::Option`] with a sentence naming the option.
    pub fn check(&self) -> Result<(), StartError> {
        let wrong = |text: &str| Err(StartError::Option(text.to_owned()));
        if self.tenants == 0 || self.tenants > 100_000 {
            return wrong("--tenants must be between 1 and 100000");
        }
        if !(1..=999).contains(&self.page_size) {
            return wrong("--page-size must be between 1 and 999, as Graph's pages are");
        }
        if self.users > 100_000_000 || self.groups > 1_000_000 || self.memberships > 200 {
            return wrong("at most 100000000 users, 1000000 groups and 200 memberships a user can be pretended");
        }
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            return wrong("--tls-cert and --tls-key belong together; give both or neither");
        }
        if let Some(url) = &self.public_url
            && !url::Url::parse(url).is_ok_and(|u| matches!(u.scheme(), "http" | "https") && u.has_host())
        {
            return wrong("--public-url must be an origin such as http://127.0.0.1:4010");
        }
        Ok(())
    }
}
