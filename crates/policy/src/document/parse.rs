//! From text to trees, by the parser's events: what aliases add is bounded, and nothing recurses deeper than the bound on depth.

use super::{Data, Entry, Node};
use crate::fault::{Fault, Mark};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle};
use std::collections::HashMap;
use std::sync::Arc;

/// What is read, which says how large it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A policy document: at most 1 MiB, some thousand rules.
    Policy,
    /// A file of scenarios: at most 4 MiB.
    Scenarios,
}

impl Kind {
    /// The largest size in bytes.
    const fn limit(self) -> usize {
        match self {
            Kind::Policy => 1 << 20,
            Kind::Scenarios => 4 << 20,
        }
    }
}

/// Deepest nesting. The format needs ten; directory attributes some more; a deeper document is an attack on the stack of whoever
/// walks the tree.
const DEPTH: usize = 48;

/// The text of a file's bytes.
///
/// # Errors
/// A fault at the first byte that is not UTF-8.
pub fn text_of<'b>(file: &str, bytes: &'b [u8]) -> Result<&'b str, Fault> {
    std::str::from_utf8(bytes).map_err(|e| {
        let good = String::from_utf8_lossy(&bytes[..e.valid_up_to()]);
        let line = good.matches('\n').count() + 1;
        let column = good.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
        Fault {
            file: file.into(),
            line: number(line),
            column: number(column),
            pointer: String::new(),
            message: "the file is not UTF-8 text from here on; save it as UTF-8".to_owned(),
        }
    })
}

/// Reads the YAML documents of a text, one node each. A text without any document is none.
///
/// # Errors
/// The first fault of form: what the parser refuses, or what this format does not take (tags, duplicate keys, keys that are not
/// text, too large, too deep, aliases that stand for more than a file may hold).
pub fn parse(file: &str, text: &str, kind: Kind) -> Result<Vec<Node>, Fault> {
    let file: Arc<str> = file.into();
    let budget = kind.limit();
    let mut builder = Builder { file, next: 0, open: Vec::new(), documents: Vec::new(), anchors: HashMap::new(), budget };
    if text.len() > kind.limit() {
        let message = format!("the file has {} bytes and may have {}; split it", text.len(), kind.limit());
        return Err(fault(&builder.mark(Marker::new(0, 1, 0)), message));
    }
    let mut parser = Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    loop {
        match parser.next_event() {
            None | Some(Ok((Event::StreamEnd, _))) => return Ok(builder.documents),
            Some(Ok((event, span))) => builder.take(event, span.start)?,
            Some(Err(e)) => {
                let at = builder.mark(*e.marker());
                return Err(fault(&at, format!("this is not YAML: {}", e.info())));
            }
        }
    }
}

