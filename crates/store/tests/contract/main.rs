//! What the store promises, on every database it runs on. One story a test; each runs on SQLite and on PostgreSQL.

mod access;
mod applying;
mod connections;
mod holding;
mod leases;
mod mirror;
mod opening;
mod planning;
mod records;
mod review;
mod rules;
mod runs;
mod secrets;
mod touching;
mod world;
