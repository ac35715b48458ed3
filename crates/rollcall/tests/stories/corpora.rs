//! Texts that break programs, through the whole program: directory, plan, records, API, search, CSV and log, on both databases. What must
//! become of each text is worked out here from the rules alone.

use super::*;
use model::records::Person;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Digest;
use std::collections::{BTreeMap, HashMap, HashSet};
use testkit::corpora::{addresses, texts};
use unicode_normalization::UnicodeNormalization;

/// More than anybody in these stories.
const ALL: i64 = 10_000;

/// What the rules make of a text that a field is given (rulings 33, 63 and 66).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate<'a> {
    Empty,
    Malformed,
    TooLong,
    Kept(&'a str),
}

fn fate(text: &str, limit: usize) -> Fate<'_> {
    match text.trim_matches(char::is_whitespace) {
        "" => Fate::Empty,
        kept if kept.chars().any(|c| matches!(u32::from(c), 0..=0x1f | 0x7f..=0x9f)) => Fate::Malformed,
        kept if kept.chars().count() > limit => Fate::TooLong,
        kept => Fate::Kept(kept),
    }
}

fn kept(text: &str, limit: usize) -> Option<&str> {
    if let Fate::Kept(kept) = fate(text, limit) { Some(kept) } else { None }
}

/// Names of groups, sites and clients are one when this is (rulings 35 and 39).
fn normal(text: &str) -> String {
    text.trim().nfc().collect()
}

/// Whether a policy can name something so: no control character, and something to read.
fn nameable(text: &str) -> bool {
    matches!(fate(text, usize::MAX), Fate::Kept(_)) && !text.chars().any(char::is_control)
}

/// A group and a rule of each text's own name, whose role is the text too; the rest of the texts fall to the last rule.
fn policy(texts: &[String]) -> String {
    let rule = |(at, text): (usize, &String)| {
        json!({ "id": format!("r{at}"), "name": text, "order": at, "when": { "group_names": [text] },
            "then": { "kind": "contact", "client": "from_tenant", "role": text, "site_from": "department" } })
    };
    let mut rules: Vec<Value> = texts.iter().enumerate().filter(|(_, text)| nameable(text)).map(rule).collect();
    rules.push(json!({ "id": "rest", "order": 1_000_000, "when": {},
        "then": { "kind": "contact", "client": "from_tenant", "role": "rest", "site_from": "department" } }));
    let fields = json!({ "note": { "source": "officeLocation" }, "badge_no": { "source": "streetAddress" } });
    json!({ "preset": "bms", "rules": rules, "fields": fields, "scope": { "require": [] } }).to_string()
}

/// Everybody by the part of the username that is theirs.
fn everybody(s: &Story) -> Result<HashMap<String, Person>> {
    let rows = s.store(async |store| Ok(store.people(&store::PersonFilter { limit: ALL, ..Default::default() }).await?))?;
    Ok(rows.into_iter().filter_map(|row| Some((row.person.username.clone()?, row.person))).collect())
}

fn texts_join(s: &Story, texts: &[String]) -> Result<()> {
    for (at, text) in texts.iter().enumerate() {
        let surname = kept(text, 100).map_or("Smith", |_| text);
        let more = json!({ "displayName": text, "givenName": text, "surname": surname, "jobTitle": text, "department": text,
            "officeLocation": text, "streetAddress": text, "mobilePhone": text });
        let user = s.joins(&format!("n{at}"), more)?;
        let group = s.entra(Method::POST, "/groups", &json!({ "displayName": text }))?;
        let id = group["id"].as_str().unwrap_or_default();
        s.entra(Method::POST, &format!("/groups/{id}/members"), &json!({ "add": [user] }))?;
        if surname != text {
            s.joins(&format!("m{at}"), json!({ "displayName": text, "givenName": text, "surname": text }))?;
        }
    }
    Ok(())
}

