//! From a text to a checked program: parsed by the `cel` crate, then taken over node by node. A node that this does not know is
//! refused, so that nothing of a later version of the parser comes in unseen.

use super::BadExpression;
use super::evaluate::Program;
use super::functions::{FUNCTIONS, OWN, Signature, Style};
use super::guard::{DEPTH, too_deep, too_many};
use super::node::{Comparison, Macro, Node, Operator, Over};
use super::types::{Object, Type};
use crate::fault::{either, nearest};
use crate::source::{MANAGER, OBJECT_ID, nearest_attribute};
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, SourceInfo, operators};
use model::SourceId;
use model::policy::SIGN_IN;
use std::collections::BTreeSet;

/// Most nodes of a tree.
const NODES: usize = 256;

/// What the parser may recurse: brackets and operators together. What it leaves is held to [`DEPTH`].
const PARSER_DEPTH: u16 = 96;

/// Largest compiled pattern, in bytes: what a pattern with large counted repetitions would exceed.
const PATTERN: usize = 256 << 10;

/// An expression that passed.
pub(super) struct Checked {
    pub(super) program: Program,
    pub(super) yields: Type,
}

/// Parses and checks. Runs on a thread with a large stack.
pub(super) fn compile(text: &str) -> Result<Checked, BadExpression> {
    // An environment without macros leaves exists() and the like as they were written.
    let parser = cel::Env::default().with_optional_support(false).parser().max_recursion_depth(PARSER_DEPTH);
    let (tree, places) = parser.parse_with_source_info(text).map_err(|errors| unreadable(text, &errors))?;
    let mut checker = Checker { places: &places, nodes: 0, element: None, attributes: BTreeSet::new() };
    let (node, yields) = checker.node(&tree, 0)?;
    let attributes = checker.attributes.into_iter().collect();
    Ok(Checked { program: Program { node, attributes }, yields })
}

/// The parser's first complaint, at its place. Its sentences are about tokens, so only the place and what stands there are told.
fn unreadable(text: &str, errors: &cel::ParseErrors) -> BadExpression {
    let (line, column) = errors.errors.first().map_or((1, 1), |error| error.pos);
    let before: usize = text.split_inclusive('\n').take(usize::try_from(line - 1).unwrap_or(0)).map(|l| l.chars().count()).sum();
    let character = (before + usize::try_from(column).unwrap_or(1).max(1)).min(text.chars().count() + 1);
    let rest: String = text.chars().skip(character - 1).take(20).collect();
    let there = if rest.is_empty() { "it ends too early".to_owned() } else { format!("{rest:?} cannot stand here") };
    BadExpression { character, message: format!("this is no expression: {there}; write for instance department == \"Sales\"") }
}

type Taken = Result<(Node, Type), BadExpression>;

struct Checker<'a> {
    places: &'a SourceInfo,
    nodes: usize,
    /// The name and type of the element inside a macro.
    element: Option<(String, Type)>,
    attributes: BTreeSet<String>,
}

