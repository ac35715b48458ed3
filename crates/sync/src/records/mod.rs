//! Records in files: CSV in and out.

pub mod csv;
pub mod export;
