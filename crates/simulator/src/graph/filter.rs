//! `$filter`: the subset directories are asked with, parsed and applied. What it does not know is refused, never ignored.

use std::cmp::Ordering;

use serde_json::Value;

use super::query::Type;
use crate::clock::read_time;
use crate::properties::{GroupProp, UserProp};

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Both.
    And(Box<Filter>, Box<Filter>),
    /// Either.
    Or(Box<Filter>, Box<Filter>),
    /// Not.
    Not(Box<Filter>),
    /// `property eq value`.
    Eq(String, Value),
    /// `property ne value`.
    Ne(String, Value),
    /// `property in (…)`.
    In(String, Vec<Value>),
    /// `startswith(property,'…')`.
    Starts(String, String),
    /// `endswith(property,'…')`.
    Ends(String, String),
    /// `property/any(x:x eq value)`.
    Any(String, Value),
    /// `property/any(x:startswith(x,'…'))`.
    AnyStarts(String, String),
    /// `property/any(x:endswith(x,'…'))`.
    AnyEnds(String, String),
    /// A time is before, at or after another, in milliseconds since 1970; whether being at it is enough.
    Time(String, Ordering, bool, i64),
}

/// What the values of a property are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Truth,
    Texts,
    Time,
}

/// What the values of a property that can be filtered by are.
fn form(name: &str) -> Form {
    match name {
        "accountEnabled" | "onPremisesSyncEnabled" | "securityEnabled" | "mailEnabled" => Form::Truth,
        "groupTypes" | "proxyAddresses" | "otherMails" => Form::Texts,
        "createdDateTime" => Form::Time,
        _ => Form::Text,
    }
}

/// Properties that can be filtered by.
const FILTERABLE: &[&str] = &[
    "id",
    "displayName",
    "userPrincipalName",
    "mail",
    "accountEnabled",
    "userType",
    "givenName",
    "surname",
    "mailNickname",
    "jobTitle",
    "department",
    "employeeId",
    "city",
    "country",
    "companyName",
    "onPremisesSyncEnabled",
    "securityEnabled",
    "mailEnabled",
    "groupTypes",
    "proxyAddresses",
    "otherMails",
    "usageLocation",
    "createdDateTime",
];

impl Filter {
    /// Reads a `$filter` of users, groups or both.
    ///
    /// # Errors
    /// A sentence as Graph words it.
    pub fn parse(text: &str, kind: Type) -> Result<Self, String> {
        let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
        if parser.tokens.len() > MAX_TOKENS {
            return Err("The filter clause is too long.".to_owned());
        }
        let filter = parser.or()?;
        match parser.peek() {
            None => filter.fits(kind).map(|()| filter),
            Some(_) => Err("Invalid filter clause".to_owned()),
        }
    }

    /// Whether it needs `ConsistencyLevel: eventual` and `$count=true`.
    #[must_use]
    pub fn is_advanced(&self) -> bool {
        match self {
            Self::And(a, b) | Self::Or(a, b) => a.is_advanced() || b.is_advanced(),
            Self::Not(_) | Self::Ne(..) | Self::Ends(..) | Self::AnyEnds(..) => true,
            Self::Eq(_, value) => value.is_null(),
            Self::In(..) | Self::Starts(..) | Self::Any(..) | Self::AnyStarts(..) | Self::Time(..) => false,
        }
    }

