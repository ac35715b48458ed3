//! For tests only: what a test needs around the code it is about.
//!
//! - [`simulator`]: a pretended Microsoft on a free port.
//! - [`databases`]: a new SQLite file or PostgreSQL database for each test.
//! - [`binary`]: the program as a process, in a folder of its own.
//! - [`corpora`]: texts and addresses that break programs.
//! - [`dump`]: what a database means, as text to compare.
//! - [`story`]: one tenant with whom the story puts there, and the program beside it.
//! - [`kill`]: `kill -9` at seeded instants, and what is left after a restart.
//!
//! Nothing of this is part of the program; a test holds that so (`tests/house.rs`).

pub mod binary;
pub mod corpora;
pub mod databases;
pub mod dump;
pub mod kill;
pub mod simulator;
pub mod story;
