//! From text to trees, by the parser's events: nothing is expanded, and nothing recurses on the document's depth.

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
/// The first fault of form: what the parser refuses, or what this format does not take (aliases, tags, duplicate keys, keys that
/// are not text, too large, too deep).
pub fn parse(file: &str, text: &str, kind: Kind) -> Result<Vec<Node>, Fault> {
    let file: Arc<str> = file.into();
    let mut builder = Builder { file, next: 0, open: Vec::new(), documents: Vec::new() };
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

/// A list or map whose end has not come yet.
enum Open {
    List(Mark, Vec<Node>),
    Map { at: Mark, entries: Vec<Entry>, places: HashMap<String, Mark>, key: Option<(String, Mark)> },
}

struct Builder {
    file: Arc<str>,
    next: u32,
    open: Vec<Open>,
    documents: Vec<Node>,
}

impl Builder {
    fn mark(&mut self, at: Marker) -> Mark {
        self.next += 1;
        Mark { file: self.file.clone(), line: number(at.line().max(1)), column: number(at.col() + 1), id: self.next }
    }

    fn take(&mut self, event: Event<'_>, at: Marker) -> Result<(), Fault> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => Ok(()),
            Event::Alias(_) => {
                let at = self.mark(at);
                Err(fault(&at, "anchors and aliases (& and *) are not taken; write the value out".to_owned()))
            }
            Event::Scalar(text, style, anchor, tag) => {
                let at = self.plain(at, anchor, tag.is_some())?;
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
                self.value(Node { at, data });
                Ok(())
            }
            Event::SequenceStart(anchor, tag) => {
                let at = self.open_at(at, anchor, tag.is_some())?;
                self.open.push(Open::List(at, Vec::new()));
                Ok(())
            }
            Event::MappingStart(anchor, tag) => {
                let at = self.open_at(at, anchor, tag.is_some())?;
                self.open.push(Open::Map { at, entries: Vec::new(), places: HashMap::new(), key: None });
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => {
                match self.open.pop() {
                    Some(Open::List(at, items)) => self.value(Node { at, data: Data::List(items) }),
                    Some(Open::Map { at, entries, .. }) => self.value(Node { at, data: Data::Map(entries) }),
                    None => {}
                }
                Ok(())
            }
        }
    }

    /// The mark of a node that carries neither anchor nor tag.
    fn plain(&mut self, at: Marker, anchor: usize, tagged: bool) -> Result<Mark, Fault> {
        let at = self.mark(at);
        if anchor != 0 {
            return Err(fault(&at, "anchors and aliases (& and *) are not taken; write the value out".to_owned()));
        }
        if tagged {
            return Err(fault(&at, "tags (!) are not taken; quote the value if it is a text".to_owned()));
        }
        Ok(at)
    }

    fn open_at(&mut self, at: Marker, anchor: usize, tagged: bool) -> Result<Mark, Fault> {
        let at = self.plain(at, anchor, tagged)?;
        if self.open.len() >= DEPTH {
            return Err(fault(&at, format!("nested deeper than {DEPTH} levels; no part of this format is")));
        }
        if matches!(self.open.last(), Some(Open::Map { key: None, .. })) {
            return Err(fault(&at, "a key must be a text, not a list or map; quote it if it starts with [ or {".to_owned()));
        }
        Ok(at)
    }

    /// Puts a finished node where it belongs.
    fn value(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.documents.push(node),
            Some(Open::List(_, items)) => items.push(node),
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
