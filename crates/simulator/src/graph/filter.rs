//! `$filter`: the subset directories are asked with, parsed and applied. What it does not know is refused, never ignored.

use serde_json::Value;

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
];

impl Filter {
    /// Reads a `$filter`.
    ///
    /// # Errors
    /// A sentence as Graph words it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
        if parser.tokens.len() > MAX_TOKENS {
            return Err("The filter clause is too long.".to_owned());
        }
        let filter = parser.or()?;
        match parser.peek() {
            None => Ok(filter),
            Some(_) => Err("Invalid filter clause".to_owned()),
        }
    }

    /// Whether it needs `ConsistencyLevel: eventual` and `$count=true`.
    #[must_use]
    pub fn is_advanced(&self) -> bool {
        match self {
            Self::And(a, b) | Self::Or(a, b) => a.is_advanced() || b.is_advanced(),
            Self::Not(_) | Self::Ne(..) | Self::Ends(..) => true,
            Self::Eq(_, value) => value.is_null(),
            Self::In(..) | Self::Starts(..) | Self::Any(..) => false,
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
            Self::Any(name, wanted) => value(name).as_array().is_some_and(|a| a.iter().any(|v| same(v, wanted))),
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
                let mut word = String::from(c);
                while let Some(c) = chars.next_if(|c| !" (),:'".contains(*c)) {
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

    fn property(&mut self) -> Result<String, String> {
        let name = self.name()?;
        known(&name)
    }

    fn comparison(&mut self) -> Result<Filter, String> {
        for ends in [false, true] {
            if self.word(if ends { "endswith" } else { "startswith" }) {
                self.sign('(')?;
                let name = self.property()?;
                self.sign(',')?;
                let Value::String(text) = self.literal()? else { return Err("Invalid filter clause".to_owned()) };
                self.sign(')')?;
                let text = text.to_lowercase();
                return Ok(if ends { Filter::Ends(name, text) } else { Filter::Starts(name, text) });
            }
        }
        let name = self.name()?;
        if let Some(collection) = name.strip_suffix("/any") {
            let collection = known(collection)?;
            self.sign('(')?;
            let variable = self.name()?;
            self.sign(':')?;
            if self.name()? != variable || !self.word("eq") {
                return Err("Invalid filter clause".to_owned());
            }
            let value = self.literal()?;
            self.sign(')')?;
            return Ok(Filter::Any(collection, value));
        }
        let name = known(&name)?;
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
        Err(format!("Unsupported or invalid query filter clause specified for property '{name}' of resource 'DirectoryObject'."))
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
        None => Err(format!(
            "Unsupported or invalid query filter clause specified for property '{name}' of resource 'DirectoryObject'."
        )),
    }
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
        ] {
            assert_eq!(Filter::parse(text).map(|f| f.holds(&ada)), Ok(holds), "{text}");
        }
        for text in [
            "",
            "displayName",
            "aboutMe eq 'x'",
            "displayName gt 'a'",
            "(displayName eq 'a'",
            "displayName eq 'a",
            "displayName eq 'a' displayName",
        ] {
            assert!(Filter::parse(text).is_err(), "{text}");
        }
    }
}
