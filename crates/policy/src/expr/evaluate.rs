//! Walking a checked expression for one user. What is null stays harmless (ruling 38): a condition on nothing does not hold, and a
//! value made of nothing is nothing. What remains is told as an error of this user.

use super::functions::Function;
use super::node::{Comparison, Macro, Node, Operator, Over};
use super::value::Val;
use jiff::Timestamp;
use model::Value;
use model::expression::{Evaluate, Subject, Unevaluable};
use std::borrow::Cow;
use std::cell::Cell;
use std::cmp::Ordering;

/// Longest list that is gone through or made.
const LIST: usize = 1_000;

/// Longest text that is made, in bytes: sixteen times what the longest field takes, in the widest script.
const TEXT: usize = 64 << 10;

/// What one evaluation may cost: a unit for each node walked and for each sixteen bytes of text looked at or made. Honest expressions
/// take some hundred.
const FUEL: u32 = 1 << 19;

/// A checked expression.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) node: Node,
    /// The attributes it reads, sorted.
    pub(super) attributes: Vec<String>,
}

impl Evaluate for Program {
    fn holds(&self, of: Subject<'_>) -> Result<bool, Unevaluable> {
        Walk::new(of).truth(&self.node)
    }

    fn value(&self, of: Subject<'_>) -> Result<Value, Unevaluable> {
        Walk::new(of).value(&self.node).map(Val::into_json)
    }

    fn attributes(&self) -> &[String] {
        &self.attributes
    }
}

fn error<T>(message: impl Into<String>) -> Result<T, Unevaluable> {
    Err(Unevaluable(message.into()))
}

/// One evaluation.
struct Walk<'a> {
    of: Subject<'a>,
    /// The element a macro is at.
    element: Option<Val<'a>>,
    fuel: Cell<u32>,
}

type Valued<'a> = Result<Val<'a>, Unevaluable>;

impl<'a> Walk<'a> {
    fn new(of: Subject<'a>) -> Self {
        Self { of, element: None, fuel: Cell::new(FUEL) }
    }

    fn spend(&self, units: usize) -> Result<(), Unevaluable> {
        let left = u32::try_from(units).ok().and_then(|units| self.fuel.get().checked_sub(units));
        self.fuel.set(left.unwrap_or(0));
        if left.is_some() { Ok(()) } else { error("the expression takes too long for this user") }
    }

    /// Whether a condition holds; null does not.
    fn truth(&mut self, node: &'a Node) -> Result<bool, Unevaluable> {
        match self.value(node)? {
            Val::Bool(b) => Ok(b),
            Val::Null => Ok(false),
            _ => error("a condition is neither true nor false"),
        }
    }

