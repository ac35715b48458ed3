//! Texts and addresses that break programs, for tests. Nothing of others' is copied here: the Big List of Naughty Strings comes from its
//! package, look-alikes from Unicode's tables in `unicode-security`, the rest is made by rule, the same at every run.

pub mod addresses;
pub mod confusables;
pub mod texts;
