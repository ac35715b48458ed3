//! Records: clients, sites, people, and the links that tie people to users.

pub(crate) mod clients;
pub(crate) mod import;
pub(crate) mod keys;
pub(crate) mod links;
pub(crate) mod people;
pub(crate) mod search;

pub use import::{HERE, Import, ImportOutcome, ImportedPerson};
pub use people::PersonEdit;
pub use search::{ExportRow, PersonFilter, PersonRow, PersonView};

use crate::error::{Result, StoreError};
use model::Kind;
use model::records::Status;

/// The target of records that live here and nowhere else: without a PSA, these are the PSA.
pub const EMBEDDED: &str = "embedded";

pub(crate) fn kind_code(kind: Kind) -> i64 {
    match kind {
        Kind::Agent => 0,
        Kind::Contact => 1,
    }
}

pub(crate) fn kind(code: i64) -> Result<Kind> {
    match code {
        0 => Ok(Kind::Agent),
        1 => Ok(Kind::Contact),
        other => Err(StoreError::Corrupt(format!("people.kind is {other}"))),
    }
}

pub(crate) fn status_code(status: Status) -> i64 {
    match status {
        Status::Active => 0,
        Status::Inactive => 1,
        Status::Archived => 2,
    }
}

pub(crate) fn status(code: i64) -> Result<Status> {
    match code {
        0 => Ok(Status::Active),
        1 => Ok(Status::Inactive),
        2 => Ok(Status::Archived),
        other => Err(StoreError::Corrupt(format!("people.status is {other}"))),
    }
}