fn fault(at: &Mark, message: String) -> Fault {
    Fault { file: at.file.clone(), line: at.line, column: at.column, pointer: String::new(), message }
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn too_deep(at: &Mark) -> Fault {
    fault(at, format!("nested deeper than {DEPTH} levels; no part of this format is"))
}

/// How much a node holds (values and letters), and how deep it is. Its depth is bounded, so this may recurse.
fn measure(node: &Node) -> (usize, usize) {
    let below = |parts: &mut dyn Iterator<Item = (usize, &Node)>| {
        parts.fold((1, 0), |(weight, depth), (key, part)| {
            let (more, deep) = measure(part);
            (weight + key + more, depth.max(deep))
        })
    };
    let (weight, depth) = match &node.data {
        Data::Text(text) | Data::Number { raw: text, .. } => return (1 + text.len(), 0),
        Data::Null | Data::Bool(_) => return (1, 0),
        Data::List(items) => below(&mut items.iter().map(|item| (0, item))),
        Data::Map(entries) => below(&mut entries.iter().map(|e| (e.key.len(), &e.value))),
    };
    (weight, depth + 1)
}

/// The key under which a map names others whose entries it takes over, as YAML writers know it.
const MERGE: &str = "<<";

/// Takes over the entries of the maps that a merge key names. The map's own keys win, then the maps in the order they stand.
fn with_merged(mut entries: Vec<Entry>) -> Result<Vec<Entry>, Fault> {
    let Some(place) = entries.iter().position(|e| e.key == MERGE) else { return Ok(entries) };
    let merge = entries.remove(place);
    let others = match merge.value.data {
        Data::List(items) => items,
        data => vec![Node { at: merge.value.at, data }],
    };
    for other in others {
        let Data::Map(more) = other.data else {
            return Err(fault(
                &merge.at,
                format!("{MERGE} takes a map, or a list of maps, to take over; write for instance {MERGE}: *base"),
            ));
        };
        for entry in more {
            if entries.iter().all(|own| own.key != entry.key) {
                entries.push(entry);
            }
        }
    }
    Ok(entries)
}

/// A list or map whose end has not come yet, with the anchor it bears (0 for none).
enum Open {
    List(Mark, usize, Vec<Node>),
    Map { at: Mark, anchor: usize, entries: Vec<Entry>, places: HashMap<String, Mark>, key: Option<(String, Mark)> },
}

/// A value that bears an anchor, with what an alias of it costs.
struct Anchored {
    node: Node,
    /// Values and letters in it.
    weight: usize,
    /// Levels of nesting in it.
    depth: usize,
}

struct Builder {
    file: Arc<str>,
    next: u32,
    open: Vec<Open>,
    documents: Vec<Node>,
    /// Finished values by their anchor.
    anchors: HashMap<usize, Anchored>,
    /// What aliases may still add: together no more than a file may be large, so that no few lines stand for gigabytes.
    budget: usize,
}

impl Builder {
    fn mark(&mut self, at: Marker) -> Mark {
        self.next += 1;
        Mark { file: self.file.clone(), line: number(at.line().max(1)), column: number(at.col() + 1), id: self.next }
    }

    fn take(&mut self, event: Event<'_>, at: Marker) -> Result<(), Fault> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => Ok(()),
            Event::DocumentEnd => {
                self.anchors.clear();
                Ok(())
            }
            Event::Alias(anchor) => self.alias(anchor, at),
            Event::Scalar(text, style, anchor, tag) => {
                let at = self.untagged(at, tag.is_some())?;
                if let Some(Open::Map { places, key: key @ None, .. }) = self.open.last_mut() {
                    let name = text.into_owned();
                    if let Some(first) = places.get(&name) {
                        let message = format!(
                            "the key {name:?} stands twice, first at line {}, column {}; keep one of them",
                            first.line, first.column
                        );
                        return Err(fault(&at, message));
                    }
                    places.insert(name.clone(), at.clone());
                    *key = Some((name, at));
                    return Ok(());
                }
                let data = scalar(text.into_owned(), style)
                    .map_err(|text| fault(&at, format!("{text} is no number that can be kept; quote it if it is a text")))?;
                self.finish(Node { at, data }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                let at = self.open_at(at, tag.is_some())?;
                self.open.push(Open::List(at, anchor, Vec::new()));
                Ok(())
            }
            Event::MappingStart(anchor, tag) => {
                let at = self.open_at(at, tag.is_some())?;
                self.open.push(Open::Map { at, anchor, entries: Vec::new(), places: HashMap::new(), key: None });
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List(at, anchor, items)) => self.finish(Node { at, data: Data::List(items) }, anchor),
                Some(Open::Map { at, anchor, entries, .. }) => {
                    let entries = with_merged(entries)?;
                    self.finish(Node { at, data: Data::Map(entries) }, anchor)
                }
                None => Ok(()),
            },
        }
    }

    /// The mark of a node that carries no tag.
    fn untagged(&mut self, at: Marker, tagged: bool) -> Result<Mark, Fault> {
        let at = self.mark(at);
        if tagged {
            return Err(fault(&at, "tags (!) are not taken; quote the value if it is a text".to_owned()));
        }
        Ok(at)
    }

    fn open_at(&mut self, at: Marker, tagged: bool) -> Result<Mark, Fault> {
        let at = self.untagged(at, tagged)?;
        if self.open.len() >= DEPTH {
            return Err(too_deep(&at));
        }
        self.not_a_key(&at)?;
        Ok(at)
    }

    /// Only a text may stand where a key is due.
    fn not_a_key(&self, at: &Mark) -> Result<(), Fault> {
        if matches!(self.open.last(), Some(Open::Map { key: None, .. })) {
            return Err(fault(at, "a key must be a text, not a list or map; quote it if it starts with [ or {".to_owned()));
        }
        Ok(())
    }

    /// Puts a copy of an anchored value where its alias stands. It keeps the marks of the original: that is where it is mended.
    fn alias(&mut self, anchor: usize, at: Marker) -> Result<(), Fault> {
        let at = self.mark(at);
        self.not_a_key(&at)?;
        let Some(anchored) = self.anchors.get(&anchor) else {
            return Err(fault(&at, "this alias stands inside the value it names; write the value out".to_owned()));
        };
        if self.open.len() + anchored.depth > DEPTH {
            return Err(too_deep(&at));
        }
        let (node, weight) = (anchored.node.clone(), anchored.weight);
        self.spend(weight, &at)?;
        self.value(node);
        Ok(())
    }

    /// A copy costs what it holds.
    fn spend(&mut self, weight: usize, at: &Mark) -> Result<(), Fault> {
        match self.budget.checked_sub(weight) {
            Some(rest) => {
                self.budget = rest;
                Ok(())
            }
            None => Err(fault(at, "anchors and aliases make the document too large; write the values out".to_owned())),
        }
    }

    /// Puts a finished node where it belongs, and keeps a copy for aliases when it bears an anchor.
    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), Fault> {
        if anchor != 0 {
            let (weight, depth) = measure(&node);
            self.spend(weight, &node.at)?;
            self.anchors.insert(anchor, Anchored { node: node.clone(), weight, depth });
        }
        self.value(node);
        Ok(())
    }

    /// Puts a finished node where it belongs.
    fn value(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.documents.push(node),
            Some(Open::List(_, _, items)) => items.push(node),
            Some(Open::Map { entries, key, .. }) => {
                if let Some((key, at)) = key.take() {
                    entries.push(Entry { key, at, value: node });
                }
            }
        }
    }
}

