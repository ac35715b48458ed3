//! A checked expression as a tree that is walked for each user.

use super::functions::Function;
use model::attributes::Name;
use regex::Regex;
use std::collections::BTreeSet;

/// A node.
#[derive(Debug)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Box<str>),
    /// A user's attribute.
    Attribute(Name),
    /// The user's own object id.
    Id,
    /// The user's manager.
    Manager,
    /// The element a macro is at. There is one at most, because macros do not nest.
    Element,
    Part(Box<Node>, Box<str>),
    /// `has(x.part)`.
    Has(Box<Node>, Box<str>),
    Index(Box<Node>, Box<Node>),
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    /// Condition, then, else.
    Choose(Box<[Node; 3]>),
    Equal(Box<Node>, Box<Node>),
    Unequal(Box<Node>, Box<Node>),
    Compare(Comparison, Box<Node>, Box<Node>),
    Calculate(Operator, Box<Node>, Box<Node>),
    In(Box<Node>, Box<Node>),
    /// `x in [..]` where every element is a text that was written out.
    InTexts(Box<Node>, BTreeSet<Box<str>>),
    List(Vec<Node>),
    Call(Function, Vec<Node>),
    Matches(Box<Node>, Regex),
    Over(Box<Over>),
}

/// A macro over a list.
#[derive(Debug)]
pub(super) struct Over {
    pub(super) what: Macro,
    pub(super) list: Node,
    pub(super) condition: Node,
    /// What `map` makes of each element; else the condition's place is the whole of it.
    pub(super) made: Option<Node>,
}

/// What a macro does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Macro {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Less,
    AtMost,
    Greater,
    AtLeast,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}
