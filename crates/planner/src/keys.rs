//! By what a user without a record is looked for: the policy's matching keys, in order (M01 to M03, rulings 47 and 59).

use crate::claims::Claims;
use crate::source::{self, Fault, Yield};
use crate::username;
use model::address::AddressKey;
use model::attributes::Hash;
use model::facts::{Answers, Candidate, Questions, UserFacts};
use model::plan::Wait;
use model::policy::{MatchKey, Policy, Source};
use model::records::Person;
use model::{Field, Kind, Value, text};
use std::borrow::Cow;

/// The record's field that the key `upn` looks into first.
pub(crate) const UPN: Field = Field::named("upn");

/// The keys for records of one kind, made ready.
#[derive(Debug)]
pub(crate) struct MatchKeys {
    keys: Vec<Key>,
    /// The tenant's own domain, folded: what a username without one goes on with.
    domain: String,
}

#[derive(Debug)]
enum Key {
    Email,
    Upn,
    Field(Field, Source),
}

/// A value of the user that records are looked for by.
#[derive(Debug)]
pub(crate) struct Probe<'u> {
    /// The key's name, for reasons.
    pub(crate) key: Cow<'u, str>,
    /// Where the value comes from, and the value, for reasons.
    of: Cow<'u, str>,
    value: Cow<'u, str>,
    lookup: Lookup,
}

#[derive(Debug)]
enum Lookup {
    Address(AddressKey),
    /// A folded user principal name; beside it, its local part where its domain is the tenant's own.
    Upn(String, Option<String>),
    Field(Field, String),
}

impl MatchKeys {
    pub(crate) fn new(policy: &Policy, kind: Kind, domain: &str) -> Self {
        let keys = policy.matching.keys.iter().filter_map(|key| match key {
            // The link is looked at before anything else, listed or not.
            MatchKey::ObjectId => None,
            MatchKey::Email => Some(Key::Email),
            MatchKey::Upn => Some(Key::Upn),
            MatchKey::Field { field, source } => {
                let source = policy.key_source(field, source.as_ref(), kind)?;
                Some(Key::Field(field.clone(), source.into_owned()))
            }
        });
        Self { keys: keys.collect(), domain: text::fold(domain) }
    }

    /// The record's fields, beside addresses and usernames, in which values are looked for.
    pub(crate) fn fields(&self) -> impl Iterator<Item = Field> {
        self.keys.iter().filter_map(|key| match key {
            Key::Email => None,
            Key::Upn => Some(UPN),
            Key::Field(field, _) => Some(field.clone()),
        })
    }

    /// The keys' names.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = self.keys.iter().map(|key| match key {
            Key::Email => "email".to_owned(),
            Key::Upn => UPN.as_str().to_owned(),
            Key::Field(field, _) => field.to_string(),
        });
        let names: Vec<String> = names.collect();
        if names.is_empty() { vec!["object_id".to_owned()] } else { names }
    }

    /// The user's values, key by key and address by address, each once. An empty value looks for nobody.
    pub(crate) fn probes<'u>(&'u self, user: &'u UserFacts) -> Result<Vec<Probe<'u>>, Fault> {
        let mut probes: Vec<Probe<'u>> = Vec::new();
        for key in &self.keys {
            match key {
                Key::Email => Self::by_email(user, &mut probes),
                Key::Upn => {
                    let name = source::own_name(&user.attributes).filter(|n| !source::has_ext(n));
                    let Some(name) = name else { continue };
                    let folded = text::fold(&name);
                    let local =
                        folded.rsplit_once('@').filter(|(_, domain)| *domain == self.domain).map(|(local, _)| local.to_owned());
                    let of = Cow::Borrowed("userPrincipalName");
                    probes.push(Probe { key: Cow::Borrowed("upn"), of, value: name, lookup: Lookup::Upn(folded, local) });
                }
                Key::Field(field, source) => {
                    for value in values(field, source, user)? {
                        let key = Cow::Borrowed(field.as_str());
                        let lookup = Lookup::Field(field.clone(), value.clone());
                        probes.push(Probe { of: key.clone(), key, value: Cow::Owned(value), lookup });
                    }
                }
            }
        }
        Ok(probes)
    }

    fn by_email<'u>(user: &'u UserFacts, probes: &mut Vec<Probe<'u>>) {
        for (attribute, address) in source::match_addresses(&user.attributes) {
            // Entra tells the same address several times, mostly letter by letter.
            if probes.iter().any(|p| matches!(p.lookup, Lookup::Address(_)) && p.value == address) {
                continue;
            }
            let Some(key) = AddressKey::of(&address) else { continue };
            if !probes.iter().any(|p| matches!(&p.lookup, Lookup::Address(other) if *other == key)) {
                let (of, lookup) = (Cow::Borrowed(attribute), Lookup::Address(key));
                probes.push(Probe { key: Cow::Borrowed("email"), of, value: address, lookup });
            }
        }
    }

    /// What may bring a record for the user.
    pub(crate) fn waits(&self, user: &UserFacts) -> Vec<Wait> {
        let probes = self.probes(user).unwrap_or_default().into_iter();
        let waits = probes.flat_map(|probe| match probe.lookup {
            Lookup::Address(key) => vec![Wait::Address(key.as_str().to_owned())],
            Lookup::Upn(name, local) => {
                let names = local.into_iter().chain([name.clone()]).map(Wait::Username);
                names.chain([Wait::Key(UPN, name)]).collect()
            }
            Lookup::Field(field, value) => vec![Wait::Key(field, value)],
        });
        waits.collect()
    }
}