/// A scalar by YAML's core schema (1.2.2, chapter 10.3): `no`, `off` and dates are texts. An error holds the text of a number that
/// JSON cannot carry.
fn scalar(text: String, style: ScalarStyle) -> Result<Data, String> {
    if style != ScalarStyle::Plain {
        return Ok(Data::Text(text));
    }
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Data::Null),
        "true" | "True" | "TRUE" => return Ok(Data::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Data::Bool(false)),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf" | "-.INF" | ".nan" | ".NaN" | ".NAN" => {
            return Err(text);
        }
        _ => {}
    }
    let value = if let Some(hex) = text.strip_prefix("0x") {
        u64::from_str_radix(hex, 16).ok().filter(|_| !hex.starts_with('+')).map(Into::into)
    } else if let Some(octal) = text.strip_prefix("0o") {
        u64::from_str_radix(octal, 8).ok().filter(|_| !octal.starts_with('+')).map(Into::into)
    } else if is_number(&text) {
        let whole = text.strip_prefix('+').unwrap_or(&text);
        let number = whole.parse::<i64>().ok().map(Into::into);
        let Some(number) = number.or_else(|| whole.parse::<f64>().ok().and_then(serde_json::Number::from_f64)) else {
            return Err(text);
        };
        Some(number)
    } else {
        None
    };
    Ok(match value {
        Some(value) => Data::Number { value, raw: text },
        None => Data::Text(text),
    })
}

/// `[-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((m, e)) => (m, Some(e.strip_prefix(['-', '+']).unwrap_or(e))),
        None => (unsigned, None),
    };
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let mantissa = match mantissa.split_once('.') {
        Some(("", part)) => !part.is_empty() && digits(part),
        Some((whole, part)) => digits(whole) && digits(part),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    mantissa && exponent.is_none_or(|e| !e.is_empty() && digits(e))
}