    fn value(&mut self, node: &'a Node) -> Valued<'a> {
        self.spend(1)?;
        Ok(match node {
            Node::Null => Val::Null,
            Node::Bool(b) => Val::Bool(*b),
            Node::Int(i) => Val::Int(*i),
            Node::Double(d) => Val::Double(*d),
            Node::Text(s) => Val::Text(Cow::Borrowed(s)),
            Node::Attribute(name) => Val::of(self.of.attributes.get(name)),
            Node::Id => Val::Text(Cow::Borrowed(self.of.id.as_str())),
            Node::Manager => self.of.manager.map_or(Val::Null, |id| Val::Manager(id.as_str())),
            Node::Element => self.element.clone().unwrap_or(Val::Null),
            Node::Part(of, name) => self.part(of, name)?,
            Node::Has(of, name) => Val::Bool(!self.part(of, name)?.is_null()),
            Node::Index(of, at) => self.index(of, at)?,
            Node::Not(of) => Val::Bool(!self.truth(of)?),
            Node::Negate(of) => match self.value(of)? {
                Val::Null => Val::Null,
                Val::Double(d) => Val::Double(-d),
                Val::Int(i) => i.checked_neg().map_or_else(|| error("a number is too large"), |i| Ok(Val::Int(i)))?,
                _ => error("- stands before what is no number")?,
            },
            Node::And(left, right) => Val::Bool(self.either(left, right, false)?),
            Node::Or(left, right) => Val::Bool(self.either(left, right, true)?),
            Node::Choose(parts) => {
                let [condition, yes, no] = parts.as_ref();
                if self.truth(condition)? { self.value(yes)? } else { self.value(no)? }
            }
            Node::Equal(left, right) => Val::Bool(self.equal(left, right)?),
            Node::Unequal(left, right) => Val::Bool(!self.equal(left, right)?),
            Node::Compare(how, left, right) => self.compare(*how, left, right)?,
            Node::Calculate(operator, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                self.calculate(*operator, left, right)?
            }
            Node::In(left, right) => {
                let (needle, list) = (self.value(left)?, self.value(right)?);
                match list.length() {
                    Some(length) => {
                        self.spend(length)?;
                        Val::Bool((0..length).filter_map(|i| list.element(i)).any(|e| e.equals(&needle)))
                    }
                    None if list.is_null() => Val::Bool(false),
                    None => error("in stands before what is no list")?,
                }
            }
            Node::InTexts(left, texts) => match self.value(left)? {
                Val::Text(s) => Val::Bool(texts.contains(s.as_ref())),
                _ => Val::Bool(false),
            },
            Node::List(nodes) => Val::List(nodes.iter().map(|n| self.value(n)).collect::<Result<_, _>>()?),
            Node::Call(function, nodes) => self.call(*function, nodes)?,
            Node::Matches(of, pattern) => match self.text(of)? {
                Some(text) => {
                    self.spend(text.len())?;
                    Val::Bool(pattern.is_match(&text))
                }
                None => Val::Bool(false),
            },
            Node::Over(over) => self.over(over)?,
        })
    }

    /// `&&` and `||`: one side that decides is enough, even when the other cannot be computed.
    fn either(&mut self, left: &'a Node, right: &'a Node, decides: bool) -> Result<bool, Unevaluable> {
        match self.truth(left) {
            Ok(told) if told == decides => Ok(decides),
            Ok(_) => self.truth(right),
            Err(unclear) => match self.truth(right) {
                Ok(told) if told == decides => Ok(decides),
                _ => Err(unclear),
            },
        }
    }

    fn part(&mut self, of: &'a Node, name: &str) -> Valued<'a> {
        let of = self.value(of)?;
        match of {
            Val::Null => Ok(Val::Null),
            Val::Manager(id) if name == "id" => Ok(Val::Text(Cow::Borrowed(id))),
            _ => match of.parts() {
                Some(parts) => Ok(parts.get(name).map_or(Val::Null, Val::of)),
                None => error(format!("what has no parts is asked for {name}")),
            },
        }
    }

    fn index(&mut self, of: &'a Node, at: &'a Node) -> Valued<'a> {
        let (of, at) = (self.value(of)?, self.value(at)?);
        match (of.length(), &at) {
            _ if of.is_null() || at.is_null() => Ok(Val::Null),
            (Some(length), Val::Int(at)) => match usize::try_from(*at).ok().and_then(|i| of.element(i)) {
                Some(element) => Ok(element),
                None => error(format!("[{at}] is beyond the end of a list of {length}")),
            },
            _ => error("[ ] stands behind what is no list"),
        }
    }

    fn equal(&mut self, left: &'a Node, right: &'a Node) -> Result<bool, Unevaluable> {
        let (left, right) = (self.value(left)?, self.value(right)?);
        if let (Some(a), Some(b)) = (left.length(), right.length()) {
            self.spend(a.min(b))?;
        }
        Ok(left.equals(&right))
    }

    fn compare(&mut self, how: Comparison, left: &'a Node, right: &'a Node) -> Valued<'a> {
        let (left, right) = (self.value(left)?, self.value(right)?);
        if left.is_null() || right.is_null() {
            return Ok(Val::Bool(false));
        }
        let numbers = |v: &Val<'_>| matches!(v, Val::Int(_) | Val::Double(_));
        match left.compare(&right) {
            Some(order) => Ok(Val::Bool(match how {
                Comparison::Less => order == Ordering::Less,
                Comparison::AtMost => order != Ordering::Greater,
                Comparison::Greater => order == Ordering::Greater,
                Comparison::AtLeast => order != Ordering::Less,
            })),
            // Not a number is neither less nor more than anything.
            None if numbers(&left) && numbers(&right) => Ok(Val::Bool(false)),
            None => error("values of two kinds are compared"),
        }
    }

