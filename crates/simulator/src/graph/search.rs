//! `$search`: quoted clauses, joined by AND, OR and NOT. What it does not understand is refused, never answered with nobody.

use serde_json::Value;

use super::query::Type;

/// A search, read.
#[derive(Debug, Clone, PartialEq)]
pub enum Search {
    /// Both.
    And(Box<Search>, Box<Search>),
    /// Either.
    Or(Box<Search>, Box<Search>),
    /// Not.
    Not(Box<Search>),
    /// One of the properties contains the text, which is in lower case.
    Has(&'static [&'static str], String),
}

/// Properties that can be searched, each as the list of itself.
const USER: &[&[&str]] = &[&["displayName"], &["mail"], &["userPrincipalName"], &["mailNickname"], &["givenName"], &["surname"]];
const GROUP: &[&[&str]] = &[&["displayName"], &["mail"], &["mailNickname"], &["description"]];

/// Where a clause without a property looks.
const ANYWHERE: &[&str] = &["displayName", "mail", "userPrincipalName"];

/// Clauses and signs of the longest search taken; it is walked recursively, so this bounds the stack.
const MAX_TOKENS: usize = 200;

impl Search {
    /// Reads a `$search` of users, groups or both.
    ///
    /// # Errors
    /// A sentence that says what to write.
    pub fn parse(text: &str, kind: Type) -> Result<Self, String> {
        let tokens = tokens(text)?;
        if tokens.len() > MAX_TOKENS {
            return Err("The $search clause is too long.".to_owned());
        }
        let mut parser = Parser { tokens: &tokens, at: 0, kind };
        let search = parser.or()?;
        if parser.at == tokens.len() { Ok(search) } else { Err(syntax()) }
    }

    /// Whether an object fulfils it. `value` reads a property.
    #[must_use]
    pub fn holds(&self, value: &dyn Fn(&str) -> Value) -> bool {
        match self {
            Self::And(a, b) => a.holds(value) && b.holds(value),
            Self::Or(a, b) => a.holds(value) || b.holds(value),
            Self::Not(a) => !a.holds(value),
            Self::Has(properties, part) => {
                properties.iter().any(|p| value(p).as_str().is_some_and(|t| t.to_lowercase().contains(part)))
            }
        }
    }
}

fn syntax() -> String {
    "Syntax error in the $search clause: write \"property:text\" in quotation marks, several joined by AND, OR or NOT.".to_owned()
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Clause(String),
    And,
    Or,
    Not,
    Open,
    Close,
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut out = vec![];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => {}
            '(' => out.push(Token::Open),
            ')' => out.push(Token::Close),
            '"' => {
                let mut clause = String::new();
                loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('\\') => clause.push(chars.next().ok_or_else(syntax)?),
                        Some(c) => clause.push(c),
                        None => return Err(syntax()),
                    }
                }
                out.push(Token::Clause(clause));
            }
            c => {
                let mut word = String::from(c);
                while let Some(c) = chars.next_if(|c| c.is_alphanumeric()) {
                    word.push(c);
                }
                out.push(match word.to_lowercase().as_str() {
                    "and" => Token::And,
                    "or" => Token::Or,
                    "not" => Token::Not,
                    _ => return Err(syntax()),
                });
            }
        }
    }
    Ok(out)
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    kind: Type,
}

impl Parser<'_> {
    fn take(&mut self, wanted: &Token) -> bool {
        let found = self.tokens.get(self.at) == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn or(&mut self) -> Result<Search, String> {
        let mut left = self.and()?;
        while self.take(&Token::Or) {
            left = Search::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Search, String> {
        let mut left = self.one()?;
        while self.take(&Token::And) {
            left = Search::And(Box::new(left), Box::new(self.one()?));
        }
        Ok(left)
    }

    fn one(&mut self) -> Result<Search, String> {
        if self.take(&Token::Not) {
            return Ok(Search::Not(Box::new(self.one()?)));
        }
        if self.take(&Token::Open) {
            let inner = self.or()?;
            return if self.take(&Token::Close) { Ok(inner) } else { Err(syntax()) };
        }
        let Some(Token::Clause(clause)) = self.tokens.get(self.at) else { return Err(syntax()) };
        self.at += 1;
        self.clause(clause)
    }

    fn clause(&self, clause: &str) -> Result<Search, String> {
        let (properties, text) = match clause.split_once(':') {
            None => (ANYWHERE, clause),
            Some((name, text)) => {
                let of = |list: &[&'static [&'static str]]| list.iter().copied().find(|p| p[0].eq_ignore_ascii_case(name.trim()));
                let found = match self.kind {
                    Type::User => of(USER),
                    Type::Group => of(GROUP),
                    Type::Any => of(USER).or_else(|| of(GROUP)),
                };
                (found.ok_or_else(|| format!("The property '{name}' cannot be searched with $search."))?, text)
            }
        };
        let text = text.trim().to_lowercase();
        if text.is_empty() { Err(syntax()) } else { Ok(Search::Has(properties, text)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn clauses_are_joined_as_written_and_the_rest_is_refused() {
        let ada = |name: &str| match name {
            "displayName" => json!("Ada Hewitt"),
            "mail" => json!("ada@x.example"),
            _ => Value::Null,
        };
        for (text, holds) in [
            ("\"displayName:HEW\"", true),
            ("\"DISPLAYNAME:zz\" or \"Mail:ADA\"", true),
            ("\"displayName:ada\" AND \"mail:zz\"", false),
            ("\"displayName:zz\" AND \"mail:ada\" OR \"displayName:ada\"", true),
            ("NOT \"mail:zz\" AND (\"x.example\" OR \"mail:y\")", true),
        ] {
            assert_eq!(Search::parse(text, Type::User).map(|s| s.holds(&ada)), Ok(holds), "{text}");
        }
        for text in
            ["", "displayName:ada", "\"a\" \"b\"", "\"a\" XOR \"b\"", "\"jobTitle:a\"", "\"mail:\"", "\"a", "(\"a\"", "\"a\" OR"]
        {
            assert!(Search::parse(text, Type::User).is_err(), "{text}");
        }
    }
}
