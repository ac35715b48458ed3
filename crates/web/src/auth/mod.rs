//! Who calls, and what they may do. Authority is obtained, not checked: a handler takes a [`Viewer`], [`Operator`] or [`Admin`]
//! and cannot be reached without one.

pub(crate) mod attempts;
pub(crate) mod caller;
pub(crate) mod cookie;
pub(crate) mod csrf;
pub(crate) mod password;
pub(crate) mod secret;
pub(crate) mod session;

pub(crate) use caller::{Admin, Caller, Operator, Viewer};