    fn calculate(&self, operator: Operator, left: Val<'a>, right: Val<'a>) -> Valued<'a> {
        match (left, right) {
            (Val::Null, _) | (_, Val::Null) => Ok(Val::Null),
            (Val::Int(a), Val::Int(b)) => {
                let done = match operator {
                    Operator::Add => a.checked_add(b),
                    Operator::Subtract => a.checked_sub(b),
                    Operator::Multiply => a.checked_mul(b),
                    Operator::Divide => a.checked_div(b),
                    Operator::Remainder => a.checked_rem(b),
                };
                done.map_or_else(|| error("a number is too large, or divided by 0"), |i| Ok(Val::Int(i)))
            }
            (Val::Text(a), Val::Text(b)) if operator == Operator::Add => self.made(format!("{a}{b}")),
            (Val::Double(a), Val::Double(b)) => Ok(Val::Double(match operator {
                Operator::Add => a + b,
                Operator::Subtract => a - b,
                Operator::Multiply => a * b,
                Operator::Divide => a / b,
                Operator::Remainder => return error("% takes whole numbers"),
            })),
            (a, b) => match (a.length(), b.length()) {
                (Some(first), Some(second)) if operator == Operator::Add => {
                    self.listed(first + second)?;
                    let all = (0..first).filter_map(|i| a.element(i)).chain((0..second).filter_map(|i| b.element(i)));
                    Ok(Val::List(all.collect()))
                }
                _ => error("values of two kinds are calculated with"),
            },
        }
    }

    /// A text that was made.
    fn made(&self, text: String) -> Valued<'a> {
        if text.len() > TEXT {
            return error("a text grows too long");
        }
        self.spend(text.len() / 16)?;
        Ok(Val::Text(Cow::Owned(text)))
    }

    /// A list that is gone through or made.
    fn listed(&self, length: usize) -> Result<(), Unevaluable> {
        if length > LIST {
            return error(format!("a list has more than {LIST} elements"));
        }
        self.spend(length)
    }

    fn over(&mut self, over: &'a Over) -> Valued<'a> {
        let list = self.value(&over.list)?;
        let length = match list.length() {
            Some(length) => length,
            // Nothing counts as an empty list, as it does everywhere (ruling 33).
            None if list.is_null() => 0,
            None => return error("what is no list is gone through"),
        };
        self.listed(length)?;
        let (mut kept, mut held, mut unclear) = (Vec::new(), 0usize, None);
        for element in (0..length).filter_map(|i| list.element(i)) {
            self.element = Some(element);
            match (self.truth(&over.condition), over.what) {
                (Ok(true), Macro::Exists) => return self.done(Val::Bool(true)),
                (Ok(false), Macro::All) => return self.done(Val::Bool(false)),
                (Ok(true), Macro::Map) => kept.push(match &over.made {
                    Some(made) => self.value(made)?,
                    None => Val::Null,
                }),
                (Ok(true), Macro::Filter) => kept.extend(self.element.take()),
                (Ok(true), _) => held += 1,
                (Ok(false), _) => {}
                // Another element may decide all the same.
                (Err(why), Macro::All | Macro::Exists) => unclear = Some(why),
                (Err(why), _) => return Err(why),
            }
        }
        if let Some(why) = unclear {
            return Err(why);
        }
        self.done(match over.what {
            Macro::All => Val::Bool(true),
            Macro::Exists => Val::Bool(false),
            Macro::ExistsOne => Val::Bool(held == 1),
            Macro::Filter | Macro::Map => Val::List(kept),
        })
    }

    #[expect(clippy::unnecessary_wraps, reason = "what a macro returns with")]
    fn done(&mut self, value: Val<'a>) -> Valued<'a> {
        self.element = None;
        Ok(value)
    }

    /// A text, or none.
    fn text(&mut self, node: &'a Node) -> Result<Option<Cow<'a, str>>, Unevaluable> {
        match self.value(node)? {
            Val::Text(s) => {
                self.spend(s.len() / 16)?;
                Ok(Some(s))
            }
            Val::Null => Ok(None),
            _ => error("a function of texts is given something else"),
        }
    }

    fn call(&mut self, function: Function, nodes: &'a [Node]) -> Valued<'a> {
        match function {
            Function::Contains | Function::StartsWith | Function::EndsWith => self.test(function, nodes),
            Function::Size => {
                let of = self.argument(nodes, 0)?;
                match &of {
                    Val::Null => Ok(Val::Null),
                    Val::Text(s) => Ok(counted(s.chars().count())),
                    _ => of.length().map_or_else(|| error("size() is given neither text nor list"), |n| Ok(counted(n))),
                }
            }
            Function::Join => self.join(nodes),
            Function::ToText | Function::ToInt | Function::ToDouble | Function::ToTime => {
                let of = self.argument(nodes, 0)?;
                converted(function, of)
            }
            _ => self.of_text(function, nodes),
        }
    }

    fn argument(&mut self, nodes: &'a [Node], at: usize) -> Valued<'a> {
        nodes.get(at).map_or(Ok(Val::Null), |node| self.value(node))
    }

    fn test(&mut self, function: Function, nodes: &'a [Node]) -> Valued<'a> {
        let [of, with] = nodes else { return Ok(Val::Bool(false)) };
        let (Some(of), Some(with)) = (self.text(of)?, self.text(with)?) else { return Ok(Val::Bool(false)) };
        Ok(Val::Bool(match function {
            Function::Contains => of.contains(with.as_ref()),
            Function::StartsWith => of.starts_with(with.as_ref()),
            _ => of.ends_with(with.as_ref()),
        }))
    }

    /// Functions of a text that yield something of it; of nothing they yield nothing.
    fn of_text(&mut self, function: Function, nodes: &'a [Node]) -> Valued<'a> {
        let Some((first, rest)) = nodes.split_first() else { return Ok(Val::Null) };
        let Some(of) = self.text(first)? else { return Ok(Val::Null) };
        match function {
            Function::Lower if is_lower(&of) => return Ok(Val::Text(of)),
            Function::Lower => return self.made(of.to_lowercase()),
            Function::Upper => return self.made(of.to_uppercase()),
            Function::LowerAscii => return self.made(of.to_ascii_lowercase()),
            Function::UpperAscii => return self.made(of.to_ascii_uppercase()),
            Function::Trim => {
                return Ok(Val::Text(match of {
                    Cow::Borrowed(s) => Cow::Borrowed(s.trim()),
                    Cow::Owned(s) => Cow::Owned(s.trim().to_owned()),
                }));
            }
            Function::Substring => return self.substring(&of, rest),
            _ => {}
        }
        let mut with = Vec::with_capacity(rest.len());
        for node in rest {
            let Some(text) = self.text(node)? else { return Ok(Val::Null) };
            with.push(text);
        }
        match (function, with.as_slice()) {
            (Function::Replace, [from, to]) => {
                let times = of.matches(from.as_ref()).count();
                if times.saturating_mul(to.len()) > TEXT {
                    return error("a text grows too long");
                }
                self.made(of.replace(from.as_ref(), to))
            }
            (Function::IndexOf, [with]) => Ok(place(&of, of.find(with.as_ref()))),
            (Function::LastIndexOf, [with]) => Ok(place(&of, of.rfind(with.as_ref()))),
            (Function::Split, [at]) => {
                let parts = if at.is_empty() { of.chars().count() } else { of.matches(at.as_ref()).count() + 1 };
                self.listed(parts)?;
                self.spend(of.len() / 16)?;
                let texts: Vec<String> = if at.is_empty() {
                    of.chars().map(String::from).collect()
                } else {
                    of.split(at.as_ref()).map(str::to_owned).collect()
                };
                Ok(Val::List(texts.into_iter().map(|s| Val::Text(Cow::Owned(s))).collect()))
            }
            _ => Ok(Val::Null),
        }
    }

    /// By characters; beyond the end is an error, as in CEL.
    fn substring(&mut self, of: &str, rest: &'a [Node]) -> Valued<'a> {
        let mut bounds = [0, of.chars().count()];
        let length = bounds[1];
        for (at, bound) in bounds.iter_mut().enumerate().take(rest.len()) {
            match self.argument(rest, at)? {
                Val::Null => return Ok(Val::Null),
                Val::Int(i) => match usize::try_from(i).ok().filter(|i| *i <= length) {
                    Some(i) => *bound = i,
                    None => return error(format!("substring() is asked for place {i} of {length}")),
                },
                _ => return error("substring() takes whole numbers"),
            }
        }
        match bounds[1].checked_sub(bounds[0]) {
            Some(taken) => self.made(of.chars().skip(bounds[0]).take(taken).collect()),
            None => error("substring() ends before it begins"),
        }
    }

    /// The elements that are there, with a text between them.
    fn join(&mut self, nodes: &'a [Node]) -> Valued<'a> {
        let list = self.argument(nodes, 0)?;
        let between = match nodes.get(1) {
            Some(node) => self.text(node)?.unwrap_or_default(),
            None => Cow::Borrowed(""),
        };
        let Some(length) = list.length() else {
            return if list.is_null() { Ok(Val::Null) } else { error("join() is given no list") };
        };
        self.listed(length)?;
        let mut joined = String::new();
        let mut first = true;
        for element in (0..length).filter_map(|i| list.element(i)) {
            let Val::Text(text) = element else {
                if element.is_null() {
                    continue;
                }
                return error("join() is given a list of something else than texts");
            };
            if !std::mem::take(&mut first) {
                joined.push_str(&between);
            }
            joined.push_str(&text);
            if joined.len() > TEXT {
                return error("a text grows too long");
            }
        }
        self.made(joined)
    }
}

fn is_lower(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase())
}

fn counted<'a>(n: usize) -> Val<'a> {
    i64::try_from(n).map_or(Val::Null, Val::Int)
}

/// A place in characters; -1 for none.
fn place<'a>(of: &str, found: Option<usize>) -> Val<'a> {
    found.map_or(Val::Int(-1), |at| counted(of[..at].chars().count()))
}

fn converted(function: Function, of: Val<'_>) -> Valued<'_> {
    let no = |what: &str| error(format!("a value is no {what}"));
    Ok(match (function, of) {
        (_, Val::Null) => Val::Null,
        (Function::ToText, text @ Val::Text(_)) => text,
        (Function::ToText, Val::Bool(b)) => Val::Text(Cow::Borrowed(if b { "true" } else { "false" })),
        (Function::ToText, Val::Int(i)) => Val::Text(Cow::Owned(i.to_string())),
        (Function::ToText, Val::Double(d)) => Val::Text(Cow::Owned(d.to_string())),
        (Function::ToText, Val::Time(at)) => Val::Text(Cow::Owned(at.to_string())),
        (Function::ToInt, Val::Int(i)) => Val::Int(i),
        (Function::ToInt, Val::Text(s)) => s.parse().map_or_else(|_| no("whole number"), |i| Ok(Val::Int(i)))?,
        #[expect(clippy::cast_possible_truncation, reason = "cut towards zero, as in CEL; what does not fit is refused")]
        (Function::ToInt, Val::Double(d)) if d.abs() < 9_007_199_254_740_992.0 => Val::Int(d as i64),
        (Function::ToInt, _) => no("whole number")?,
        (Function::ToDouble, Val::Double(d)) => Val::Double(d),
        #[expect(clippy::cast_precision_loss, reason = "the nearest decimal number is meant")]
        (Function::ToDouble, Val::Int(i)) => Val::Double(i as f64),
        (Function::ToDouble, Val::Text(s)) => s.parse().map_or_else(|_| no("number"), |d| Ok(Val::Double(d)))?,
        (Function::ToDouble, _) => no("number")?,
        (Function::ToTime, Val::Text(s)) => s.parse::<Timestamp>().map_or_else(|_| no("time"), |at| Ok(Val::Time(at)))?,
        (Function::ToTime, time @ Val::Time(_)) => time,
        (_, _) => no("single value")?,
    })
}