impl Checker<'_> {
    fn bad(&self, at: &IdedExpr, message: impl Into<String>) -> BadExpression {
        // The parser counts bytes.
        let start = self.places.offset_for(at.id).and_then(|(start, _)| usize::try_from(start).ok()).unwrap_or(0);
        let before = self.places.source.get(..start).map_or(0, |before| before.chars().count());
        BadExpression { character: before + 1, message: message.into() }
    }

    fn node(&mut self, tree: &IdedExpr, depth: usize) -> Taken {
        self.nodes += 1;
        if self.nodes > NODES {
            return Err(self.bad(tree, too_many()));
        }
        if depth >= DEPTH {
            return Err(self.bad(tree, too_deep()));
        }
        match &tree.expr {
            Expr::Literal(literal) => self.literal(tree, literal),
            Expr::Ident(name) => self.name(tree, name),
            Expr::Select(select) => {
                let (of, kind) = self.node(&select.operand, depth + 1)?;
                let part = self.part(tree, &kind, &select.field)?;
                Ok((Node::Part(Box::new(of), select.field.as_str().into()), part))
            }
            Expr::List(list) => self.list(tree, &list.elements, depth),
            Expr::Call(call) => self.call(tree, call, depth),
            Expr::Map(_) | Expr::Struct(_) => Err(self.bad(tree, "maps are not part of this language; use a list or conditions")),
            Expr::Comprehension(_) | Expr::Unspecified => {
                Err(self.bad(tree, "this is not part of the language; write it in another way"))
            }
        }
    }

    fn literal(&self, at: &IdedExpr, literal: &LiteralValue) -> Taken {
        Ok(match literal {
            LiteralValue::Null => (Node::Null, Type::Null),
            LiteralValue::Boolean(b) => (Node::Bool(*b.inner()), Type::Bool),
            LiteralValue::Int(i) => (Node::Int(*i.inner()), Type::Int),
            LiteralValue::Double(d) => (Node::Double(*d.inner()), Type::Double),
            // Object ids come in lower case, whatever the case people paste them in (ruling 20).
            LiteralValue::String(s) => (Node::Text(SourceId::new(s.inner()).as_str().into()), Type::Text),
            LiteralValue::UInt(_) => return Err(self.bad(at, "write the number without u")),
            LiteralValue::Bytes(_) => return Err(self.bad(at, "write the text without b before its quotes")),
        })
    }

    fn name(&mut self, at: &IdedExpr, name: &str) -> Taken {
        if let Some((_, kind)) = self.element.as_ref().filter(|(element, _)| element == name) {
            return Ok((Node::Element, kind.clone()));
        }
        if name == OBJECT_ID {
            return Ok((Node::Id, Type::Text));
        }
        if name == MANAGER {
            return Ok((Node::Manager, Type::Object(Object::Manager)));
        }
        if let Some(kind) = Type::of_attribute(name) {
            self.attributes.insert(name.to_owned());
            return Ok((Node::Attribute(name.into()), kind));
        }
        let meant = match name {
            "user" => "a user's attributes stand by themselves, as in department".to_owned(),
            SIGN_IN => "dates of sign-ins are mapped to a field, and nothing is decided by them".to_owned(),
            "now" | "today" => "expressions know no clock".to_owned(),
            "groups" | "memberOf" => "expressions know no groups; name them under when.groups".to_owned(),
            _ => match nearest_attribute(name).or_else(|| nearest(name, [MANAGER])) {
                Some(meant) => format!("did you mean {meant}?"),
                None => "name an attribute as Graph does, such as department".to_owned(),
            },
        };
        Err(self.bad(at, format!("users have no attribute {name:?}; {meant}")))
    }

    fn part(&self, at: &IdedExpr, of: &Type, name: &str) -> Result<Type, BadExpression> {
        match of {
            Type::Any | Type::Null => Ok(Type::Any),
            Type::Object(object) => object
                .part(name)
                .ok_or_else(|| self.bad(at, format!("there is no part {name:?} here; there are {}", object.parts()))),
            Type::List(_) => {
                Err(self.bad(at, format!("a list has no part {name:?}; name one of it, as in [0], or use exists()")))
            }
            other => Err(self.bad(at, format!("{other} has no part {name:?}"))),
        }
    }

    fn list(&mut self, at: &IdedExpr, elements: &[IdedExpr], depth: usize) -> Taken {
        let mut kind = Type::Null;
        let mut nodes = Vec::with_capacity(elements.len());
        for element in elements {
            let (node, of) = self.node(element, depth + 1)?;
            if matches!(of, Type::List(_)) {
                return Err(self.bad(at, "a list of lists is not part of this language"));
            }
            kind = kind.or(of);
            nodes.push(node);
        }
        Ok((Node::List(nodes), Type::List(Box::new(kind))))
    }

    fn call(&mut self, at: &IdedExpr, call: &CallExpr, depth: usize) -> Taken {
        match (call.func_name.as_str(), &call.target, call.args.as_slice()) {
            ("has", None, args) => self.has(at, args, depth),
            ("matches", target, args) => {
                let all: Vec<&IdedExpr> = target.as_deref().into_iter().chain(args).collect();
                let [of, pattern] = all.as_slice() else {
                    return Err(self.bad(at, "matches needs a text and a pattern, as in mail.matches(\"^a.*@\")"));
                };
                self.matches(of, pattern, depth)
            }
            ("all" | "exists" | "exists_one" | "filter" | "map", Some(list), args) => {
                self.over(at, &call.func_name, list, args, depth)
            }
            (name, target, args) if name.starts_with(|c: char| c.is_alphabetic()) => {
                self.function(at, name, target.as_deref(), args, depth)
            }
            (sign, None, [a]) => {
                let (node, kind) = self.node(a, depth + 1)?;
                self.unary(at, sign, node, &kind)
            }
            (sign, None, [a, b]) => {
                let (left, right) = (self.node(a, depth + 1)?, self.node(b, depth + 1)?);
                self.binary(at, sign, left, right)
            }
            (operators::CONDITIONAL, None, [condition, yes, no]) => {
                let (condition, kind) = self.node(condition, depth + 1)?;
                self.must(at, &kind, &Type::Bool, "the condition before ?")?;
                let ((yes, then), (no, or)) = (self.node(yes, depth + 1)?, self.node(no, depth + 1)?);
                if !then.fits(&or) {
                    let message = format!("what ? gives is {then} or {or}; give values of one kind on both sides of its :");
                    return Err(self.bad(at, message));
                }
                Ok((Node::Choose(Box::new([condition, yes, no])), then.or(or)))
            }
            _ => Err(self.bad(at, "this is not part of the language; write it in another way")),
        }
    }

    fn must(&self, at: &IdedExpr, given: &Type, wanted: &Type, what: &str) -> Result<(), BadExpression> {
        if given.fits(wanted) { Ok(()) } else { Err(self.bad(at, format!("{what} must be {wanted}, and is {given}"))) }
    }

    fn unary(&self, at: &IdedExpr, sign: &str, node: Node, kind: &Type) -> Taken {
        match sign {
            operators::LOGICAL_NOT => {
                self.must(at, kind, &Type::Bool, "what stands behind !")?;
                Ok((Node::Not(Box::new(node)), Type::Bool))
            }
            operators::NEGATE => {
                self.must(at, kind, &Type::Double, "what stands behind -")?;
                Ok((Node::Negate(Box::new(node)), kind.clone()))
            }
            _ => Err(self.bad(at, "this is not part of the language; write it in another way")),
        }
    }

    fn binary(&self, at: &IdedExpr, sign: &str, (left, a): (Node, Type), (right, b): (Node, Type)) -> Taken {
        let never = |how: &str| self.bad(at, format!("{a} {how} {b}; compare values of one kind"));
        let both = |left, right| (Box::new(left), Box::new(right));
        let logic = |sign| {
            self.must(at, &a, &Type::Bool, &format!("what stands before {sign}"))?;
            self.must(at, &b, &Type::Bool, &format!("what stands behind {sign}"))
        };
        Ok(match sign {
            operators::LOGICAL_AND => {
                logic("&&")?;
                let (left, right) = both(left, right);
                (Node::And(left, right), Type::Bool)
            }
            operators::LOGICAL_OR => {
                logic("||")?;
                let (left, right) = both(left, right);
                (Node::Or(left, right), Type::Bool)
            }
            operators::EQUALS | operators::NOT_EQUALS => {
                if !a.fits(&b) {
                    return Err(never("never equals"));
                }
                let (left, right) = both(left, right);
                (if sign == operators::EQUALS { Node::Equal(left, right) } else { Node::Unequal(left, right) }, Type::Bool)
            }
            operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS => {
                if !a.fits(&b) || [&a, &b].iter().any(|t| matches!(t, Type::List(_) | Type::Object(_))) {
                    return Err(never("cannot be less or more than"));
                }
                let how = match sign {
                    operators::LESS => Comparison::Less,
                    operators::LESS_EQUALS => Comparison::AtMost,
                    operators::GREATER => Comparison::Greater,
                    _ => Comparison::AtLeast,
                };
                (Node::Compare(how, Box::new(left), Box::new(right)), Type::Bool)
            }
            operators::IN => match (&b, right) {
                (Type::List(of), _) if !a.fits(of) => {
                    return Err(self.bad(at, format!("the list holds other values than {a}; compare values of one kind")));
                }
                (Type::List(_), Node::List(items)) if !items.is_empty() && items.iter().all(|n| matches!(n, Node::Text(_))) => {
                    let texts = items.into_iter().filter_map(|n| if let Node::Text(text) = n { Some(text) } else { None });
                    (Node::InTexts(Box::new(left), texts.collect()), Type::Bool)
                }
                (Type::List(_) | Type::Any | Type::Null, right) => (Node::In(Box::new(left), Box::new(right)), Type::Bool),
                (other, _) => {
                    return Err(self.bad(at, format!("in needs a list behind it, not {other}; for texts there is contains()")));
                }
            },
            operators::INDEX => {
                self.must(at, &b, &Type::Int, "what stands in [ ]")?;
                let of = match &a {
                    Type::List(of) => of.as_ref().clone(),
                    Type::Any | Type::Null => Type::Any,
                    other => return Err(self.bad(at, format!("[ ] takes one of a list, and this is {other}"))),
                };
                (Node::Index(Box::new(left), Box::new(right)), of)
            }
            _ => return self.calculate(at, sign, (left, a), (right, b)),
        })
    }

    fn calculate(&self, at: &IdedExpr, sign: &str, (left, a): (Node, Type), (right, b): (Node, Type)) -> Taken {
        let (operator, shown) = match sign {
            operators::ADD => (Operator::Add, "+"),
            operators::SUBSTRACT => (Operator::Subtract, "-"),
            operators::MULTIPLY => (Operator::Multiply, "*"),
            operators::DIVIDE => (Operator::Divide, "/"),
            operators::MODULO => (Operator::Remainder, "%"),
            _ => return Err(self.bad(at, "this is not part of the language; write it in another way")),
        };
        let adds = |t: &Type| operator == Operator::Add && matches!(t, Type::Text | Type::List(_));
        let takes = |t: &Type| t.is_number() || adds(t) || matches!(t, Type::Any | Type::Null);
        // As in CEL, whole and decimal numbers are compared with one another, but not calculated with.
        let mixed = a.is_number() && b.is_number() && a != b;
        if !takes(&a) || !takes(&b) || !a.fits(&b) || mixed {
            let hint = match operator {
                _ if mixed => "; write 1.0 for 1, or use double()",
                Operator::Add => "; turn a number into a text with string()",
                _ => "",
            };
            return Err(self.bad(at, format!("{shown} cannot take {a} and {b}{hint}")));
        }
        Ok((Node::Calculate(operator, Box::new(left), Box::new(right)), a.or(b)))
    }

    /// `has(employeeOrgData.division)`, and `has(department)`, which CEL leaves to parts and people write of attributes.
    fn has(&mut self, at: &IdedExpr, args: &[IdedExpr], depth: usize) -> Taken {
        if let [attribute @ IdedExpr { expr: Expr::Ident(_), .. }] = args {
            let (node, _) = self.node(attribute, depth + 1)?;
            return Ok((Node::Unequal(Box::new(node), Box::new(Node::Null)), Type::Bool));
        }
        let [IdedExpr { expr: Expr::Select(select), .. }] = args else {
            return Err(
                self.bad(at, "has() takes an attribute or a part of one, as in has(department) or has(employeeOrgData.division)")
            );
        };
        let (of, kind) = self.node(&select.operand, depth + 1)?;
        self.part(at, &kind, &select.field)?;
        Ok((Node::Has(Box::new(of), select.field.as_str().into()), Type::Bool))
    }

    /// The pattern is written out, so that it is compiled once and a bad one is refused here.
    fn matches(&mut self, of: &IdedExpr, pattern: &IdedExpr, depth: usize) -> Taken {
        let (node, kind) = self.node(of, depth + 1)?;
        self.must(of, &kind, &Type::Text, "what matches() looks at")?;
        let Expr::Literal(LiteralValue::String(written)) = &pattern.expr else {
            return Err(self.bad(pattern, "the pattern of matches() must be written out as a text"));
        };
        let compiled = regex::RegexBuilder::new(written.inner()).size_limit(PATTERN).dfa_size_limit(PATTERN).build();
        match compiled {
            Ok(regex) => Ok((Node::Matches(Box::new(node), regex), Type::Bool)),
            Err(regex::Error::CompiledTooBig(_)) => Err(self.bad(pattern, "the pattern is too large; repeat less in it")),
            Err(_) => Err(self.bad(pattern, "the pattern is no regular expression; write for instance \"^[a-z]+@\"")),
        }
    }

    fn over(&mut self, at: &IdedExpr, name: &str, list: &IdedExpr, args: &[IdedExpr], depth: usize) -> Taken {
        let what = match name {
            "all" => Macro::All,
            "exists" => Macro::Exists,
            "exists_one" => Macro::ExistsOne,
            "filter" => Macro::Filter,
            _ => Macro::Map,
        };
        if self.element.is_some() {
            return Err(self.bad(at, format!("{name}() stands inside another one; only one list can be gone through at a time")));
        }
        let (element, bodies) = match args {
            [IdedExpr { expr: Expr::Ident(element), .. }, bodies @ ..]
                if bodies.len() == 1 || (what == Macro::Map && bodies.len() == 2) =>
            {
                (element, bodies)
            }
            _ => {
                return Err(self.bad(
                    at,
                    format!(
                        "{name}() takes a name for the element and a condition, as in otherMails.{name}(m, m.endsWith(\"x\"))"
                    ),
                ));
            }
        };
        if Type::of_attribute(element).is_some() || element == MANAGER {
            return Err(self.bad(at, format!("{element:?} is an attribute; choose another name for the element")));
        }
        let (list, kind) = self.node(list, depth + 1)?;
        let of = match kind {
            Type::List(of) => *of,
            Type::Any | Type::Null => Type::Any,
            other => return Err(self.bad(at, format!("{name}() goes through a list, and this is {other}"))),
        };
        self.element = Some((element.clone(), of.clone()));
        let taken: Vec<_> = bodies.iter().map(|body| self.node(body, depth + 1)).collect();
        self.element = None;
        let mut taken = taken.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter();
        let (Some(first), second) = (taken.next(), taken.next()) else {
            return Err(self.bad(at, format!("{name}() takes a name and a condition")));
        };
        let (condition, made, yields) = match (what, second) {
            (Macro::Map, None) => (Node::Bool(true), Some(first.0), Type::List(Box::new(first.1))),
            (Macro::Map, Some(made)) => {
                self.must(at, &first.1, &Type::Bool, "the condition of map()")?;
                (first.0, Some(made.0), Type::List(Box::new(made.1)))
            }
            (_, _) => {
                self.must(at, &first.1, &Type::Bool, &format!("the condition of {name}()"))?;
                (first.0, None, if what == Macro::Filter { Type::List(Box::new(of)) } else { Type::Bool })
            }
        };
        Ok((Node::Over(Box::new(Over { what, list, condition, made })), yields))
    }

    fn function(&mut self, at: &IdedExpr, name: &str, target: Option<&IdedExpr>, args: &[IdedExpr], depth: usize) -> Taken {
        let Some(signature) = FUNCTIONS.iter().find(|f| f.name == name) else {
            return Err(self.bad(at, unknown_function(name)));
        };
        let Signature { style, takes, least, .. } = signature;
        match (style, target) {
            (Style::Plain, Some(_)) => return Err(self.bad(at, format!("write {name}(x) instead of x.{name}()"))),
            (Style::Method, None) => return Err(self.bad(at, format!("write x.{name}() instead of {name}(x)"))),
            _ => {}
        }
        let given: Vec<&IdedExpr> = target.into_iter().chain(args).collect();
        if given.len() < *least || given.len() > takes.len() {
            let own = usize::from(target.is_some());
            let (from, to) = (least - own, takes.len() - own);
            let needs = if from == to { from.to_string() } else { format!("{from} to {to}") };
            return Err(self.bad(at, format!("{name}() takes {needs} arguments and has {}", args.len())));
        }
        let mut nodes = Vec::with_capacity(given.len());
        for (tree, takes) in given.into_iter().zip(*takes) {
            let (node, kind) = self.node(tree, depth + 1)?;
            if !takes.admits(&kind) {
                return Err(self.bad(tree, format!("{name}() takes {} here, and this is {kind}", takes.shown())));
            }
            nodes.push(node);
        }
        Ok((Node::Call(signature.function, nodes), (signature.yields)()))
    }
}

fn unknown_function(name: &str) -> String {
    let known = || FUNCTIONS.iter().map(|f| f.name).chain(OWN);
    match nearest(name, known()) {
        Some(meant) => format!("there is no function {name:?}; did you mean {meant}()?"),
        None => format!("there is no function {name:?}; there are {}", either(known())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_takes_what_it_must_have() {
        for f in FUNCTIONS {
            assert!(f.least <= f.takes.len() && f.least > 0 && !OWN.contains(&f.name), "{}", f.name);
        }
    }
}
