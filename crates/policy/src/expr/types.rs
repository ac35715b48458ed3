//! What a value can be, as far as it is known before any user is seen. Every value can also be null, because every attribute can.

use crate::source::{TRUTHS, is_attribute, is_extension};
use std::fmt;

/// A type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Type {
    /// Not known: what a directory extension holds.
    Any,
    /// Null alone.
    Null,
    Bool,
    /// A whole number.
    Int,
    /// A decimal number.
    Double,
    Text,
    /// An instant.
    Time,
    List(Box<Type>),
    Object(Object),
}

/// A value with parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Object {
    Licence,
    Organisation,
    Extensions,
    Manager,
}

impl Object {
    /// The names of its parts, for sentences.
    pub(super) fn parts(self) -> &'static str {
        match self {
            Object::Licence => "skuId and disabledPlans",
            Object::Organisation => "costCenter and division",
            Object::Extensions => "extensionAttribute1 to extensionAttribute15",
            Object::Manager => "id",
        }
    }

    /// The type of a part.
    pub(super) fn part(self, name: &str) -> Option<Type> {
        match (self, name) {
            (Object::Licence, "disabledPlans") => Some(Type::List(Box::new(Type::Text))),
            (Object::Licence, "skuId") | (Object::Organisation, "costCenter" | "division") | (Object::Manager, "id") => {
                Some(Type::Text)
            }
            (Object::Extensions, name) => crate::source::is_extension_attribute(name).then_some(Type::Text),
            _ => None,
        }
    }
}

impl Type {
    /// The type of a user's attribute; none when users have no such attribute.
    pub(super) fn of_attribute(name: &str) -> Option<Self> {
        let texts = || Type::List(Box::new(Type::Text));
        Some(match name {
            name if TRUTHS.contains(&name) => Type::Bool,
            "assignedLicenses" => Type::List(Box::new(Type::Object(Object::Licence))),
            "businessPhones" | "imAddresses" | "otherMails" | "proxyAddresses" => texts(),
            "employeeOrgData" => Type::Object(Object::Organisation),
            "onPremisesExtensionAttributes" => Type::Object(Object::Extensions),
            name if is_extension(name) => Type::Any,
            name if is_attribute(name) => Type::Text,
            _ => return None,
        })
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self, Type::Int | Type::Double)
    }

    /// Whether a value of one type can ever be one of the other.
    pub(super) fn fits(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::Any | Type::Null, _) | (_, Type::Any | Type::Null) => true,
            (Type::List(a), Type::List(b)) => a.fits(b),
            (a, b) => a == b || (a.is_number() && b.is_number()),
        }
    }

    /// What either of two values is.
    pub(super) fn or(self, other: Type) -> Type {
        match (self, other) {
            (Type::Null, other) => other,
            (one, Type::Null) => one,
            (one, other) if one == other => one,
            _ => Type::Any,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Any => "any value",
            Type::Null => "null",
            Type::Bool => "true or false",
            Type::Int => "a whole number",
            Type::Double => "a number",
            Type::Text => "a text",
            Type::Time => "a time",
            Type::List(_) => "a list",
            Type::Object(_) => "a value with parts",
        })
    }
}
