//! The functions: what they are called, what they take and what they yield.

use super::types::Type;

/// A function of one user's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    Lower,
    Upper,
    LowerAscii,
    UpperAscii,
    Trim,
    Replace,
    Substring,
    IndexOf,
    LastIndexOf,
    Split,
    Join,
    ToText,
    ToInt,
    ToDouble,
    ToTime,
}

/// How a function is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `f(x)`.
    Plain,
    /// `x.f()`.
    Method,
    /// Either.
    Both,
}

/// What a function takes in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Text,
    Texts,
    /// A text or a list.
    Sized,
    Int,
    /// A text, a number, true or false.
    Scalar,
}

impl Takes {
    /// Whether a value of a type may stand there.
    pub(super) fn admits(self, given: &Type) -> bool {
        match (self, given) {
            (_, Type::Any | Type::Null)
            | (Takes::Sized, Type::Text | Type::List(_))
            | (Takes::Text, Type::Text)
            | (Takes::Int, Type::Int) => true,
            (Takes::Texts, given) => given.fits(&Type::List(Box::new(Type::Text))),
            (Takes::Scalar, given) => given.is_number() || matches!(given, Type::Text | Type::Bool | Type::Time),
            _ => false,
        }
    }

    /// For a sentence.
    pub(super) fn shown(self) -> &'static str {
        match self {
            Takes::Text => "a text",
            Takes::Texts => "a list of texts",
            Takes::Sized => "a text or a list",
            Takes::Int => "a whole number",
            Takes::Scalar => "one value",
        }
    }
}

/// A function as it is written and checked.
pub(super) struct Signature {
    pub(super) name: &'static str,
    pub(super) style: Style,
    pub(super) function: Function,
    pub(super) takes: &'static [Takes],
    /// How many of them must be given.
    pub(super) least: usize,
    pub(super) yields: fn() -> Type,
}

macro_rules! functions {
    ($($name:literal $style:ident $function:ident($($takes:ident),*) $least:literal $yields:expr;)*) => {
        /// Every function. CEL's own, those of its common text extension that filters of people use, and `lower` and `upper`, which
        /// change letters of every script.
        pub(super) const FUNCTIONS: &[Signature] = &[$(Signature {
            name: $name,
            style: Style::$style,
            function: Function::$function,
            takes: &[$(Takes::$takes),*],
            least: $least,
            yields: || $yields,
        }),*];
    };
}

functions! {
    "size" Both Size(Sized) 1 Type::Int;
    "contains" Method Contains(Text, Text) 2 Type::Bool;
    "startsWith" Method StartsWith(Text, Text) 2 Type::Bool;
    "endsWith" Method EndsWith(Text, Text) 2 Type::Bool;
    "lower" Both Lower(Text) 1 Type::Text;
    "upper" Both Upper(Text) 1 Type::Text;
    "lowerAscii" Method LowerAscii(Text) 1 Type::Text;
    "upperAscii" Method UpperAscii(Text) 1 Type::Text;
    "trim" Method Trim(Text) 1 Type::Text;
    "replace" Method Replace(Text, Text, Text) 3 Type::Text;
    "substring" Method Substring(Text, Int, Int) 2 Type::Text;
    "indexOf" Method IndexOf(Text, Text) 2 Type::Int;
    "lastIndexOf" Method LastIndexOf(Text, Text) 2 Type::Int;
    "split" Method Split(Text, Text) 2 Type::List(Box::new(Type::Text));
    "join" Method Join(Texts, Text) 1 Type::Text;
    "string" Plain ToText(Scalar) 1 Type::Text;
    "int" Plain ToInt(Scalar) 1 Type::Int;
    "double" Plain ToDouble(Scalar) 1 Type::Double;
    "timestamp" Plain ToTime(Text) 1 Type::Time;
}

/// Names of functions that the checker knows by itself.
pub(super) const OWN: [&str; 7] = ["matches", "has", "all", "exists", "exists_one", "filter", "map"];
