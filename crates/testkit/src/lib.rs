//! For tests only: what a test needs around the code it is about.
//!
//! - [`simulator`]: a pretended Microsoft on a free port.
//! - [`binary`]: the program as a process, in a folder of its own.
//!
//! Nothing of this is part of the program; a test holds that so (`tests/house.rs`).

pub mod binary;
pub mod simulator;