    /// Whether an object fulfils it. `value` reads a property.
    #[must_use]
    pub fn holds(&self, value: &dyn Fn(&str) -> Value) -> bool {
        let text = |name: &str| value(name).as_str().map(str::to_lowercase);
        match self {
            Self::And(a, b) => a.holds(value) && b.holds(value),
            Self::Or(a, b) => a.holds(value) || b.holds(value),
            Self::Not(a) => !a.holds(value),
            Self::Eq(name, wanted) => same(&value(name), wanted),
            Self::Ne(name, wanted) => !same(&value(name), wanted),
            Self::In(name, wanted) => wanted.iter().any(|w| same(&value(name), w)),
            Self::Starts(name, start) => text(name).is_some_and(|t| t.starts_with(start)),
            Self::Ends(name, end) => text(name).is_some_and(|t| t.ends_with(end)),
            Self::Any(name, wanted) => any(&value(name), &|v| same(v, wanted)),
            Self::AnyStarts(name, start) => {
                any(&value(name), &|v| v.as_str().is_some_and(|t| t.to_lowercase().starts_with(start)))
            }
            Self::AnyEnds(name, end) => any(&value(name), &|v| v.as_str().is_some_and(|t| t.to_lowercase().ends_with(end))),
            Self::Time(name, wanted, or_equal, at) => {
                let order = value(name).as_str().and_then(read_time).map(|t| t.cmp(at));
                order.is_some_and(|o| o == *wanted || (*or_equal && o == Ordering::Equal))
            }
        }
    }

    /// Refuses a property that the objects do not have, and a value or function that does not go with it: it could only answer with nobody.
    fn fits(&self, kind: Type) -> Result<(), String> {
        let goes = |name: &str, right: bool| {
            let (user, group) = (UserProp::find(name).is_some(), GroupProp::find(name).is_some());
            let there = match kind {
                Type::User => user,
                Type::Group => group,
                Type::Any => user || group,
            };
            if there && right { Ok(()) } else { Err(unfit(name)) }
        };
        let value = |name: &str, value: &Value| {
            value.is_null() && form(name) != Form::Texts
                || match form(name) {
                    Form::Text => value.is_string(),
                    Form::Truth => value.is_boolean(),
                    Form::Texts | Form::Time => false,
                }
        };
        match self {
            Self::And(a, b) | Self::Or(a, b) => a.fits(kind).and_then(|()| b.fits(kind)),
            Self::Not(a) => a.fits(kind),
            Self::Eq(name, v) | Self::Ne(name, v) => goes(name, value(name, v)),
            Self::In(name, all) => goes(name, all.iter().all(|v| value(name, v))),
            Self::Starts(name, _) => goes(name, form(name) == Form::Text),
            Self::Ends(name, _) => goes(name, matches!(name.as_str(), "mail" | "userPrincipalName")),
            Self::Any(name, v) => goes(name, form(name) == Form::Texts && v.is_string()),
            Self::AnyStarts(name, _) => goes(name, form(name) == Form::Texts),
            Self::AnyEnds(name, _) => goes(name, matches!(name.as_str(), "otherMails" | "proxyAddresses")),
            Self::Time(name, ..) => goes(name, form(name) == Form::Time),
        }
    }

    /// The ids of `id eq 'a' or id eq 'b' …`, when it says nothing else.
    #[must_use]
    pub fn ids(&self) -> Option<Vec<String>> {
        match self {
            Self::Eq(name, Value::String(id)) if name == "id" => Some(vec![id.clone()]),
            Self::Or(a, b) => {
                let mut ids = a.ids()?;
                ids.extend(b.ids()?);
                Some(ids)
            }
            _ => None,
        }
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a.as_str(), b.as_str()) {
        (Some(a), Some(b)) => a.to_lowercase() == b.to_lowercase(),
        _ => a == b,
    }
}

fn any(values: &Value, fits: &dyn Fn(&Value) -> bool) -> bool {
    values.as_array().is_some_and(|a| a.iter().any(fits))
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut out = vec![];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            ' ' => {}
            '(' | ')' | ',' | ':' => out.push(Token::Sign(c)),
            '\'' => {
                let mut value = String::new();
                loop {
                    match chars.next() {
                        Some('\'') if chars.peek() == Some(&'\'') => {
                            chars.next();
                            value.push('\'');
                        }
                        Some('\'') => break,
                        Some(c) => value.push(c),
                        None => return Err("There is an unterminated string literal in the filter clause.".to_owned()),
                    }
                }
                out.push(Token::Text(value));
            }
            c => {
                // A time holds colons, and is the only word that begins with a digit and does.
                let ends = if c.is_ascii_digit() { " (),'" } else { " (),:'" };
                let mut word = String::from(c);
                while let Some(c) = chars.next_if(|c| !ends.contains(*c)) {
                    word.push(c);
                }
                out.push(Token::Word(word));
            }
        }
    }
    Ok(out)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

