//! Who lives in the pretended tenants. Nothing is stored: a person or group is computed from (tenant, index) each time it is asked for.

pub mod companies;
pub mod groups;
pub mod names;
pub mod person;
