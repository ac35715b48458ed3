//! A document changed in one place: what a form edits, the rest of the text, comments and all, as its author wrote it.
//!
//! The change is made twice: in the tree, which says what must come out, and in the lines of the text. Where the lines do not come to the
//! same (flow style, aliases, anything unusual), the document is written anew from the tree: right in what it says, without its
//! comments. [`Edited::lost`] tells which comments went, so that nobody finds out later.

use crate::document::{self, Data, Entry, Kind, Node};
use crate::fault::Fault;
use crate::written::{Tree, emit, emit_at};
use serde_json::{Map, Value};

/// A step into a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At<'a> {
    /// The value under a key.
    Key(&'a str),
    /// An element of a list.
    Item(usize),
}

/// A document after an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// Its text.
    pub text: String,
    /// Comments of the text before that are not in it any more.
    pub lost: Vec<String>,
}

/// Sets or takes out (none) the value at a path; maps on the way are made where there are none. `Item` one past the end appends.
///
/// # Errors
/// The fault of form of a text that is no document. A path into something that is neither a map nor a list changes nothing.
pub fn set(text: &str, path: &[At<'_>], value: Option<&Value>) -> Result<Edited, Vec<Fault>> {
    let root = parse(text)?;
    let before = root.as_ref().map_or(Value::Object(Map::new()), Node::to_json);
    let mut wanted = before.clone();
    put(&mut wanted, path, value);
    if wanted == before {
        return Ok(Edited { text: text.to_owned(), lost: Vec::new() });
    }
    let by_lines = by_lines(text, root.as_ref(), path, value, &wanted);
    let right = by_lines.filter(|new| parse(new).is_ok_and(|root| root.is_some_and(|root| root.to_json() == wanted)));
    let new = right.unwrap_or_else(|| emit(&ordered(&wanted)));
    Ok(Edited { lost: lost(text, &new), text: new })
}

/// Whether two maps are the same rule or role mapping: they have the same `id`.
#[must_use]
pub fn same_id(a: &Value, b: &Value) -> bool {
    a.get("id").is_some() && a.get("id") == b.get("id")
}

/// Makes a list of a document (`rules`, say) exactly these maps: the `same` ones are changed key by key, others are added at the end or
/// taken out. The order of the list is left alone, since it never matters (ruling 19).
///
/// # Errors
/// As for [`set`].
pub fn set_items(text: &str, list: &str, items: &[Value], same: impl Fn(&Value, &Value) -> bool) -> Result<Edited, Vec<Fault>> {
    let own = parse(text)?.and_then(|root| root.get(list).map(Node::to_json));
    let Some(Value::Array(mut own)) = own.filter(|_| !items.is_empty()) else {
        return set(text, &[At::Key(list)], Some(&Value::Array(items.to_vec())));
    };
    let mut edited = Edited { text: text.to_owned(), lost: Vec::new() };
    let mut step = |path: &[At<'_>], value: Option<&Value>| -> Result<(), Vec<Fault>> {
        edited.text = set(&edited.text, path, value)?.text;
        Ok(())
    };
    // What is new comes first, so that a list is never empty on the way: an empty one loses its style, and with it its comments.
    for item in items.iter().filter(|item| !own.iter().any(|o| same(o, item))).collect::<Vec<_>>() {
        step(&[At::Key(list), At::Item(own.len())], Some(item))?;
        own.push(item.clone());
    }
    for at in (0..own.len()).rev() {
        if !items.iter().any(|item| same(item, &own[at])) {
            step(&[At::Key(list), At::Item(at)], None)?;
            own.remove(at);
        }
    }
    for item in items {
        let Some(at) = own.iter().position(|o| same(o, item)) else { continue };
        let (Some(from), Some(to)) = (own[at].as_object(), item.as_object()) else { continue };
        for key in from.keys().filter(|key| !to.contains_key(*key)) {
            step(&[At::Key(list), At::Item(at), At::Key(key)], None)?;
        }
        for (key, value) in to.iter().filter(|(key, value)| from.get(*key) != Some(value)) {
            step(&[At::Key(list), At::Item(at), At::Key(key)], Some(value))?;
        }
    }
    edited.lost = lost(text, &edited.text);
    Ok(edited)
}

/// What a document says, as JSON; an empty map for an empty one.
///
/// # Errors
/// The fault of form of a text that is no document.
pub fn value(text: &str) -> Result<Value, Vec<Fault>> {
    Ok(parse(text)?.map_or(Value::Object(Map::new()), |root| root.to_json()))
}

fn parse(text: &str) -> Result<Option<Node>, Vec<Fault>> {
    let mut documents = document::parse("policy", text, Kind::Policy).map_err(|fault| vec![fault])?;
    Ok(documents.pop().filter(|root| !root.is_null()))
}

fn put(into: &mut Value, path: &[At<'_>], value: Option<&Value>) {
    let Some((first, rest)) = path.split_first() else { return };
    if into.is_null() {
        *into = Value::Object(Map::new());
    }
    match (first, into) {
        (At::Key(key), Value::Object(map)) if rest.is_empty() => {
            match value {
                Some(value) => map.insert((*key).to_owned(), value.clone()),
                None => map.remove(*key),
            };
        }
        (At::Key(key), Value::Object(map)) if value.is_some() || map.contains_key(*key) => {
            put(map.entry((*key).to_owned()).or_insert(Value::Null), rest, value);
        }
        (At::Item(at), Value::Array(items)) if rest.is_empty() => match value {
            Some(value) if *at < items.len() => items[*at] = value.clone(),
            Some(value) => items.push(value.clone()),
            None if *at < items.len() => {
                items.remove(*at);
            }
            None => {}
        },
        (At::Item(at), Value::Array(items)) => {
            if let Some(item) = items.get_mut(*at) {
                put(item, rest, value);
            }
        }
        _ => {}
    }
}

/// The text with only the lines of the innermost part changed that stands in block style; nothing where there is no such part.
fn by_lines(text: &str, root: Option<&Node>, path: &[At<'_>], value: Option<&Value>, wanted: &Value) -> Option<String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let Some(root) = root else {
        let mut new = text.to_owned();
        if !new.is_empty() && !new.ends_with('\n') {
            new.push('\n');
        }
        return Some(new + &emit(&ordered(wanted)));
    };
    // The deepest part that exists, is in block style, and whose parent is.
    let mut at = root;
    let mut target = wanted;
    let mut span = Span { from: (0, 0), to: lines.len() };
    let mut replace: Option<(Span, At<'_>, &Value)> = None;
    for (depth, step) in path.iter().enumerate() {
        if is_flow(&lines, at) {
            break;
        }
        let last = depth + 1 == path.len();
        match (step, &at.data) {
            (At::Key(key), Data::Map(entries)) => {
                let Some(entry) = entries.iter().find(|e| e.key == *key) else {
                    let value = value_at(target, &[*step])?;
                    let column = entries.first()?.at.column as usize - 1;
                    return Some(insert(&lines, span.to, column, &entry_text(key, value, column)));
                };
                let inner = entry_span(&lines, entry, span.to);
                if last && value.is_none() {
                    // The only key of a map leaves with its map, which the caller's tree would keep empty.
                    return (entries.len() > 1).then(|| cut(&lines, inner));
                }
                target = value_at(target, &[*step])?;
                replace = Some((inner, *step, target));
                (at, span) = (&entry.value, inner);
            }
            (At::Item(index), Data::List(items)) => {
                let column = dash(&lines, items.first()?)?;
                let Some(item) = items.get(*index) else {
                    let value = value_at(target, &[*step])?;
                    return Some(insert(&lines, span.to, column, &item_text(value, column)));
                };
                let end = items.get(index + 1).map_or(span.to, |next| next.at.line as usize - 1);
                let inner =
                    Span { from: (item.at.line as usize - 1, column), to: trimmed(&lines, item.at.line as usize, end, column) };
                if last && value.is_none() {
                    return (items.len() > 1).then(|| cut(&lines, inner));
                }
                target = value_at(target, &[*step])?;
                replace = Some((inner, *step, target));
                (at, span) = (item, inner);
            }
            _ => break,
        }
    }
    let (span, part, value) = replace?;
    let (line, column) = span.from;
    let mut new: String = lines[..line].concat();
    new.push_str(lines[line].get(..column)?);
    new += &match part {
        At::Key(key) => entry_text(key, value, column),
        At::Item(_) => item_text(value, column),
    };
    new += &lines[span.to..].concat();
    Some(new)
}

/// Part of a text: from a line and column on, up to a line; both from 0.
#[derive(Debug, Clone, Copy)]
struct Span {
    from: (usize, usize),
    to: usize,
}

fn value_at<'v>(value: &'v Value, path: &[At<'_>]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, step| match step {
        At::Key(key) => value.get(*key),
        At::Item(at) => value.get(*at),
    })
}

/// Whether a part is written in braces or brackets, stands for another (alias), or carries an anchor.
fn is_flow(lines: &[&str], node: &Node) -> bool {
    let line = lines.get(node.at.line as usize - 1).copied().unwrap_or_default();
    let first = line.chars().nth(node.at.column as usize - 1);
    matches!(first, None | Some('{' | '[' | '*' | '&' | '!'))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

/// Where an entry of a block map ends: before the next line that is indented no deeper than its key.
fn entry_span(lines: &[&str], entry: &Entry, limit: usize) -> Span {
    let (line, column) = (entry.at.line as usize - 1, entry.at.column as usize - 1);
    let in_list = matches!(entry.value.data, Data::List(_));
    let goes_on = |l: &str| {
        is_blank(l)
            || l.trim_start().starts_with('#')
            || indent(l) > column
            || (in_list && indent(l) == column && l.trim_start().starts_with('-'))
    };
    let end = (line + 1..limit).find(|at| !goes_on(lines[*at])).unwrap_or(limit);
    Span { from: (line, column), to: trimmed(lines, line + 1, end, column) }
}

/// Blank lines and comments at an end that are indented no deeper than a column belong to what follows.
fn trimmed(lines: &[&str], from: usize, mut to: usize, column: usize) -> usize {
    while to > from {
        let line = lines[to - 1];
        let comment = line.trim_start().starts_with('#') && indent(line) <= column;
        if !(is_blank(line) || comment) {
            break;
        }
        to -= 1;
    }
    to
}

/// The column of a list's dashes.
fn dash(lines: &[&str], first: &Node) -> Option<usize> {
    let line = lines.get(first.at.line as usize - 1)?;
    line.trim_start().starts_with('-').then(|| indent(line))
}

fn cut(lines: &[&str], span: Span) -> String {
    let (line, column) = span.from;
    // The first key of a list's element stands behind its dash, which the next key then takes.
    let prefix = lines[line].get(..column).unwrap_or_default();
    let rest: String = lines[span.to..].concat();
    if prefix.trim().is_empty() {
        return lines[..line].concat() + &rest;
    }
    lines[..line].concat() + prefix + rest.trim_start_matches(' ')
}

fn insert(lines: &[&str], at: usize, column: usize, text: &str) -> String {
    let mut new: String = lines[..at].concat();
    if !new.is_empty() && !new.ends_with('\n') {
        new.push('\n');
    }
    new + &" ".repeat(column) + text + &lines[at..].concat()
}

fn entry_text(key: &str, value: &Value, column: usize) -> String {
    emit_at(&Tree::Map(vec![(key.to_owned(), ordered(value))]), column)
}

fn item_text(value: &Value, column: usize) -> String {
    format!("- {}", emit_at(&ordered(value), column + 2))
}

/// A value with its keys in the order in which people expect them.
fn ordered(value: &Value) -> Tree {
    const ORDER: [&str; 36] = [
        "preset",
        "id",
        "name",
        "scope",
        "rules",
        "role_mappings",
        "cab_mappings",
        "role_without_manager",
        "inactive_roles",
        "matching",
        "fields",
        "username",
        "lifecycle",
        "guard",
        "order",
        "enabled",
        "created",
        "when",
        "then",
        "groups",
        "group_names",
        "filter",
        "include_guests",
        "kind",
        "client",
        "site",
        "site_from",
        "role",
        "licence_type",
        "cabs",
        "defaults",
        "source",
        "overwrite",
        "default",
        "clear_when_empty",
        "agent",
    ];
    let place = |key: &str| ORDER.iter().position(|known| *known == key).unwrap_or(ORDER.len());
    match value {
        Value::Array(items) => Tree::List(items.iter().map(ordered).collect()),
        Value::Object(map) => {
            let mut entries: Vec<(String, Tree)> = map.iter().map(|(k, v)| (k.clone(), ordered(v))).collect();
            entries.sort_by(|(a, _), (b, _)| place(a).cmp(&place(b)).then_with(|| a.cmp(b)));
            Tree::Map(entries)
        }
        leaf => Tree::Leaf(leaf.clone()),
    }
}

/// Comments of a text that another does not hold. What looks like one inside a quoted text may be told too: better once too often.
fn lost(before: &str, after: &str) -> Vec<String> {
    fn comments(text: &str) -> Vec<&str> {
        let of = |line: &'_ str| -> Option<usize> {
            if line.trim_start().starts_with('#') { line.find('#') } else { line.find(" #").map(|at| at + 1) }
        };
        text.lines().filter_map(|line| of(line).map(|at| line[at..].trim_end())).collect()
    }
    let mut held = comments(after);
    let gone = comments(before).into_iter().filter(|comment| match held.iter().position(|h| h == comment) {
        Some(at) => {
            held.swap_remove(at);
            false
        }
        None => true,
    });
    gone.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TEXT: &str = "\
# Acme's own policy
preset: msp   # as agreed in May
rules:
  # the service desk
  - id: desk
    order: 10   # before everyone
    when:
      groups: [g-1]
    then: { kind: agent }

  # the rest
  - { id: everyone, order: 100, when: {}, then: { kind: contact } }

# asked for by Ada
guard:
  max_removals: 20
";

    fn at<'a>(keys: &[&'a str]) -> Vec<At<'a>> {
        keys.iter().map(|key| At::Key(key)).collect()
    }

    #[test]
    fn one_value_changes_and_every_comment_stays() {
        let edited = set(TEXT, &at(&["guard", "max_removals"]), Some(&json!(30))).unwrap();
        assert_eq!(edited.text, TEXT.replace("max_removals: 20", "max_removals: 30"));
        assert!(edited.lost.is_empty());
    }

    #[test]
    fn what_is_new_is_added_where_it_belongs() {
        let edited = set(TEXT, &at(&["guard", "max_rekeys"]), Some(&json!("off"))).unwrap();
        assert!(edited.text.starts_with(TEXT) && edited.lost.is_empty(), "{}", edited.text);
        assert_eq!(value(&edited.text).unwrap()["guard"], json!({ "max_removals": 20, "max_rekeys": "off" }));
        let edited = set(TEXT, &at(&["fields", "contact", "phone"]), Some(&json!({ "overwrite": "never" }))).unwrap();
        assert!(
            edited.text.starts_with(TEXT) && edited.text.contains("fields:\n  contact:\n    phone:\n      overwrite: never\n"),
            "{}",
            edited.text
        );
        let edited = set("", &at(&["preset"]), Some(&json!("bms"))).unwrap();
        assert_eq!(edited.text, "preset: bms\n");
    }

    #[test]
    fn a_rule_changes_by_itself() {
        let desk = json!({ "id": "desk", "order": 20, "when": { "groups": ["g-1"] }, "then": { "kind": "agent" } });
        let everyone = json!({ "id": "everyone", "order": 100, "enabled": false, "when": {}, "then": { "kind": "contact" } });
        let new =
            json!({ "id": "new", "order": 5, "when": { "filter": "department == \"Sales\"" }, "then": { "kind": "contact" } });
        let set_rules = |rules: &[Value]| set_items(TEXT, "rules", rules, same_id).unwrap();
        let edited = set_rules(&[desk.clone(), everyone.clone(), new.clone()]);
        let read = parse(&edited.text).unwrap().unwrap().to_json();
        assert_eq!(read["rules"], json!([desk, everyone, new]), "{}", edited.text);
        assert_eq!(edited.lost, ["# before everyone"], "only what stood on the changed line goes: {}", edited.text);
        assert!(edited.text.contains("# the service desk") && edited.text.contains("# asked for by Ada"));
        let edited = set_rules(std::slice::from_ref(&everyone));
        let read = parse(&edited.text).unwrap().unwrap().to_json();
        assert_eq!(read["rules"], json!([everyone]), "{}", edited.text);
        for rules in [vec![], vec![new]] {
            let edited = set_rules(&rules);
            assert_eq!(parse(&edited.text).unwrap().unwrap().to_json()["rules"], json!(rules), "{}", edited.text);
            assert!(edited.text.contains("# asked for by Ada"), "what is elsewhere stays: {}", edited.text);
        }
    }

    #[test]
    fn whatever_the_style_the_result_says_what_was_asked() {
        for text in [
            "{preset: msp, guard: {max_removals: 3}}\n",
            "guard: &g\n  max_removals: 3\n",
            "---\nguard: {max_removals: 3} # so\n",
        ] {
            let edited = set(text, &at(&["guard", "max_removals"]), Some(&json!(4))).unwrap();
            assert_eq!(parse(&edited.text).unwrap().unwrap().to_json()["guard"]["max_removals"], 4, "{}", edited.text);
        }
    }
}