/// Words and signs of the longest filter taken; conditions are walked recursively, so it bounds the stack.
const MAX_TOKENS: usize = 2_000;

/// Deepest nesting of parentheses and `not`.
const MAX_DEPTH: usize = 40;

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn word(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(w)) if w.eq_ignore_ascii_case(wanted));
        self.at += usize::from(found);
        found
    }

    fn sign(&mut self, wanted: char) -> Result<(), String> {
        if self.peek() == Some(&Token::Sign(wanted)) {
            self.at += 1;
            Ok(())
        } else {
            Err("Invalid filter clause".to_owned())
        }
    }

    fn or(&mut self) -> Result<Filter, String> {
        let mut left = self.and()?;
        while self.word("or") {
            left = Filter::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Filter, String> {
        let mut left = self.unary()?;
        while self.word("and") {
            left = Filter::And(Box::new(left), Box::new(self.unary()?));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Filter, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("The filter clause is nested too deeply.".to_owned());
        }
        let filter = self.unary_inside();
        self.depth -= 1;
        filter
    }

    fn unary_inside(&mut self) -> Result<Filter, String> {
        if self.word("not") {
            return Ok(Filter::Not(Box::new(self.unary()?)));
        }
        if self.peek() == Some(&Token::Sign('(')) {
            self.at += 1;
            let inner = self.or()?;
            self.sign(')')?;
            return Ok(inner);
        }
        self.comparison()
    }

    fn name(&mut self) -> Result<String, String> {
        let Some(Token::Word(word)) = self.peek().cloned() else { return Err("Invalid filter clause".to_owned()) };
        self.at += 1;
        Ok(word)
    }

    fn comparison(&mut self) -> Result<Filter, String> {
        if let Some((ends, name, text)) = self.function()? {
            let name = known(&name)?;
            return Ok(if ends { Filter::Ends(name, text) } else { Filter::Starts(name, text) });
        }
        let name = self.name()?;
        if let Some((collection, _)) = name.rsplit_once('/').filter(|(_, any)| any.eq_ignore_ascii_case("any")) {
            let collection = known(collection)?;
            self.sign('(')?;
            let variable = self.name()?;
            self.sign(':')?;
            let filter = match self.function()? {
                Some((_, of, _)) if of != variable => return Err("Invalid filter clause".to_owned()),
                Some((true, _, text)) => Filter::AnyEnds(collection, text),
                Some((false, _, text)) => Filter::AnyStarts(collection, text),
                None if self.name()? == variable && self.word("eq") => Filter::Any(collection, self.literal()?),
                None => return Err("Invalid filter clause".to_owned()),
            };
            self.sign(')')?;
            return Ok(filter);
        }
        let name = known(&name)?;
        if form(&name) == Form::Time {
            return self.time(name);
        }
        if self.word("eq") {
            return Ok(Filter::Eq(name, self.literal()?));
        }
        if self.word("ne") {
            return Ok(Filter::Ne(name, self.literal()?));
        }
        if self.word("in") {
            self.sign('(')?;
            let mut values = vec![self.literal()?];
            while self.peek() == Some(&Token::Sign(',')) {
                self.at += 1;
                values.push(self.literal()?);
            }
            self.sign(')')?;
            return Ok(Filter::In(name, values));
        }
        Err(unfit(&name))
    }

    /// `startswith(name,'…')` or `endswith(name,'…')`: whether it is the latter, the name, and the text in lower case.
    fn function(&mut self) -> Result<Option<(bool, String, String)>, String> {
        let ends = self.word("endswith");
        if !ends && !self.word("startswith") {
            return Ok(None);
        }
        self.sign('(')?;
        let name = self.name()?;
        self.sign(',')?;
        let Value::String(text) = self.literal()? else { return Err("Invalid filter clause".to_owned()) };
        self.sign(')')?;
        Ok(Some((ends, name, text.to_lowercase())))
    }

    fn time(&mut self, name: String) -> Result<Filter, String> {
        let (order, or_equal, not) = match self.name()?.to_lowercase().as_str() {
            "eq" => (Ordering::Equal, false, false),
            "ne" => (Ordering::Equal, false, true),
            "ge" => (Ordering::Greater, true, false),
            "gt" => (Ordering::Greater, false, false),
            "le" => (Ordering::Less, true, false),
            "lt" => (Ordering::Less, false, false),
            _ => return Err(unfit(&name)),
        };
        if order == Ordering::Equal && self.word("null") {
            return Ok(if not { Filter::Ne(name, Value::Null) } else { Filter::Eq(name, Value::Null) });
        }
        let Some(at) = self.peek().and_then(|t| if let Token::Word(w) = t { read_time(w) } else { None }) else {
            return Err(unfit(&name));
        };
        self.at += 1;
        let filter = Filter::Time(name, order, or_equal, at);
        Ok(if not { Filter::Not(Box::new(filter)) } else { filter })
    }

    fn literal(&mut self) -> Result<Value, String> {
        let value = match self.peek() {
            Some(Token::Text(t)) => Value::String(t.clone()),
            Some(Token::Word(w)) if w == "true" => Value::Bool(true),
            Some(Token::Word(w)) if w == "false" => Value::Bool(false),
            Some(Token::Word(w)) if w == "null" => Value::Null,
            _ => return Err("Invalid filter clause".to_owned()),
        };
        self.at += 1;
        Ok(value)
    }
}

fn known(name: &str) -> Result<String, String> {
    match FILTERABLE.iter().find(|f| f.eq_ignore_ascii_case(name)) {
        Some(f) => Ok((*f).to_owned()),
        None => Err(unfit(name)),
    }
}

fn unfit(name: &str) -> String {
    format!("Unsupported or invalid query filter clause specified for property '{name}' of resource 'DirectoryObject'.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ada(name: &str) -> Value {
        match name {
            "displayName" => json!("Ada O'Neil"),
            "accountEnabled" => json!(true),
            "proxyAddresses" => json!(["SMTP:ada@x.example"]),
            "createdDateTime" => json!("2021-03-04T05:06:07Z"),
            _ => Value::Null,
        }
    }

    #[test]
    fn conditions_are_read_and_applied() {
        for (text, holds) in [
            ("displayName eq 'ada o''neil'", true),
            ("startswith(displayName,'ADA') and accountEnabled eq true", true),
            ("displayName in ('x','Ada O''Neil')", true),
            ("not(accountEnabled eq true) or mail eq null", true),
            ("mail ne null", false),
            ("proxyAddresses/any(p:p eq 'smtp:ada@x.example')", true),
            ("proxyAddresses/Any(a:startsWith(a,'SMTP:ada'))", true),
            ("otherMails/any(a:endswith(a,'.example'))", false),
            ("createdDateTime ge 2021-03-04T05:06:07Z and createdDateTime lt 2021-03-05", true),
            ("createdDateTime gt 2021-03-04T07:06:07+02:00 or createdDateTime ne 2021-03-04T05:06:07.000Z", false),
        ] {
            assert_eq!(Filter::parse(text, Type::User).map(|f| f.holds(&ada)), Ok(holds), "{text}");
        }
        for text in [
            "",
            "displayName",
            "aboutMe eq 'x'",
            "displayName gt 'a'",
            "accountEnabled eq 'true'",
            "displayName eq true",
            "securityEnabled eq true",
            "proxyAddresses eq 'a'",
            "displayName/any(d:d eq 'a')",
            "proxyAddresses/any(p:startswith(q,'a'))",
            "endswith(displayName,'a')",
            "createdDateTime ge '2021-03-04'",
            "createdDateTime ge 2021-13-04",
            "(displayName eq 'a'",
            "displayName eq 'a",
            "displayName eq 'a' displayName",
        ] {
            assert!(Filter::parse(text, Type::User).is_err(), "{text}");
        }
    }
}