/// Each text is in the record as the rules say.
fn as_ruled(s: &Story, texts: &[String], people: &HashMap<String, Person>) -> Result<()> {
    let sites = s.store(async |store| Ok(store.sites().await?))?;
    let sites: HashMap<_, _> = sites.into_iter().map(|site| (site.id, site.name)).collect();
    let mut owners: HashMap<String, &String> = HashMap::new();
    for text in texts.iter().filter(|text| nameable(text)) {
        owners.entry(normal(text)).or_insert(text);
    }
    for (at, text) in texts.iter().enumerate() {
        let person = people.get(&format!("n{at}")).ok_or_else(|| anyhow::anyhow!("{text:?} has no record"))?;
        let field = |name: &str| person.get(&model::Field::new(name)).as_str().map(str::to_owned);
        let wants = [
            ("first_name", kept(text, 100)),
            ("last_name", kept(text, 100).or(Some("Smith"))),
            ("job_title", kept(text, 150)),
            ("note", kept(text, usize::MAX)),
            ("badge_no", kept(text, usize::MAX)),
        ];
        for (name, want) in wants {
            ensure!(field(name).as_deref() == want, "{name} of {text:?} is {:?}", field(name));
        }
        let role = owners.get(&normal(text)).filter(|_| kept(text, usize::MAX).is_some()).map_or("rest", |role| role.as_str());
        // What is written like an object id is kept in small letters (ruling 20).
        let role = model::SourceId::new(role);
        let role = role.as_str();
        ensure!(person.role.as_deref() == Some(role), "the role of {text:?} is {:?}, not {role:?}", person.role);
        let site = person.site.and_then(|id| sites.get(&id));
        ensure!(site.is_some() == kept(text, 100).is_some(), "the site of {text:?} is {site:?}");
        // The site is called as whoever has the lowest object id writes it, so letters' case may be another's.
        let same = |a: &str, b: &str| model::text::fold(a) == model::text::fold(b);
        ensure!(site.is_none_or(|site| same(site, text)), "the site of {text:?} is {site:?}");
    }
    Ok(())
}

both!(corpora_texts_arrive_whole_or_are_reported_and_nothing_breaks, EVERYONE, |s| {
    let texts = texts::all();
    ensure!(texts.len() > 800, "{}", texts.len());
    texts_join(s, &texts)?;
    let own = policy(&texts);
    s.policy(&own)?;
    let first = s.synced_well(&["--yes", "-vv"])?;
    one_line_an_event(&first.logged)?;

    let people = everybody(s)?;
    as_ruled(s, &texts, &people)?;
    accounted(s, &first, &texts, &people)?;
    let again = s.synced_well(&["--full"])?;
    ensure!(again.nothing(), "a second run changes nothing: {again:?}");

    policy_stays(s, &own)?;
    csv_returns(s)?;
    served(s, &first, &texts, &people)
});

