//! The expression language of filters and computed values: CEL over one user's attributes (ruling 23).
//!
//! A text goes through four doors, each of which can refuse it: its size and nesting are counted before anything parses it; the
//! `cel` crate parses it, on a thread whose stack nothing that passed the first door can exhaust; the tree is checked, name by name
//! and type by type; and what is kept is a program of our own, which borrows a user's attributes instead of copying them, knows what
//! null means in a directory (ruling 38), and stops when it has done more work than any honest expression needs.

mod check;
mod evaluate;
mod functions;
mod guard;
mod node;
mod types;
mod value;

use crate::expr::types::Type;
use model::Expression;
use std::sync::Arc;
use std::thread;

/// Longest expression, in bytes. Twenty conditions fit; a longer one is a list that belongs into groups or several rules.
const LONGEST: usize = 2_048;

/// Stack of the thread that parses, in bytes. The parser takes some kilobytes for each level, and a level costs at least one byte.
const STACK: usize = 16 << 20;

/// What an expression is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A condition: true or false.
    Condition,
    /// A value of a field, a site's name or a matching key: anything a field can hold.
    Value,
}

/// What an expression yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Yields {
    /// One value, or none.
    One,
    /// True or false, or nothing: no text that could name anything.
    Truth,
    /// A list of values.
    Many,
}

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (character {character} of the expression)")]
pub struct BadExpression {
    /// Where, in characters from 1.
    pub character: usize,
    /// What is wrong and what to do.
    pub message: String,
}

/// Checks an expression and makes it ready to be asked about any number of users.
///
/// # Errors
/// The first fault: too large, not the language, a name or function that is not known, types that cannot go together.
pub fn compile(text: &str, used: Use) -> Result<(Expression, Yields), BadExpression> {
    if text.len() > LONGEST {
        let message =
            format!("the expression has {} bytes and may have {LONGEST}; make several rules of it, or a group", text.len());
        return Err(BadExpression { character: 1, message });
    }
    guard::check(text)?;
    let source = text.to_owned();
    let spawned = thread::Builder::new().name("expression".to_owned()).stack_size(STACK).spawn(move || check::compile(&source));
    // A parser that panics has met a text that nobody wrote in earnest.
    let broken = |why: &str| BadExpression {
        character: 1,
        message: format!("the expression cannot be read: {why}; write it in another way"),
    };
    let joined = spawned.map_err(|e| broken(&e.to_string()))?.join();
    let checked = joined.map_err(|_| broken("its parser gave up"))??;
    let yields = match (used, &checked.yields) {
        (Use::Condition, Type::Bool | Type::Any) => Yields::One,
        (Use::Condition, other) => {
            let message = format!(
                "a condition is true or false, and this is {other}; compare it with something, as in department == \"Sales\""
            );
            return Err(BadExpression { character: 1, message });
        }
        (Use::Value, Type::List(_)) => Yields::Many,
        (Use::Value, Type::Bool) => Yields::Truth,
        (Use::Value, Type::Object(_)) => {
            return Err(BadExpression {
                character: 1,
                message: "this has parts; name one of them, as in employeeOrgData.division".to_owned(),
            });
        }
        (Use::Value, _) => Yields::One,
    };
    Ok((Expression::new(text, Arc::new(checked.program)), yields))
}