/// Asks for everybody who has one of a user's values. What cannot be computed is told of when the user is decided.
pub(crate) fn ask(probes: &[Probe<'_>], asked: &mut Asked) {
    for probe in probes {
        match &probe.lookup {
            Lookup::Address(key) => asked.addresses.push(key.clone()),
            Lookup::Upn(name, local) => {
                asked.others.keys.insert((UPN, name.clone()));
                asked.usernames.extend(local.iter().chain([name]).cloned());
            }
            Lookup::Field(field, value) => {
                asked.others.keys.insert((field.clone(), value.clone()));
            }
        }
    }
}

/// A batch's questions as they come together: those that nearly everybody has are brought into order once, at the end.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) addresses: Vec<AddressKey>,
    pub(crate) usernames: Vec<String>,
    pub(crate) others: Questions,
}

impl From<Asked> for Questions {
    fn from(asked: Asked) -> Self {
        let Asked { addresses, usernames, others } = asked;
        Questions { addresses: addresses.into_iter().collect(), usernames: usernames.into_iter().collect(), ..others }
    }
}

impl Probe<'_> {
    /// Which value it is, for reasons.
    pub(crate) fn shown(&self) -> String {
        format!("{} {}", self.of, self.value)
    }

    /// Under what the claims know the value: who gives it up and who takes it in this plan.
    pub(crate) fn hash(&self) -> Hash {
        match &self.lookup {
            Lookup::Address(key) => Hash::of(key.as_str()),
            Lookup::Upn(name, _) => hash(&UPN, name),
            Lookup::Field(field, value) => hash(field, value),
        }
    }

    /// The folded usernames by which a record is met that has no user principal name of its own.
    pub(crate) fn usernames(&self) -> impl Iterator<Item = &str> {
        let names = match &self.lookup {
            Lookup::Upn(name, local) => [Some(name), local.as_ref()],
            Lookup::Address(_) | Lookup::Field(..) => [None, None],
        };
        names.into_iter().flatten().map(String::as_str)
    }

    /// Whether a record is met only by a username that it gives up in this plan.
    pub(crate) fn is_renamed(&self, record: &Person, claims: &Claims) -> bool {
        let (Lookup::Upn(..), Some(name)) = (&self.lookup, &record.username) else { return false };
        text::is_empty(&record.get(&UPN)) && claims.gives_up(record.id, username::key(name))
    }

    /// The records that hold the value, as the store told.
    pub(crate) fn candidates<'a>(&self, answers: &'a Answers) -> Vec<&'a Candidate> {
        match &self.lookup {
            Lookup::Address(key) => answers.addresses.get(key).into_iter().flatten().collect(),
            Lookup::Field(field, value) => answers.keys.get(&(field.clone(), value.clone())).into_iter().flatten().collect(),
            Lookup::Upn(name, local) => {
                let told = answers.keys.get(&(UPN, name.clone())).into_iter().flatten();
                // A record whose field is empty is known by its username and the tenant's domain.
                let by_name = [Some(name), local.as_ref()].into_iter().flatten();
                let by_name = by_name.filter_map(|name| answers.usernames.get(name)).flatten();
                let by_name = by_name.filter(|c| text::is_empty(&c.person.get(&UPN)));
                let mut found: Vec<&Candidate> = told.chain(by_name).collect();
                found.sort_by_key(|c| c.person.id);
                found.dedup_by_key(|c| c.person.id);
                found
            }
        }
    }
}

/// The user's folded values for a field, each once.
fn values(field: &Field, source: &Source, user: &UserFacts) -> Result<Vec<String>, Fault> {
    let told = match source::of(source, user) {
        Yield::Nothing => return Ok(Vec::new()),
        Yield::Fault(why) => return Err(Fault::of_value(&format!("matching by {field}"), &why)),
        Yield::Text(value) => text::keys(&Value::from(value.as_ref())),
        Yield::Texts(values) => values.iter().flat_map(|value| text::keys(&Value::from(value.as_ref()))).collect(),
        Yield::Other(value) => text::keys(&value),
    };
    let mut values: Vec<String> = Vec::with_capacity(told.len());
    told.into_iter().for_each(|value| {
        if !values.contains(&value) {
            values.push(value);
        }
    });
    Ok(values)
}

/// The hash of a field's folded value. Addresses, which have hashes of their own, hold no U+0001.
pub(crate) fn hash(field: &Field, value: &str) -> Hash {
    Hash::of(&format!("\u{1}{field}\u{1}{value}"))
}

/// The hashes of a record's values in a field.
pub(crate) fn hashes(field: &Field, value: &Value) -> Vec<Hash> {
    text::keys(value).iter().map(|key| hash(field, key)).collect()
}