/// Who got no record is counted as failed, and each value that was not written is reported with user, field and reason.
fn accounted(s: &Story, run: &Synced, texts: &[String], people: &HashMap<String, Person>) -> Result<()> {
    let unfit: Vec<usize> = (0..texts.len()).filter(|at| kept(&texts[*at], 100).is_none()).collect();
    let nameless: Vec<&usize> = unfit.iter().filter(|at| !people.contains_key(&format!("m{at}"))).collect();
    let failed = usize::try_from(run.count("failed"))?;
    ensure!(nameless.len() == failed && people.len() == texts.len() + unfit.len() - failed, "{failed} failed, not {nameless:?}");
    ensure!(unfit.iter().all(|at| !people.contains_key(&format!("m{at}"))), "nobody is made without a last name");
    let id = model::RunId(run.id().parse()?);
    let reports = s.store(async |store| Ok(store.reports(id, 0, ALL).await?))?;
    let mut told: BTreeMap<(String, &'static str), usize> = BTreeMap::new();
    for (_, report) in reports {
        *told.entry((report.field.map(|f| f.as_str().to_owned()).unwrap_or_default(), report.why.as_str())).or_default() += 1;
    }
    for (field, limit) in [("job_title", 150), ("note", usize::MAX)] {
        for (why, is) in [("malformed", Fate::Malformed), ("too_long", Fate::TooLong)] {
            let want = texts.iter().filter(|text| fate(text, limit) == is).count();
            let has = told.get(&(field.to_owned(), why)).copied().unwrap_or_default();
            ensure!(has == want, "{field} is {why} {want} times and reported {has} times: {told:?}");
        }
    }
    Ok(())
}

/// The policy goes out as it came in, reads as the same, and is sound with everything it inherits.
fn policy_stays(s: &Story, own: &str) -> Result<()> {
    let out = s.home.done(&["policy", "export", "acme"])?.stdout;
    ensure!(out.trim_end() == own.trim_end(), "the exported policy differs from the imported one");
    let file = s.file("out.yaml", &out)?;
    s.home.done(&["policy", "check", &file])?;
    let diff = s.home.done(&["policy", "diff", &file, "--tenant", "acme"])?.stdout;
    ensure!(diff.contains("decides the same"), "{diff}");
    let effective = s.home.done(&["policy", "export", "acme", "--effective"])?.stdout;
    let file = s.file("effective.yaml", &effective)?;
    let diff = s.home.done(&["policy", "diff", &file, "--tenant", "acme"])?.stdout;
    ensure!(diff.contains("decides the same"), "all of it, written out, decides the same: {diff}");
    Ok(())
}

/// A file of everybody runs in no spreadsheet, changes nothing here, and makes the same people elsewhere.
fn csv_returns(s: &Story) -> Result<()> {
    let file = s.home.folder().join("people.csv").display().to_string();
    s.home.done(&["records", "export", &file])?;
    let written = std::fs::read_to_string(&file)?;
    let mut cells = 0;
    for record in csv::ReaderBuilder::new().flexible(false).has_headers(false).from_reader(written.as_bytes()).into_records() {
        for cell in record?.iter() {
            // Countries that write numbers with a comma separate cells by semicolons.
            for part in cell.split(';') {
                let begins = part.trim_start().chars().next().unwrap_or_default();
                ensure!(!"=+-@＝＋－＠".contains(begins), "a spreadsheet runs {cell:?}");
            }
            cells += 1;
        }
    }
    ensure!(cells > 10_000, "{cells}");
    let before = s.dump()?;
    let dry = s.home.done(&["records", "import", &file, "--dry-run", "--json"])?.json()?;
    ensure!(dry["updated"] == 0 && dry["created"] == 0 && dry["clients_created"] == 0, "nothing differs: {dry}");
    s.home.done(&["records", "import", &file])?;
    ensure!(s.dump()? == before, "and nothing is changed");

    let elsewhere = begin(On::Sqlite, EVERYONE)?;
    elsewhere.home.done(&["records", "import", &file])?;
    let there = elsewhere.home.done(&["records", "export", "-"])?.stdout;
    for (here, there) in written.lines().zip(there.lines()) {
        ensure!(here == there, "a line came back as another:\n{here}\n{there}");
    }
    ensure!(there.lines().count() == written.lines().count(), "nobody is lost");
    Ok(())
}

/// Nothing in a name ends a line of the log or begins one.
fn one_line_an_event(logged: &str) -> Result<()> {
    for line in logged.lines().filter(|line| !line.is_empty()) {
        let is_progress = line.starts_with("acme: ");
        ensure!(is_progress || line.get(..4).is_some_and(|year| year.parse::<u16>().is_ok()), "no event begins so: {line:?}");
        ensure!(!line.chars().any(char::is_control), "a control character in {line:?}");
    }
    Ok(())
}

/// The server's own answers: everybody and every change exactly, and each text found by search.
fn served(s: &mut Story, run: &Synced, texts: &[String], people: &HashMap<String, Person>) -> Result<()> {
    let token = "rollcall_corpora";
    s.store(async |store| {
        let hash = sha2::Sha256::digest(token.as_bytes());
        Ok(store.add_api_token("corpora", &hash, &["admin".to_owned()], 0, None).await.map(|_| ())?)
    })?;
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    s.home.set("ROLLCALL_LISTEN", &format!("127.0.0.1:{port}"));
    let mut server = s.home.start(&["serve", "--role", "web"])?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let api = Api { http: reqwest::Client::new(), origin: format!("http://127.0.0.1:{port}"), token };
    runtime.block_on(async {
        api.up(&mut server).await?;
        let mut seen = HashSet::new();
        for one in api.all("/api/v1/people?").await? {
            let Some(person) = one["username"].as_str().and_then(|name| people.get(name)) else { continue };
            seen.insert(person.id);
            for name in ["first_name", "last_name", "role", "email"] {
                ensure!(one[name] == person.get(&model::Field::new(name)), "{name} is answered as {}", one[name]);
            }
            let fields = serde_json::to_value(&person.fields)?;
            ensure!(one["fields"] == fields, "{} is answered for {fields}", one["fields"]);
        }
        ensure!(seen.len() == people.len(), "everybody is answered");
        let changes = api.all(&format!("/api/v1/runs/{}/changes?", run.id())).await?;
        let planned: HashSet<&str> = changes.iter().filter_map(|change| change["set"]["first_name"].as_str()).collect();
        for text in texts {
            ensure!(kept(text, 100).is_none_or(|kept| planned.contains(kept)), "{text:?} is in no change");
            let found = api.get(&format!("/api/v1/people?limit=200&q={}", encoded(text))).await?;
            match kept(text, 100) {
                Some(kept) if !text.chars().any(char::is_control) => {
                    let (status, answer) = found;
                    let has = |p: &Value| p["first_name"] == kept;
                    ensure!(status == 200, "searching for {text:?} is answered with {status}: {answer}");
                    let items = answer["items"].as_array().cloned().unwrap_or_default();
                    ensure!(items.len() == 200 || items.iter().any(has), "{text:?} is not found: {answer}");
                }
                _ => ensure!(found.0 < 500, "searching for {text:?} is answered with {found:?}"),
            }
        }
        for user in api.all("/api/v1/tenants/1/users?").await?.iter().step_by(300) {
            let (status, _) = api.get(&format!("/api/v1/users/{}/explain", user["id"])).await?;
            ensure!(status == 200, "{user} is not explained");
        }
        Ok(())
    })
}

struct Api {
    http: reqwest::Client,
    origin: String,
    token: &'static str,
}

impl Api {
    /// Waits until the server answers.
    async fn up(&self, server: &mut testkit::binary::Running) -> Result<()> {
        while self.http.get(format!("{}/health/ready", self.origin)).send().await.is_err() {
            ensure!(server.runs(), "the server ended: {}", server.logged());
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn get(&self, path: &str) -> Result<(u16, Value)> {
        let answer = self.http.get(format!("{}{path}", self.origin)).bearer_auth(self.token).send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    /// Every item of a list, page by page.
    async fn all(&self, path: &str) -> Result<Vec<Value>> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let (status, mut page) = self.get(&format!("{path}limit=200{cursor}")).await?;
            ensure!(status == 200, "{path} is answered with {status}: {page}");
            if let Value::Array(items) = page["items"].take() {
                all.extend(items);
            }
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={}", encoded(next)),
                None => return Ok(all),
            }
        }
    }
}

/// A text as part of an address.
fn encoded(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}

both!(corpora_addresses_are_taken_over_or_reported, EVERYONE, |s| {
    // One of each key: two users with one address are another story. Every third is enough for what a unit test does with all.
    let mut keys = HashSet::new();
    let samples: Vec<addresses::Sample> = addresses::all()
        .into_iter()
        .step_by(3)
        .filter(|sample| keys.insert(model::text::fold(&sample.text)) && !sample.text.trim().is_empty())
        .collect();
    for (at, sample) in samples.iter().enumerate() {
        s.joins(&format!("a{at}"), json!({ "mail": sample.text }))?;
    }
    s.policy(&format!("{EVERYONE}scope: {{ require: [] }}\n"))?;
    let first = s.synced_well(&["--yes"])?;
    let people = everybody(s)?;
    let (mut good, mut bad) = (0, 0);
    for (at, sample) in samples.iter().enumerate() {
        let person = people.get(&format!("a{at}")).ok_or_else(|| anyhow::anyhow!("{sample:?} has no record"))?;
        let length = sample.text.chars().count();
        let want = (sample.valid && length <= 254).then(|| normal(&sample.text).to_lowercase());
        ensure!(person.email == want, "{sample:?} is stored as {:?}", person.email);
        good += usize::from(want.is_some());
        bad += usize::from(want.is_none());
    }
    ensure!(good > 150 && bad > 100, "{good} good ones and {bad} bad ones");
    let id = model::RunId(first.id().parse()?);
    let reports = s.store(async |store| Ok(store.reports(id, 0, ALL).await?))?;
    let told = reports.iter().filter(|(_, r)| r.field.as_ref() == Some(&model::Field::EMAIL)).count();
    ensure!(told == bad, "{bad} are bad and {told} are reported");
    let again = s.synced_well(&["--full"])?;
    ensure!(again.nothing(), "a second run changes nothing: {again:?}");
    csv_returns_addresses(s)
});

/// Addresses with quotes, commas and semicolons come back from a file.
fn csv_returns_addresses(s: &Story) -> Result<()> {
    let file = s.home.folder().join("people.csv").display().to_string();
    s.home.done(&["records", "export", &file])?;
    let dry = s.home.done(&["records", "import", &file, "--dry-run", "--json"])?.json()?;
    ensure!(dry["updated"] == 0 && dry["created"] == 0, "nothing differs: {dry}");
    Ok(())
}
